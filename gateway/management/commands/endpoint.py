"""`manage.py endpoint check|pause|resume|sheet`: the connection doctor and the officer's hand on the line."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import circuit, conf, doctor, outbox, registration, sync

_SIGNS = {"OK": "✔", "WARNING": "!", "FAILED": "✘", "NOT_RUN": "·"}


class Command(BaseCommand):
    help = "Đường truyền tới kho của Bộ: khám, tạm dừng, cho chạy lại, in phiếu đăng ký."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("check", help="khám từng bước của đường truyền")
        pause = acts.add_parser("pause", help="tạm dừng gửi")
        pause.add_argument("--reason", required=True)
        acts.add_parser("resume", help="cho gửi lại")
        acts.add_parser("sheet", help="phiếu đăng ký địa chỉ và chứng thư")
        for act in acts.choices.values():
            act.add_argument("--json", action="store_true", help="kết quả dạng JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            description = conf.endpoint()
        except conf.EndpointUnreadable as problem:
            raise CommandError(f"{problem.message} [{problem.code}]") from None
        match options["act"]:
            case "check":
                self._check(description, options["json"])
            case "sheet":
                self._sheet(description, options["json"])
            case act:
                self._switch(description, act, options.get("reason") or "", options["json"])

    def _check(self, description: conf.EndpointDescription, as_json: bool) -> None:
        findings = doctor.examine(description, now=outbox.database_now())
        if as_json:
            rows = [finding.to_json() for finding in findings]
            self.stdout.write(json.dumps({"healthy": doctor.healthy(findings), "steps": rows}, ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{_SIGNS[finding.outcome]} {finding.title}: {finding.detail}")
                if finding.cause:
                    self.stdout.write(f"    Có thể vì: {finding.cause}\n    Liên hệ: {finding.call}")
        if not doctor.healthy(findings):
            sys.exit(1)

    def _sheet(self, description: conf.EndpointDescription, as_json: bool) -> None:
        found = dataclasses.asdict(registration.sheet(description, now=outbox.database_now()))
        rows = "\n".join(f"{key}: {value}" for key, value in found.items())
        self.stdout.write(json.dumps(found, ensure_ascii=False, default=str) if as_json else rows)

    def _switch(self, description: conf.EndpointDescription, act: str, reason: str, as_json: bool) -> None:
        now, row = outbox.database_now(), circuit.row(description)
        if act == "pause":
            changed = circuit.pause(row, "BY_OFFICER", reason, description=description, now=now, rng=sync.randomness())
        else:
            changed = circuit.resume(row, now=now)
        row.refresh_from_db()
        found = {"changed": changed, "state": row.state, "cause": row.cause}
        self.stdout.write(json.dumps(found, ensure_ascii=False) if as_json else f"{row}")
