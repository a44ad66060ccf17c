"""The outbox as an officer reads it: who moves next, when, and what an officer may do about it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from gateway.models import Receipt, Submission
from gateway.states import SubmissionKind, SubmissionState
from portal.web.formats import moment, span
from portal.web.read.package import with_still_here

SHOWN_BYTES = 200_000


@dataclass(frozen=True)
class StateLine:
    """One state of the outbox: how many stand there, since when the oldest."""

    state: str
    label: str
    number: int
    items: int
    oldest: str
    whose_move: str


_MOVES = {
    SubmissionState.QUEUED: gettext_noop("Cổng: gửi khi đến lượt"),
    SubmissionState.SENDING: gettext_noop("Cổng: đang gửi"),
    SubmissionState.UNCERTAIN: gettext_noop("Cổng: hỏi Bộ xem gói đã tới chưa"),
    SubmissionState.ACKNOWLEDGED: gettext_noop("Bộ: xét từng học bạ; cổng hỏi kết quả theo lịch"),
    SubmissionState.ANSWERED: gettext_noop("Không ai: đã xong"),
    SubmissionState.REFUSED: gettext_noop("Sở: các học bạ được đóng vào gói khác"),
    SubmissionState.HELD: gettext_noop("Sở: cán bộ thả ra để đi tiếp"),
}


def state_lines() -> list[StateLine]:
    rows = Submission.objects.order_by().values("state").annotate(n=Count("pk"), oldest=Min("enqueued_at"))
    found = {row["state"]: row for row in rows}
    items = dict(Submission.objects.order_by().values_list("state").annotate(n=Count("items")))
    now = timezone.now()
    return [
        StateLine(
            state=state.value,
            label=str(state.label),
            number=found[state.value]["n"] if state.value in found else 0,
            items=items.get(state.value, 0),
            oldest=span(now - found[state.value]["oldest"]) if state.value in found else "—",
            whose_move=_(_MOVES[state]),
        )
        for state in SubmissionState
    ]


def listed(state: str) -> QuerySet[Submission]:
    """Submissions of one state, or all that are not finished yet, oldest first; finished ones newest first. A refused
    package is finished once each of its records went into another one or was refused by name."""
    rows = with_still_here(Submission.objects.select_related("endpoint"))
    if state in SubmissionState.values:
        finished = state in (SubmissionState.ANSWERED, SubmissionState.REFUSED)
        return rows.filter(state=state).order_by("-enqueued_at" if finished else "enqueued_at")
    open_ = ~Q(state__in=[SubmissionState.ANSWERED, SubmissionState.REFUSED])
    return rows.filter(open_ | Q(state=SubmissionState.REFUSED, is_open=True)).order_by("enqueued_at")


_NEXT = {
    SubmissionState.QUEUED: gettext_noop("Cổng gửi lúc %(at)s."),
    SubmissionState.SENDING: gettext_noop(
        "Một tiến trình đang gửi; nếu nó dừng giữa chừng, sau %(lease)s cổng sẽ hỏi Bộ."
    ),
    SubmissionState.UNCERTAIN: gettext_noop(
        "Chưa rõ gói đã tới chưa: cổng hỏi Bộ lúc %(at)s và không gửi lại khi chưa có câu trả lời."
    ),
    SubmissionState.ACKNOWLEDGED: gettext_noop("Bộ đã nhận gói; cổng hỏi kết quả lúc %(at)s."),
    SubmissionState.ANSWERED: gettext_noop("Đã có kết quả cho mọi học bạ; cổng không còn việc gì với gói này."),
    SubmissionState.REFUSED: gettext_noop("Bộ từ chối cả gói; các học bạ trở về hàng chờ và được đóng vào gói khác."),
    SubmissionState.HELD: gettext_noop("Cán bộ đang giữ gói; gói đứng yên cho đến khi được thả."),
}


_REFUSED = {
    "DONE": gettext_noop("Không còn việc gì với gói này: từng học bạ đã sang gói khác hoặc đã có kết quả riêng."),
    "SEAL": gettext_noop(
        "Bộ không nhận chữ ký của Sở. Các học bạ đứng chờ; sau khi gỡ nguyên nhân và bấm Cho chạy lại ở trang "
        "Đường truyền, cổng đóng gói và ký lại."
    ),
    SubmissionKind.CERTIFICATE: gettext_noop(
        "Bộ từ chối đăng ký chứng thư này. Xem lý do, sửa rồi gửi đăng ký lại ở trang Đường truyền."
    ),
    SubmissionKind.RECALL: gettext_noop("Bộ từ chối cả gói; các đề nghị thu hồi được đóng vào gói khác."),
}


def what_next(row: Submission, *, is_paused: bool, silent: str = "") -> str:
    """What happens next with a submission, in a sentence. `silent`: why nothing new may leave at this hour, if so."""
    if is_paused and row.next_attempt_at is not None:
        return _("Chờ đường truyền thông trở lại; gói được giữ nguyên và tự đi tiếp.")
    if silent and row.state == SubmissionState.QUEUED:
        return _("Chờ hết giờ không gửi; gói được giữ nguyên và tự đi theo thứ tự.")
    if row.state == SubmissionState.REFUSED:
        return _(_after_refusal(row))
    return _(_NEXT[SubmissionState(row.state)]) % {"at": moment(row.next_attempt_at), "lease": moment(row.lease_until)}


def _after_refusal(row: Submission) -> str:
    if row.kind == SubmissionKind.CERTIFICATE:
        return _REFUSED[SubmissionKind.CERTIFICATE]
    if not getattr(row, "is_open", True):
        return _REFUSED["DONE"]
    if row.kind == SubmissionKind.RECALL:
        return _REFUSED[SubmissionKind.RECALL]
    return _REFUSED["SEAL"] if row.reason_code.startswith("SEAL") else _NEXT[SubmissionState.REFUSED]


@dataclass(frozen=True)
class ReceiptText:
    """An answer of the Ministry, raw, as text."""

    receipt: Receipt
    text: str


def receipts_of(row: Submission) -> list[ReceiptText]:
    return [ReceiptText(r, unpacked(bytes(r.body))) for r in row.receipts.order_by("id")[:50]]


def unpacked(body: bytes) -> str:
    """A raw answer (zlib) as text, its first part where it is long."""
    try:
        return zlib.decompressobj().decompress(body, SHOWN_BYTES).decode("utf-8", "replace")
    except zlib.error:
        return "?"
