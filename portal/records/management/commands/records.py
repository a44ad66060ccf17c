"""`manage.py records status|drain|resume|held|recheck|admit|refuse`: the room's work without a broker.

For officers and for trouble: every act that decides something asks for a reason, which the journal keeps.
"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.records import disputes, housekeeping, processing, queries
from portal.records.models import Batch, Record
from portal.records.processing import rechecking


class Command(BaseCommand):
    help = (
        "Học bạ: tình hình (status); làm hết việc đang chờ (drain); cho lô bị để riêng chạy tiếp (resume); "
        "liệt kê học bạ bị giữ để cán bộ xem (held); kiểm tra lại một học bạ bằng cả hai bộ, riêng "
        "học bạ từng làm dừng phần mềm thì trong tiến trình riêng (recheck); "
        "cho học bạ bị giữ đi tiếp (admit) hoặc từ chối nó (refuse)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["status", "drain", "resume", "held", "recheck", "admit", "refuse"])
        parser.add_argument("record", nargs="?", type=int, help="số học bạ (cho recheck, admit, refuse)")
        parser.add_argument("--batch", help="mã lô (cho resume)")
        reason = "lý do, được ghi vào nhật ký (bắt buộc cho admit và refuse, nên ghi cho resume)"
        parser.add_argument("--reason", default="", help=reason)

    def handle(self, *args: Any, what: str, batch: str | None, reason: str, record: int | None, **options: Any) -> None:
        match what:
            case "status":
                self.stdout.write(json.dumps(queries.status(), ensure_ascii=False, indent=2))
            case "drain":
                self.stdout.write(json.dumps(housekeeping.drain(), ensure_ascii=False))
            case "held":
                for row in disputes.held_records().values_list("pk", "batch_id", "checked_at"):
                    self.stdout.write("  ".join(map(str, row)))
            case "recheck" | "admit" | "refuse":
                self._dispute(what, record, reason)
            case _:
                self._resume(batch, reason)

    def _dispute(self, what: str, record_id: int | None, reason: str) -> None:
        record = Record.objects.filter(pk=record_id or 0).select_related("batch__school").first()
        if record is None:
            raise CommandError("Hãy ghi số của một học bạ.")
        now = timezone.now()
        try:
            if what == "recheck" and disputes.is_unchecked(record):
                self._recheck_apart(record)
                return
            match what:
                case "admit":
                    disputes.let_through(record=record, by=None, reason=reason, now=now)
                case "refuse":
                    disputes.refuse(record=record, by=None, reason=reason, now=now)
                case _:
                    done = disputes.recheck(record=record, actor=None, now=now)
                    self.stdout.write(f"fast: {done.first.indication} {done.first.code}")
                    self.stdout.write(f"second: {done.second.indication} {done.second.code}")
                    self.stdout.write("Hai bộ kiểm tra thống nhất." if done.agree else "BẤT ĐỒNG: học bạ được giữ lại.")
        except disputes.DisputeRefused as refusal:
            raise CommandError(f"{refusal.message} ({refusal.code})") from None

    def _recheck_apart(self, record: Record) -> None:
        outcome = rechecking.recheck(record=record, actor=None, now=timezone.now())
        if outcome not in rechecking.ENDED:
            raise CommandError(f"{rechecking.SENTENCES[outcome]} ({outcome})")
        self.stdout.write(f"{outcome}: {rechecking.SENTENCES[outcome]}")

    def _resume(self, batch: str | None, reason: str) -> None:
        found = Batch.objects.filter(id=batch).first() if batch else None
        if found is None:
            raise CommandError("Hãy ghi --batch là mã một lô đã được để riêng.")
        done = processing.resume(batch=found, actor=None, reason=reason, now=timezone.now())
        self.stdout.write("Lô sẽ được xử lý tiếp." if done else "Lô này không bị để riêng.")
