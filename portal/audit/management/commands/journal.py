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

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        match what:
            case "verify":
                self._verify()
            case "seal":
                block = anchoring.seal(now=timezone.now())
                self.stdout.write(f"Đã đóng khối {block.number}." if block else "Không có dòng mới để đóng.")
            case _:
                self._head()

    def _verify(self) -> None:
        faults = list(anchoring.verify())
        for fault in faults:
            self.stderr.write(f"{fault.code}  {fault.message}")
        if faults:
            raise CommandError(f"Nhật ký bị hỏng từ khối {faults[0].block}.")
        self.stdout.write(f"Nhật ký nguyên vẹn: {Block.objects.count()} khối.")

    def _head(self) -> None:
        block = Block.objects.order_by("-number").first()
        self.stdout.write(f"{block.number} {bytes(block.digest).hex()}" if block else "Chưa có khối nào.")
