"""Acts that pages pass on to the domain, with the domain's refusals as one kind of error for the views."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.records import recall as recalling
from portal.records.models import Recall, Record
from portal.records.states import RecallState
from portal.web.access import required_actor


class Refused(Exception):
    """The domain said no; `message` says why, in Vietnamese."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def request_recall(request: HttpRequest, record: Record, *, reason: str) -> str:
    """Ask for a withdrawal; the sentence says whether it holds at once or waits for the department."""
    user, now = required_actor(request).user, timezone.now()
    try:
        made = recalling.request(record=record, reason=reason, requested_by=user, now=now)
    except recalling.RecallRefused as refusal:
        raise Refused(refusal.message) from None
    if made.state == RecallState.REQUESTED:
        return _("Đã gửi đề nghị thu hồi. Năm học đã chốt nên Sở phải duyệt, rồi Bộ quyết định.")
    return _("Đã thu hồi học bạ. Học bạ thay thế phải có mã tra cứu mới.")


def decide_recall(request: HttpRequest, recall: Recall, *, approve: bool, decision: str) -> None:
    user, now = required_actor(request).user, timezone.now()
    try:
        if approve:
            recalling.approve(recall=recall, decided_by=user, decision=decision, now=now)
        else:
            recalling.decline(recall=recall, decided_by=user, decision=decision, now=now)
    except recalling.RecallRefused as refusal:
        raise Refused(refusal.message) from None
