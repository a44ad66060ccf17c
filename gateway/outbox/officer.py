"""What an officer, or the endpoint's recovery, may do to the schedule: hold, release, requeue, release everything due,
postpone one, and put everything unsent in doubt after a restore.

Nothing here changes a document, and nothing permits a second sending while the fate of the first is unknown, save
`requeue(resend=True)`: the same bytes under the same message id, decided and named by a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, F, Min, Q

from gateway.models import Endpoint, Submission
from gateway.states import SUBMISSION, SubmissionState

_UNKNOWN_ATTEMPT: Final = """
INSERT INTO gateway_attempt (submission_id, number, purpose, worker, started_at, outcome, code, detail, ended_at)
SELECT id, attempts_made + 1, 'SEND', '', %(now)s, 'LEASE_EXPIRED', 'RESTORED',
       'Khôi phục từ bản sao: không biết gói đã được gửi sau lúc sao lưu hay chưa.', %(now)s
  FROM gateway_submission WHERE state = 'QUEUED' OR (state = 'HELD' AND held_from = 'QUEUED') FOR UPDATE
RETURNING submission_id
"""
# By the way of every attempt, SENDING and then UNCERTAIN: the database allows no other.
_INTO_DOUBT: Final = (
    """
UPDATE gateway_submission SET attempts_made = attempts_made + 1, first_sent_at = coalesce(first_sent_at, %(now)s),
    held_from = CASE WHEN state = 'HELD' THEN 'UNCERTAIN' ELSE '' END,
    lease_until = CASE WHEN state = 'HELD' THEN NULL ELSE %(now)s::timestamptz END,
    next_attempt_at = NULL, state = CASE WHEN state = 'HELD' THEN 'HELD' ELSE 'SENDING' END
 WHERE id = ANY(%(ids)s)
""",
    """
UPDATE gateway_submission SET state = 'UNCERTAIN', lease_until = NULL, next_attempt_at = %(now)s,
    reason_code = 'RESTORED',
    reason = 'Khôi phục từ bản sao: gói có thể đã tới Bộ sau lúc sao lưu nên phải hỏi Bộ trước khi gửi.'
 WHERE id = ANY(%(ids)s) AND state = 'SENDING'
""",
)


class ActRefused(Exception):
    """The submission is not in a state in which this may be done. Code: NOT_HOLDABLE, NOT_HELD, NOT_SCHEDULED,
    SUBMISSION_UNKNOWN."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Counts:
    """The outbox at a glance."""

    by_state: dict[str, int]
    due: int
    oldest_waiting_at: datetime | None
    next_attempt_at: datetime | None


def status(*, now: datetime) -> Counts:
    """How many stand where, how many are due, and since when the oldest waits."""
    by_state = dict.fromkeys(SubmissionState.values, 0)
    by_state |= dict(Submission.objects.values_list("state").annotate(number=Count("pk")).order_by())
    waiting = Submission.objects.filter(next_attempt_at__isnull=False)
    sums = waiting.aggregate(
        due=Count("pk", filter=Q(next_attempt_at__lte=now)),
        oldest=Min("enqueued_at", filter=~Q(state=SubmissionState.ACKNOWLEDGED)),
        soonest=Min("next_attempt_at"),
    )
    return Counts(by_state, sums["due"], sums["oldest"], sums["soonest"])


def hold(submission_id: UUID, *, reason: str, now: datetime) -> None:
    """Stop a submission that is waiting (QUEUED or UNCERTAIN). What is on the wire cannot be stopped."""
    with transaction.atomic():
        row = _locked(submission_id)
        if row.state not in (SubmissionState.QUEUED, SubmissionState.UNCERTAIN):
            raise ActRefused("NOT_HOLDABLE", f"Gói đang ở trạng thái “{row.get_state_display()}”, không giữ lại được.")
        row.held_from, row.reason_code, row.reason = row.state, "HELD_BY_OFFICER", reason
        row.state = SUBMISSION.check(row.state, SubmissionState.HELD)
        row.next_attempt_at = row.lease_until = None
        row.save(update_fields=["state", "held_from", "reason_code", "reason", "next_attempt_at", "lease_until"])


def release(submission_id: UUID, *, now: datetime) -> None:
    """Let a held submission go on from where it was stopped, at once."""
    with transaction.atomic():
        row = _locked(submission_id)
        if row.state != SubmissionState.HELD:
            raise ActRefused("NOT_HELD", "Gói không ở trạng thái tạm giữ.")
        row.state = SUBMISSION.check(row.state, row.held_from)
        row.held_from, row.reason_code, row.reason, row.next_attempt_at = "", "", "", now
        row.save(update_fields=["state", "held_from", "reason_code", "reason", "next_attempt_at"])


def requeue(submission_id: UUID, *, now: datetime, resend: bool = False) -> None:
    """Bring the next step forward to now. `resend`: an officer permits sending again although nobody could say
    whether the package arrived (same bytes, same message id)."""
    with transaction.atomic():
        row = _locked(submission_id)
        if row.next_attempt_at is None:
            raise ActRefused("NOT_SCHEDULED", f"Gói ở trạng thái “{row.get_state_display()}” không có việc chờ làm.")
        if resend and row.state == SubmissionState.UNCERTAIN:
            row.state = SUBMISSION.check(row.state, SubmissionState.QUEUED)
            row.reason_code, row.reason = "RESEND_BY_OFFICER", "Cán bộ cho gửi lại khi chưa rõ số phận."
        row.next_attempt_at, row.failures = now, 0
        row.save(update_fields=["state", "next_attempt_at", "failures", "reason_code", "reason"])


def after_restore(*, now: datetime) -> int:
    """The database comes from a copy: what looks unsent may have left since, so it is asked about before it is sent,
    and a refusal of it is no verdict unasked. Written as what it amounts to: an attempt whose end nobody knows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UNKNOWN_ATTEMPT, {"now": now})
        doubtful = [row[0] for row in cursor.fetchall()]
        for statement in _INTO_DOUBT:
            cursor.execute(statement, {"now": now, "ids": doubtful})
    return len(doubtful)


def release_all_due(*, endpoint: Endpoint, now: datetime) -> int:
    """The line is back: everything that waited because of it may go, in the order in which it was enqueued."""
    waiting = Submission.objects.filter(
        endpoint=endpoint,
        state__in=[SubmissionState.QUEUED, SubmissionState.UNCERTAIN, SubmissionState.ACKNOWLEDGED],
        failures__gt=0,
        lease_until__isnull=True,
    )
    moved = waiting.exclude(state=SubmissionState.ACKNOWLEDGED).update(next_attempt_at=F("enqueued_at"), failures=0)
    return moved + waiting.filter(state=SubmissionState.ACKNOWLEDGED).update(next_attempt_at=now, failures=0)


def postpone(submission_id: UUID, *, until: datetime) -> None:
    """This one waits although the line is back: each time it was tried the line closed, and others are to pass."""
    waiting = Submission.objects.filter(pk=submission_id, lease_until__isnull=True, next_attempt_at__lt=until)
    waiting.update(next_attempt_at=until)


def _locked(submission_id: UUID) -> Submission:
    try:
        return Submission.objects.select_for_update().get(pk=submission_id)
    except Submission.DoesNotExist:
        raise ActRefused("SUBMISSION_UNKNOWN", f"Không có gói {submission_id}.") from None
