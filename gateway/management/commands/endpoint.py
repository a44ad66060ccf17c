"""`manage.py endpoint check|pause|resume|forget-size|sheet|register-certificate|catalogues`: the line, by command."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone
from django.utils.module_loading import import_string

from gateway import circuit, conf, doctor, duties, outbox, registration, session, sizes, sync
from gateway.ministry.errors import MinistryError
from gateway.states import SubmissionState
from signing.errors import SigningError

_SIGNS = {"OK": "✔", "WARNING": "!", "FAILED": "✘", "NOT_RUN": "·"}


class Command(BaseCommand):
    # A description that cannot be read is told by the command itself, in one sentence.
    requires_system_checks = ()
    help = "Đường truyền tới kho của Bộ: khám, tạm dừng, cho chạy lại, in phiếu đăng ký."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("check", help="khám từng bước của đường truyền")
        pause = acts.add_parser("pause", help="tạm dừng gửi")
        pause.add_argument("--reason", required=True)
        acts.add_parser("resume", help="cho gửi lại")
        acts.add_parser("forget-size", help="quên cỡ gói từng bị Bộ từ chối (413): Bộ đã nâng giới hạn")
        acts.add_parser("sheet", help="phiếu đăng ký địa chỉ và chứng thư")
        register = acts.add_parser("register-certificate", help="đăng ký chứng thư ký số với Bộ (giao dịch 3, 4)")
        register.add_argument("--kind", required=True, help="mã kiểu chữ ký theo danh mục của Bộ")
        register.add_argument("--provider", required=True, help="mã nhà phát hành theo danh mục của Bộ")
        register.add_argument("--file", type=Path, help="tệp chứng thư; mặc định: chứng thư ký số của Sở")
        register.add_argument("--unit", default="", help="mã đơn vị; mặc định: mã của Sở")
        acts.add_parser("catalogues", help="hai danh mục của Bộ, lấy mới ngay bây giờ")
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
            case "register-certificate":
                self._register(description, options)
            case "catalogues":
                self._catalogues(description, options["json"])
            case "forget-size":
                found = {"changed": sizes.forget(circuit.row(description)), "refused_bytes": None}
                text = "Đã quên." if found["changed"] else "Không có gì để quên."
                self.stdout.write(json.dumps(found) if options["json"] else text)
            case act:
                self._switch(description, act, options.get("reason") or "", options["json"])

    def _check(self, description: conf.EndpointDescription, as_json: bool) -> None:
        findings = doctor.examine(description, now=self._now())
        if as_json:
            rows = [finding.to_json() for finding in findings]
            self.stdout.write(json.dumps({"healthy": doctor.healthy(findings), "steps": rows}, ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{_SIGNS[finding.outcome]} {finding.title}: {finding.detail}")
                if finding.cause:
                    self.stdout.write(f"    Có thể vì: {finding.cause}\n    Liên hệ: {finding.call}")
            self._conclude(findings, description.endpoint.contact)
        if not doctor.healthy(findings):
            sys.exit(1)

    def _conclude(self, findings: list[doctor.Finding], contact: str) -> None:
        """The last lines, where the eye is: what is broken first, and whom to call."""
        broken = next((one for one in findings if one.outcome == "FAILED"), None)
        if broken is None:
            doubts = sum(one.outcome == "WARNING" for one in findings)
            self.stdout.write("\nKết luận: đường truyền thông" + (f", {doubts} chỗ cần chú ý (!)." if doubts else "."))
            return
        self.stdout.write(f"\nKết luận: HỎNG ở “{broken.title}”. {broken.detail}\nGọi: {broken.call}.")
        if contact:
            self.stdout.write(f"Đầu mối của Bộ: {contact}")

    def _now(self) -> datetime:
        """The database's time; the machine's own when the database is away: the line is examined all the same."""
        try:
            return outbox.database_now()
        except DatabaseError:
            self.stderr.write("Cơ sở dữ liệu không trả lời: khám theo đồng hồ của máy này. Xem dịch vụ PostgreSQL.")
            return timezone.now()

    def _sheet(self, description: conf.EndpointDescription, as_json: bool) -> None:
        found = registration.sheet(description, now=self._now())
        if as_json:
            self.stdout.write(json.dumps(dataclasses.asdict(found), ensure_ascii=False, default=str))
            return
        for label, value in registration.sheet_rows(found):
            self.stdout.write(f"{label + ':':<28}{value}")

    def _switch(self, description: conf.EndpointDescription, act: str, reason: str, as_json: bool) -> None:
        now, row = outbox.database_now(), circuit.row(description)
        if act == "pause":
            changed = circuit.pause(row, "BY_OFFICER", reason, description=description, now=now, rng=sync.randomness())
        else:
            changed = circuit.resume(row, now=now)
        row.refresh_from_db()
        found = {"changed": changed, "state": row.state, "cause": row.cause}
        self.stdout.write(json.dumps(found, ensure_ascii=False) if as_json else f"{row}")

    def _register(self, description: conf.EndpointDescription, options: dict[str, Any]) -> None:
        try:
            path: Path | None = options["file"]
            data = path.read_bytes() if path else import_string(settings.GATEWAY_SEAL_CERTIFICATE)()
            submission = registration.register_certificate(
                description, data, kind=options["kind"], provider=options["provider"], unit_code=options["unit"],
                now=outbox.database_now(),
            )  # fmt: skip
        except registration.RegistrationRefused as problem:
            raise CommandError(f"{problem.message} [{problem.code}]") from None
        except (OSError, SigningError) as problem:
            raise CommandError(f"Không đọc được chứng thư: {problem}") from None
        found = {"submission": str(submission), "state": SubmissionState.QUEUED}
        text = f"Đã xếp hàng gửi đăng ký, mã giao dịch {submission}. Kết quả phê duyệt hiện ở hàng đợi."
        self.stdout.write(json.dumps(found) if options["json"] else text)

    def _catalogues(self, description: conf.EndpointDescription, as_json: bool) -> None:
        try:
            duties.catalogues(client=session.client(), now=outbox.database_now())
        except MinistryError as problem:
            raise CommandError(f"{problem.message} [{problem.code}]") from None
        found = circuit.row(description).catalogues
        if as_json:
            self.stdout.write(json.dumps(found, ensure_ascii=False))
            return
        for name in ("signature_kinds", "certificate_providers"):
            for entry in found.get(name, []):
                self.stdout.write(f"{name:<24}{entry.get('ma', '')}  {entry.get('ten', '')}")
