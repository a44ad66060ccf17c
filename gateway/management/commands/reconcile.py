"""`manage.py reconcile`: our ledger against the Ministry's for a day, a school or a year, and the signed statement."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import conf, outbox, queries, reconciliation, session, statement
from signing.errors import SigningError


class Command(BaseCommand):
    help = (
        "Đối soát với Bộ theo ngày, theo đơn vị hoặc theo năm học; lập bảng kê có chữ ký. Dừng giữa chừng (Ctrl-C, "
        "đường truyền hỏng) thì bộ phận chạy nền làm tiếp từ chỗ đã dừng."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, help="một ngày, dạng 2026-06-01")
        parser.add_argument("--unit", help="chỉ một đơn vị (mã trường khi gửi thay trường)")
        parser.add_argument("--year", type=int, help="cả một năm học, theo năm đầu: 2025")
        parser.add_argument("--statement", type=Path, help="thư mục để ghi bảng kê của ngày (CSV, PDF, XML có chữ ký)")
        parser.add_argument("--json", action="store_true", help="kết quả dạng JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        day, unit, year, folder = options["day"], options["unit"], options["year"], options["statement"]
        if day is None and unit is None and year is None:
            raise CommandError("Phải nói đối soát gì: --day, --unit hoặc --year.")
        if folder is not None and day is None:
            raise CommandError("Bảng kê là của một ngày: thêm --day.")
        try:
            description = conf.endpoint()
        except conf.EndpointUnreadable as problem:
            raise CommandError(f"{problem.message} [{problem.code}]") from None
        now = outbox.database_now()
        since, until = reconciliation.period(day, description, now=now)
        comparison = reconciliation.ask_for(
            since=since, until=until, now=now, asked_by="manage.py", unit_code=unit, school_year=year
        )
        compared = reconciliation.work_on(comparison, client=session.client(), clock=outbox.database_now, budget=None)
        found: dict[str, object] = {
            "packages": compared.total,
            "asked": compared.asked,
            "unanswered": compared.unanswered,
            "new_discrepancies": compared.opened,
            "open_discrepancies": queries.open_discrepancies().count(),
            "finished": compared.ended_at is not None,
            "waiting_for": compared.waiting_for,
        }
        if folder is not None:
            found["files"] = _write(day, folder, description)
        self.stdout.write(
            json.dumps(found, ensure_ascii=False)
            if options["json"]
            else "\n".join(f"{name:<20}{value}" for name, value in found.items())
        )


def _write(day: date, folder: Path, description: conf.EndpointDescription) -> list[str]:
    try:
        made = statement.make(day, description, now=outbox.database_now())
    except SigningError as problem:
        raise CommandError(str(problem)) from None
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in statement.files(made).items():
        (folder / name).write_bytes(data)
        written.append(str(folder / name))
    return written
