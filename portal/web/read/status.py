"""Is the portal well: database, checking, sending. Counts and times only; safe for the public page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils.translation import gettext as _

from gateway.models import Submission
from gateway.states import SubmissionState
from portal.records.models import Batch
from portal.records.states import BatchState
from portal.web.formats import count, span
from portal.web.read.line import line_now

SLOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Check:
    title: str
    tone: str
    says: str


@dataclass(frozen=True)
class Health:
    at: datetime
    is_up: bool
    checks: list[Check]


def health(*, now: datetime) -> Health:
    try:
        checks = [_receiving(), _checking(now), _sending()]
    except DatabaseError:
        down = Check(
            _("Cơ sở dữ liệu"), "bad", _("Không trả lời. Cổng tạm thời không nhận được tệp; hãy thử lại sau ít phút.")
        )
        return Health(at=now, is_up=False, checks=[down])
    return Health(at=now, is_up=True, checks=checks)


def _receiving() -> Check:
    return Check(_("Nhận học bạ"), "good", _("Đang nhận."))


def _checking(now: datetime) -> Check:
    waiting = Batch.objects.filter(state__in=[BatchState.RECEIVED, BatchState.OPENED], set_aside_at__isnull=True)
    oldest = waiting.order_by("received_at").values_list("received_at", flat=True).first()
    if oldest is None:
        return Check(_("Kiểm tra học bạ"), "good", _("Không có lô nào đang chờ."))
    late = now - oldest > SLOW
    says = _("%(n)s lô đang chờ hoặc đang kiểm tra, lô cũ nhất nhận cách đây %(t)s.") % {
        "n": count(waiting.count()), "t": span(now - oldest),
    }  # fmt: skip
    return Check(_("Kiểm tra học bạ"), "warn" if late else "good", says)


def _sending() -> Check:
    line = line_now()
    waiting = Submission.objects.filter(state__in=[SubmissionState.QUEUED, SubmissionState.UNCERTAIN]).count()
    if line is not None and line.is_paused:
        says = _("Đường truyền tới Bộ đang tạm dừng; %(n)s gói được giữ nguyên và tự gửi khi thông.") % {
            "n": count(waiting)
        }
        return Check(_("Gửi Bộ"), "warn", says)
    return Check(_("Gửi Bộ"), "good", _("%(n)s gói đang chờ gửi.") % {"n": count(waiting)})
