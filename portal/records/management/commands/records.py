"""`manage.py records status|drain|resume`: the room's work without a broker, for officers and for trouble."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.records import housekeeping, processing, queries
from portal.records.models import Batch


class Command(BaseCommand):
    help = "Học bạ: tình hình (status), làm hết việc đang chờ (drain), cho lô bị để riêng chạy tiếp (resume)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["status", "drain", "resume"])
        parser.add_argument("--batch", help="mã lô (cho resume)")
        parser.add_argument("--reason", default="", help="lý do (cho resume)")

    def handle(self, *args: Any, what: str, batch: str | None, reason: str, **options: Any) -> None:
        match what:
            case "status":
                self.stdout.write(json.dumps(queries.status(), ensure_ascii=False, indent=2))
            case "drain":
                self.stdout.write(json.dumps(housekeeping.drain(), ensure_ascii=False))
            case _:
                self._resume(batch, reason)

    def _resume(self, batch: str | None, reason: str) -> None:
        found = Batch.objects.filter(id=batch).first() if batch else None
        if found is None:
            raise CommandError("Hãy ghi --batch là mã một lô đã được để riêng.")
        done = processing.resume(batch=found, actor=None, reason=reason, now=timezone.now())
        self.stdout.write("Lô sẽ được xử lý tiếp." if done else "Lô này không bị để riêng.")
