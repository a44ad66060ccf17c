"""The stored file of one record and the stored verdict on its signatures, unpacked for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.records.models import Record
from portal.web.read.findings import ROLES

_REPORT_LIMIT = 8_000_000


def report_of(record: Record) -> Mapping[str, Any] | None:
    """`signing.Report` as JSON; None when no verification was reached."""
    if record.report is None:
        return None
    raw = zstandard.ZstdDecompressor().decompress(bytes(record.report), max_output_size=_REPORT_LIMIT)
    found: Mapping[str, Any] = json.loads(raw)
    return found


@dataclass(frozen=True)
class SignatureLine:
    """One signature as a clerk reads it."""

    role: str
    role_title: str
    signer: str
    cccd: str
    issuer: str
    serial: str
    signed_at: datetime | None
    indication: str
    verdict: str
    message: str
    warnings: tuple[str, ...]


# The eleven steps of the verification in a clerk's words; the report names them by code.
STEPS: Mapping[str, str] = {
    "parse": gettext_noop("Đọc tệp trong giới hạn an toàn"),
    "isolate": gettext_noop("Tách riêng một học bạ"),
    "ids": gettext_noop("Mã định danh (Id) không trùng nhau"),
    "places": gettext_noop("Đủ chữ ký, đúng chỗ, không thừa"),
    "references": gettext_noop("Chữ ký trỏ đúng phần phải ký"),
    "digest_and_value": gettext_noop("Nội dung không bị sửa sau khi ký"),
    "signing_time": gettext_noop("Thời điểm ký nằm trong phần được ký"),
    "signer": gettext_noop("Chứng thư đúng người, đúng vai trò"),
    "chain_and_revocation": gettext_noop("Chứng thư do nơi tin cậy cấp, còn hiệu lực lúc ký"),
    "order": gettext_noop("Thứ tự ký"),
    "signed_content": gettext_noop("Chỉ dùng dữ liệu đã được ký"),
}
STATUSES: Mapping[str, str] = {
    "PASSED": gettext_noop("Đạt"),
    "FAILED": gettext_noop("Không đạt"),
    "INDETERMINATE": gettext_noop("Chưa xác định"),
    "NOT_RUN": gettext_noop("Không chạy tới"),
}

_VERDICTS = {
    "TOTAL_PASSED": gettext_noop("Hợp lệ"),
    "TOTAL_FAILED": gettext_noop("Không hợp lệ"),
    "INDETERMINATE": gettext_noop("Chưa xác định được"),
}


def verdict_in_words(indication: str) -> str:
    """The standard's word for a verdict as a clerk says it."""
    return _(_VERDICTS[indication]) if indication in _VERDICTS else indication


def role_in_words(role: str) -> str:
    """Who signed, by role."""
    return _(ROLES[role]) if role in ROLES else role


def signature_lines(report: Mapping[str, Any] | None) -> list[SignatureLine]:
    return [_line(row) for row in (report or {}).get("signatures", [])]


def _line(row: Mapping[str, Any]) -> SignatureLine:
    stamp = row.get("signing_time")
    return SignatureLine(
        role=row["role"],
        role_title=role_in_words(row["role"]),
        signer=row.get("signer") or "",
        cccd=row.get("cccd") or "",
        issuer=row.get("issuer") or "",
        serial=row.get("serial") or "",
        signed_at=datetime.fromisoformat(stamp) if stamp else None,
        indication=row.get("indication") or "INDETERMINATE",
        verdict=_VERDICTS.get(row.get("indication") or "", _VERDICTS["INDETERMINATE"]),
        message=row.get("message") or "",
        warnings=tuple(w.get("message", "") for w in row.get("warnings", ())),
    )
