"""`manage.py journal verify|seal|head`: the chain of the journal, for officers and auditors."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.audit import anchoring
from portal.audit.models import Block


class Command(BaseCommand):
    help = "Nhật ký: kiểm tra chuỗi khối (verify), đóng khối ngay (seal), in dấu vết khối cuối (head)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["verify", "seal", "head"])
        parser.add_argument(
            "--anchor", nargs=2, action="append", default=[], metavar=("SỐ", "DẤU_VẾT"),
            help="verify: khối đã ghi để ngoài (kết quả của head) phải còn nguyên",
        )  # fmt: skip

    def handle(self, *args: Any, what: str, anchor: list[list[str]], **options: Any) -> None:
        match what:
            case "verify":
                self._verify([_anchor(number, digest) for number, digest in anchor])
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

    def _head(self) -> None:
        last = anchoring.head()
        self.stdout.write(f"{last.number} {last.digest}" if last else "Chưa có khối nào.")


def _anchor(number: str, digest: str) -> anchoring.Anchor:
    if not number.isdigit():
        raise CommandError(f"--anchor: “{number}” không phải số khối.")
    return anchoring.Anchor(int(number), digest.strip().lower())
