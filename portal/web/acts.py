"""Acts that pages pass on to the domain, with the domain's refusals as one kind of error for the views."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.records import disputes
from portal.records import recall as recalling
from portal.records.models import Recall, Record
from portal.records.processing import rechecking
from portal.records.states import RecallState
from portal.web.access import address_of, required_actor


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


def answer_refused_recall(request: HttpRequest, recall: Recall, *, again: bool, reason: str) -> str:
    """What becomes of a recall that the Ministry refused."""
    user, now = required_actor(request).user, timezone.now()
    try:
        if again:
            recalling.ask_again(recall=recall, decided_by=user, now=now, reason=reason)
        else:
            recalling.settle(recall=recall, decided_by=user, now=now, reason=reason)
    except recalling.RecallRefused as refusal:
        raise Refused(refusal.message) from None
    return _("Đề nghị thu hồi sẽ được gửi Bộ lần nữa.") if again else _("Đã đóng; bản thay thế được gửi đi.")


def recheck_held(request: HttpRequest, record: Record, reason: str) -> str:
    """Both engines look again; a disputed record stays held, whatever they say, until somebody decides."""
    user, now = required_actor(request).user, timezone.now()
    if not disputes.held_records().filter(pk=record.pk).exists():
        raise Refused(_("Học bạ này không bị giữ để cán bộ xem."))
    if disputes.is_unchecked(record):
        return _recheck_apart(request, record)
    try:
        done = disputes.recheck(record=record, actor=user, now=now, address=address_of(request))
    except disputes.DisputeRefused as refusal:
        raise Refused(refusal.message) from None
    found = {"first": done.first.code, "second": done.second.code}
    if done.agree:
        return _("Hai bộ kiểm tra nay thống nhất: %(first)s và %(second)s. Hãy quyết định.") % found
    return _("Hai bộ kiểm tra vẫn bất đồng: %(first)s và %(second)s.") % found


def _recheck_apart(request: HttpRequest, record: Record) -> str:
    """Tried in a process of its own, which it may kill; what comes out well takes the place of the finding."""
    user, now = required_actor(request).user, timezone.now()
    try:
        outcome = rechecking.recheck(record=record, actor=user, now=now, address=address_of(request))
    except disputes.DisputeRefused as refusal:
        raise Refused(refusal.message) from None
    if outcome not in rechecking.ENDED:
        raise Refused(rechecking.SENTENCES[outcome])
    return _(rechecking.SENTENCES[outcome])


def admit_held(request: HttpRequest, record: Record, reason: str) -> str:
    user, now = required_actor(request).user, timezone.now()
    try:
        done = disputes.let_through(record=record, by=user, reason=reason, now=now, address=address_of(request))
    except disputes.DisputeRefused as refusal:
        raise Refused(refusal.message) from None
    if done:
        return _("Đã cho học bạ đi tiếp.")
    return _("Đã ghi đề nghị cho qua. Cán bộ khác phải xác nhận thì học bạ mới đi tiếp.")


def refuse_held(request: HttpRequest, record: Record, reason: str) -> str:
    user, now = required_actor(request).user, timezone.now()
    try:
        disputes.refuse(record=record, by=user, reason=reason, now=now, address=address_of(request))
    except disputes.DisputeRefused as refusal:
        raise Refused(refusal.message) from None
    return _("Đã từ chối học bạ; trường sẽ thấy lý do.")
