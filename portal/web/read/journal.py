"""Entries of the journal in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.audit.models import Entry

ACTIONS: Mapping[str, str] = {
    "user.signed_in": gettext_noop("Đăng nhập"),
    "user.signed_out": gettext_noop("Đăng xuất"),
    "user.password_changed": gettext_noop("Đổi mật khẩu"),
    "batch.received": gettext_noop("Nộp lô học bạ"),
    "batch.read": gettext_noop("Xem lô học bạ"),
    "batch.findings_exported": gettext_noop("Tải danh sách lỗi của lô"),
    "record.read": gettext_noop("Xem học bạ"),
    "record.searched": gettext_noop("Tra cứu học bạ"),
    "recall.requested": gettext_noop("Đề nghị thu hồi"),
    "recall.approved": gettext_noop("Duyệt thu hồi"),
    "recall.declined": gettext_noop("Từ chối thu hồi"),
    "certificate.requested": gettext_noop("Đăng ký chứng thư số"),
    "certificate.approved": gettext_noop("Duyệt chứng thư số"),
    "certificate.declined": gettext_noop("Từ chối chứng thư số"),
    "certificate.withdrawn": gettext_noop("Thu hồi quyền dùng chứng thư số"),
    "submission.held": gettext_noop("Tạm giữ gói"),
    "submission.released": gettext_noop("Thả gói"),
    "submission.hastened": gettext_noop("Cho gói đi ngay"),
    "submission.resend_permitted": gettext_noop("Cho gửi lại gói"),
}


@dataclass(frozen=True)
class Told:
    entry: Entry
    what: str
    school: str
    detail: str


def told(entry: Entry, schools: Mapping[int, str]) -> Told:
    known = ACTIONS.get(entry.action)
    return Told(
        entry=entry,
        what=_(known) if known else entry.action,
        school=schools.get(entry.school_id or 0, ""),
        detail=", ".join(f"{key}: {value}" for key, value in entry.detail.items()),
    )
