"""What pages and commands may ask: frozen values about the queue, one submission, the line. Reads only.

Documents are never loaded here, raw receipts only one at a time; nothing names a school or a pupil.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from gateway import calendar, circuit, conf, outbox, sizes
from gateway.models import Attempt, Comparison, Discrepancy, Item, Receipt, Submission, SyncRun
from gateway.states import EndpointState, SubmissionState, Verdict


@dataclass(frozen=True, slots=True)
class EndpointView:
    """The line as a person needs to see it."""

    name: str
    title: str
    base_url: str
    state: str
    state_label: str
    cause: str
    cause_message: str
    paused_at: datetime | None
    next_probe_at: datetime | None
    not_before_at: datetime | None
    last_success_at: datetime | None
    sending_allowed: bool
    maintenance: str
    contact: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The queue at a glance."""

    by_state: Mapping[str, int]
    items_by_verdict: Mapping[str, int]
    waiting: int
    due: int
    oldest_waiting_at: datetime | None
    next_attempt_at: datetime | None
    overdue: int
    open_discrepancies: int
    endpoint: EndpointView


@dataclass(frozen=True, slots=True)
class SubmissionDetail:
    """One submission with everything that happened to it."""

    submission: Submission
    attempts: Sequence[Attempt]
    receipts: Sequence[Receipt]
    verdicts: Mapping[str, int]
    whose_move: str


_WHOSE_MOVE: dict[str, str] = {
    SubmissionState.QUEUED: "Cổng sẽ gửi vào giờ đã hẹn; không cần làm gì.",
    SubmissionState.SENDING: "Một tiến trình đang gửi.",
    SubmissionState.UNCERTAIN: (
        "Không rõ Bộ đã nhận hay chưa. Cổng hỏi Bộ theo mã giao dịch; chỉ khi Bộ trả lời “không có” "
        "mới gửi lại đúng gói cũ với mã cũ."
    ),
    SubmissionState.ACKNOWLEDGED: "Bộ đã nhận, chưa trả kết quả. Cổng tự hỏi lại.",
    SubmissionState.ANSWERED: "Đã có kết quả của mọi học bạ.",
    SubmissionState.REFUSED: "Bộ từ chối cả gói; các học bạ được đóng vào gói khác. Xem lý do.",
    SubmissionState.HELD: "Cán bộ đang giữ gói; bấm thả để gửi tiếp.",
}


def overview(*, now: datetime) -> Overview:
    """Counts for the queue page."""
    description = conf.endpoint()
    counts = outbox.status(now=now)
    verdicts = dict.fromkeys(Verdict.values, 0)
    verdicts |= dict(Item.objects.order_by().values_list("verdict").annotate(number=Count("pk")))
    patience = now - timedelta(seconds=description.polling.overdue_after_seconds)
    late = Submission.objects.filter(state=SubmissionState.ACKNOWLEDGED, acknowledged_at__lt=patience).count()
    waiting = (SubmissionState.QUEUED, SubmissionState.SENDING, SubmissionState.UNCERTAIN)
    return Overview(
        by_state=counts.by_state,
        items_by_verdict=verdicts,
        waiting=sum(counts.by_state[state] for state in waiting),
        due=counts.due,
        oldest_waiting_at=counts.oldest_waiting_at,
        next_attempt_at=counts.next_attempt_at,
        overdue=late,
        open_discrepancies=Discrepancy.objects.filter(closed_at__isnull=True).count(),
        endpoint=endpoint_state(now=now),
    )


def endpoint_state(*, now: datetime) -> EndpointView:
    """How the line is, and why it is paused when it is."""
    description = conf.endpoint()
    row = circuit.row(description)
    quiet = calendar.silence(description, now=now)
    return EndpointView(
        name=row.name,
        title=description.endpoint.title,
        base_url=description.endpoint.base_url,
        state=row.state,
        state_label=EndpointState(row.state).label,
        cause=row.cause,
        cause_message=row.cause_message,
        paused_at=row.paused_at,
        next_probe_at=row.next_probe_at,
        not_before_at=row.not_before_at if row.not_before_at and row.not_before_at > now else None,
        last_success_at=row.last_success_at,
        sending_allowed=quiet is None,
        maintenance=quiet.reason if quiet and quiet.code == "MAINTENANCE" else "",
        contact=description.endpoint.contact,
    )


def submissions(*, state: str = "", limit: int = 50, offset: int = 0) -> QuerySet[Submission]:
    """Submissions for the queue page, newest first."""
    chosen = Submission.objects.filter(state=state) if state else Submission.objects.all()
    return chosen.annotate(
        accepted=Count("items", filter=Q(items__verdict=Verdict.ACCEPTED)),
        rejected=Count("items", filter=Q(items__verdict=Verdict.REJECTED)),
    ).order_by("-enqueued_at")[offset : offset + limit]


def submission_detail(submission_id: UUID) -> SubmissionDetail | None:
    """One submission, its attempts (newest last) and its receipts without their bodies."""
    found = Submission.objects.filter(pk=submission_id).first()
    if found is None:
        return None
    verdicts = dict.fromkeys(Verdict.values, 0)
    verdicts |= dict(found.items.order_by().values_list("verdict").annotate(number=Count("pk")))
    return SubmissionDetail(
        submission=found,
        attempts=list(found.attempts.order_by("number")),
        receipts=list(found.receipts.defer("body").order_by("pk")),
        verdicts=verdicts,
        whose_move=_WHOSE_MOVE[found.state],
    )


def receipt_body(receipt_id: int) -> bytes | None:
    """A raw answer of the Ministry, for evidence."""
    body = Receipt.objects.filter(pk=receipt_id).values_list("body", flat=True).first()
    return None if body is None else zlib.decompress(bytes(body))


def size_limit() -> int:
    """How large a document may be: the description's limit, or less while a smaller one is remembered as refused."""
    return sizes.limit(conf.endpoint(), now=outbox.database_now())


def open_discrepancies() -> QuerySet[Discrepancy]:
    """What people still have to explain, newest first."""
    return Discrepancy.objects.filter(closed_at__isnull=True).select_related("submission").order_by("-found_at")


def comparisons(*, limit: int = 10) -> QuerySet[Comparison]:
    """The newest comparisons with the Ministry's ledger, and how far each has come."""
    return Comparison.objects.order_by("-pk")[:limit]


def latest_runs(*, limit: int = 50) -> QuerySet[SyncRun]:
    """The last runs of scheduled work."""
    return SyncRun.objects.order_by("-started_at")[:limit]
