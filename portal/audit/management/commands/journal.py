"""`manage.py journal verify|seal|head`: the chain of the journal, for officers and auditors."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.audit import anchoring
from portal.audit.models import Block

_SHOWN = 20


class Command(BaseCommand):
    help = "Nhật ký: kiểm tra chuỗi khối (verify), đóng khối ngay (seal), in dấu vết khối cuối (head)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["verify", "seal", "head"])
        parser.add_argument(
            "--anchor", nargs=2, action="append", default=[], metavar=("SỐ", "DẤU_VẾT"),
            help="verify: khối đã ghi để ngoài (kết quả của head) phải còn nguyên",
        )  # fmt: skip
        parser.add_argument(
            "--clock-limit", type=int, default=300, metavar="GIÂY",
            help="verify: kể những dòng mà giờ của máy ghi lệch giờ của cơ sở dữ liệu quá mức này",
        )  # fmt: skip

    def handle(self, *args: Any, what: str, anchor: list[list[str]], clock_limit: int, **options: Any) -> None:
        if clock_limit < 0:
            raise CommandError("--clock-limit: số giây không được âm.")
        match what:
            case "verify":
                self._verify([_anchor(number, digest) for number, digest in anchor])
                self._clocks(clock_limit)
            case "seal":
                block = anchoring.seal(now=timezone.now())
                self.stdout.write(f"Đã đóng khối {block.number}." if block else "Không có dòng mới để đóng.")
            case _:
                self._head()

    def _verify(self, anchors: list[anchoring.Anchor]) -> None:
        faults = list(anchoring.verify(anchors=anchors))
        for fault in faults:
            self.stderr.write(f"{fault.code}  {fault.message}")
        if faults:
            raise CommandError(f"Nhật ký bị hỏng từ khối {faults[0].block}.")
        self.stdout.write(f"Nhật ký nguyên vẹn: {Block.objects.count()} khối.")

    def _clocks(self, limit: int) -> None:
        """Told, and no fault: the chain is what it was, but these lines' own time is not to be trusted."""
        count, shown = 0, []
        for one in anchoring.clock_differences(limit=timedelta(seconds=limit)):
            count += 1
            if count <= _SHOWN:
                shown.append(f"  dòng {one.number}  {one.action}  {one.seconds:+.0f} giây")
        if count:
            self.stdout.write(f"Đồng hồ: {count} dòng có giờ của máy ghi lệch quá {limit} giây so với cơ sở dữ liệu.")
            self.stdout.write("\n".join([*shown, *(["  …"] if count > _SHOWN else [])]))

    def _head(self) -> None:
        last = anchoring.head()
        self.stdout.write(f"{last.number} {last.digest}" if last else "Chưa có khối nào.")


def _anchor(number: str, digest: str) -> anchoring.Anchor:
    if not number.isdigit():
        raise CommandError(f"--anchor: “{number}” không phải số khối.")
    return anchoring.Anchor(int(number), digest.strip().lower())
