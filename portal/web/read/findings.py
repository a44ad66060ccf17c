"""What is wrong with a record, in one shape for pages and files: our own findings and the Ministry's reasons.

Both say what, where, the value, why, what to do, and who must sign again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.records.models import Record
from portal.web.read.records import findings_of

ROLES: Mapping[str, str] = {
    "GVBM": gettext_noop("Giáo viên bộ môn"),
    "GVCN": gettext_noop("Giáo viên chủ nhiệm"),
    "CBQL": gettext_noop("Cán bộ quản lý"),
    "KY_PHAT_HANH": gettext_noop("Nhà trường (ký phát hành)"),
}


@dataclass(frozen=True)
class Complaint:
    """One thing to tell the school about one record."""

    source: str  # PORTAL or MINISTRY
    severity: str  # error or warning
    code: str
    what: str  # name of the field
    where: str  # path of tags, with the row's number
    value: str
    why: str
    advice: str
    signers: tuple[str, ...]


def complaints_of(record: Record) -> list[Complaint]:
    """Everything to be said about a record; what refuses it first."""
    return [*ministry_complaints(record), *(_ours(record))]


def _ours(record: Record) -> Iterable[Complaint]:
    for found in findings_of(record):
        row = _(", dòng %(n)s") % {"n": found.position} if found.position else ""
        yield Complaint(
            source="PORTAL",
            severity="error" if found.is_error else "warning",
            code=found.code,
            what=found.field_title,
            where=f"{found.field}{row}",
            value=found.value,
            why=found.message,
            advice=found.advice,
            signers=tuple(_(ROLES[role]) if role in ROLES else role for role in found.resign),
        )


def ministry_complaints(record: Record) -> list[Complaint]:
    """The Ministry's reasons for refusing a record, in its own words."""
    if record.item is None:
        return []
    return [_theirs(row) for row in record.item.errors or []]


def _theirs(row: Mapping[str, Any]) -> Complaint:
    code = str(row.get("code") or "")
    return Complaint(
        source="MINISTRY",
        severity="error",
        code=code,
        what=str(row.get("field") or ""),
        where="",
        value="",
        why=str(row.get("message") or code),
        advice=_("Sửa theo lý do của Bộ, tạo học bạ với mã tra cứu mới, ký lại đủ các chữ ký rồi nộp lại."),
        signers=tuple(_(role) for role in ROLES.values()),
    )


def signers_again(complaints: Iterable[Complaint]) -> list[str]:
    """Who must sign again when every error is corrected, in signing order."""
    named = {role for one in complaints if one.severity == "error" for role in one.signers}
    return [role for role in map(_, ROLES.values()) if role in named]
