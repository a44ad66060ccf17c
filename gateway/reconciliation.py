"""Our ledger against theirs: asks the Ministry about each submission of a period and writes down every difference.

A comparison is a row that knows how far it has come. It is worked off package by package, by one worker at a time, for
as long as the caller allows; a dead worker or a paused line costs one question, and memory holds one package. A
difference stays one open row until a person closes it with a note; nothing here changes a verdict.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from gateway import notices, unforeseen
from gateway.conf import EndpointDescription
from gateway.differences import differences
from gateway.discrepancies import Difference, note
from gateway.ministry.client import Message, MinistryClient
from gateway.ministry.errors import Busy, LinkRefused, MinistryError, NotSent, PackageRefused
from gateway.models import Comparison, Discrepancy, Endpoint, Submission
from gateway.outbox import contradictions
from gateway.states import DiscrepancyKind, EndpointState, SubmissionKind, SubmissionState

_LEDGER = (SubmissionState.ACKNOWLEDGED, SubmissionState.ANSWERED, SubmissionState.REFUSED)
# Not the package's trouble but the line's: going on would only write down one unanswered question after another.
_OF_THE_LINE = (LinkRefused, NotSent, Busy)
# So often the same package may be answered with trouble of the line while the line works; then it is the package's own.
_WAITS: Final = 3

_NOTED_AT_ONCE: Final = 500
_EXPLAINED: Final = timedelta(days=7)
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NOON: Final = time_of_day(12)

Clock = Callable[[], datetime]


class _Answer(NamedTuple):
    """What differs and the answer that shows it; None where this package got no answer."""

    found: list[Difference] | None
    body: bytes = b""
    own_fault: bool = False


def ask_for(
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    asked_by: str = "",
    unit_code: str | None = None,
    school_year: int | None = None,
) -> Comparison:
    """Put a comparison down to be worked off. The same one twice, while the first still runs, is one."""
    scope = {"since": since, "unit_code": unit_code or "", "school_year": school_year}
    running = Comparison.objects.filter(**scope, asked_by=asked_by, ended_at__isnull=True).order_by("-pk").first()
    if running is not None:
        return running
    row = Comparison(**scope, until=until, asked_by=asked_by[:150], asked_at=now, next_at=now)
    row.total = _chosen(row).count()
    row.save()
    return row


def due(*, now: datetime) -> QuerySet[Comparison]:
    """Comparisons that may go on now, the oldest first."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return Comparison.objects.filter(free, ended_at__isnull=True, next_at__lte=now).order_by("pk")


def work_on(
    comparison: Comparison,
    *,
    client: MinistryClient,
    clock: Clock,
    budget: float | None,
    counts: Counter[str] | None = None,
) -> Comparison:
    """Go on with a comparison for `budget` seconds (None: to its end), unless another worker is at it. Mistakes of our
    own are added to `counts`."""
    started, lease = time.monotonic(), client.description.lease()
    held = clock() + lease
    if not due(now=clock()).filter(pk=comparison.pk).update(lease_until=held, waiting_for=""):
        return comparison
    while budget is None or time.monotonic() - started < budget:
        comparison.refresh_from_db()
        submission = _next(comparison)
        if submission is None:
            _end(comparison, held, endpoint=client.description.name, now=clock())
            break
        outcome, waits = _compare_one(client, submission), 0
        if isinstance(outcome, str):
            if comparison.waits < _WAITS or not _line_works(client):
                wait = timedelta(seconds=client.description.schedule.compare_retry_seconds)
                waits = min(comparison.waits + 1, _WAITS)
                _leave(comparison, held, next_at=clock() + wait, waiting_for=outcome[:60], waits=waits)
                break
            # Those behind it may be refused alike (a whole unit's): each of them waits once, and not so often again.
            outcome, waits = _Answer(None), _WAITS - 1
        if counts is not None and outcome.own_fault:
            counts["own_faults"] += 1
        new_lease = clock() + lease
        if not _keep(comparison, submission, outcome, held=held, new_lease=new_lease, now=clock(), waits=waits):
            break  # another worker took it over while we were waiting for an answer
        held = new_lease
    else:
        _leave(comparison, held, next_at=clock())
    comparison.refresh_from_db()
    return comparison


def reconcile(
    *,
    client: MinistryClient,
    since: datetime,
    until: datetime,
    now: datetime,
    unit_code: str | None = None,
    school_year: int | None = None,
) -> Comparison:
    """Ask for a comparison and work it off here and now, as far as the line lets us."""
    row = ask_for(since=since, until=until, now=now, asked_by="reconcile", unit_code=unit_code, school_year=school_year)
    return work_on(row, client=client, clock=lambda: now, budget=None)


def day_of(moment: datetime, description: EndpointDescription) -> tuple[datetime, datetime]:
    """The local day that `moment` lies in, from midnight to midnight."""
    midnight = moment.astimezone(ZoneInfo(description.sending.timezone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return midnight, midnight + timedelta(days=1)


def period(day: date | None, description: EndpointDescription, *, now: datetime) -> tuple[datetime, datetime]:
    """What a person means by a day: that local day; by none: everything up to now."""
    if day is None:
        return _EVER, now
    return day_of(datetime.combine(day, _NOON, ZoneInfo(description.sending.timezone)), description)


def note_overdue(late: QuerySet[Submission], *, now: datetime) -> int:
    """Packages whose answer is overdue, each once, so many at a time; one that a person has explained comes back after
    a week and not within the minute."""
    text = "Bộ đã nhận gói nhưng quá hạn chưa trả đủ kết quả; liên hệ đầu mối kỹ thuật của Bộ."
    known = Discrepancy.objects.filter(
        Q(closed_at__isnull=True) | Q(closed_at__gt=now - _EXPLAINED),
        submission=OuterRef("pk"),
        kind=DiscrepancyKind.OVERDUE,
    )
    fresh = late.filter(~Exists(known))[:_NOTED_AT_ONCE]
    return sum(note(one, Difference(DiscrepancyKind.OVERDUE, text, ours=one.state), now=now) for one in fresh)


def take(discrepancy_id: int, *, owner: str, now: datetime) -> bool:
    """Somebody takes a difference upon them, or hands it to another; True if it is open."""
    if not owner.strip():
        raise ValueError("a discrepancy is taken by somebody")
    return bool(
        Discrepancy.objects.filter(pk=discrepancy_id, closed_at__isnull=True).update(owner=owner[:150], owned_at=now)
    )


def close(discrepancy_id: int, *, by: str, closing_note: str, now: datetime) -> bool:
    """A person explains a difference away; True if it was open."""
    if not closing_note.strip():
        raise ValueError("a discrepancy is closed with a note")
    return bool(
        Discrepancy.objects.filter(pk=discrepancy_id, closed_at__isnull=True).update(
            closed_at=now, closed_by=by, closing_note=closing_note
        )
    )


def _chosen(row: Comparison) -> QuerySet[Submission]:
    chosen = Q(enqueued_at__gte=row.since, enqueued_at__lt=row.until)
    if not row.asked_by:
        # By night also what was received or closed that day, however long it had waited for the line.
        chosen |= Q(acknowledged_at__gte=row.since, acknowledged_at__lt=row.until)
        chosen |= Q(closed_at__gte=row.since, closed_at__lt=row.until)
    chosen &= Q(state__in=_LEDGER)
    chosen &= Q(kind__in=[SubmissionKind.RECORDS, SubmissionKind.RECALL])
    if row.unit_code:
        chosen &= Q(unit_code=row.unit_code)
    if row.school_year is not None:
        chosen &= Q(school_year=row.school_year)
    return Submission.objects.filter(chosen)


def _next(row: Comparison) -> Submission | None:
    """The next package in the order of enqueueing; an index look-up however many there are."""
    rest = _chosen(row).order_by("enqueued_at", "pk")
    if row.done_until is not None:
        rest = rest.filter(
            Q(enqueued_at__gt=row.done_until) | Q(enqueued_at=row.done_until, pk__gt=row.done_id),
            enqueued_at__gte=row.done_until,
        )
    return rest.first()


def _compare_one(client: MinistryClient, submission: Submission) -> _Answer | str:
    """The answer about this package; a code where the trouble is the line's."""
    message = Message(submission.pk, submission.unit_code, submission.school_year)
    try:
        answer, raw = client.look_up(message, recall=submission.kind == SubmissionKind.RECALL)
        found = differences(submission, answer, client.description)
    except _OF_THE_LINE as problem:
        return problem.code
    except PackageRefused as problem:
        return _Answer(contradictions.refused_now(submission, problem.code), problem.body)
    except MinistryError as problem:
        return _Answer(contradictions.of_something_else(submission, problem.code) or None, problem.body)
    except unforeseen.DATABASE_AWAY:
        raise
    except Exception as trouble:
        # Counted as unanswered: one answer that we stumble over must not end the comparison of all others.
        unforeseen.own_fault(trouble, during=f"comparison {submission.pk}")
        return _Answer(None, own_fault=True)
    return _Answer(found, raw.body)


def _line_works(client: MinistryClient) -> bool:
    """Whether the line as such is well: nobody has closed it, and a harmless question is answered."""
    if Endpoint.objects.filter(name=client.description.name, state=EndpointState.PAUSED).exists():
        return False
    try:
        client.probe()
    except MinistryError:
        return False
    except unforeseen.DATABASE_AWAY:
        raise
    except Exception as trouble:
        unforeseen.own_fault(trouble, during="probe of a comparison")
        return False
    return True


@transaction.atomic
def _keep(
    row: Comparison,
    submission: Submission,
    outcome: _Answer,
    *,
    held: datetime,
    new_lease: datetime,
    now: datetime,
    waits: int,
) -> bool:
    """The differences and the progress in one transaction, so that a repeated package is neither lost nor counted
    twice. False when the lease is somebody else's by now."""
    found = outcome.found
    mine = Comparison.objects.filter(pk=row.pk, lease_until=held).update(
        asked=F("asked") + int(found is not None),
        unanswered=F("unanswered") + int(found is None),
        done_until=submission.enqueued_at,
        done_id=submission.pk,
        lease_until=new_lease,
        waits=waits,
    )
    if not mine:
        return False
    opened = sum(note(submission, one, now=now, body=outcome.body) for one in found or [])
    if opened:
        Comparison.objects.filter(pk=row.pk).update(opened=F("opened") + opened)
    return True


@transaction.atomic
def _end(row: Comparison, held: datetime, *, endpoint: str, now: datetime) -> None:
    """People hear of a nightly comparison that found something, in the transaction that ends it: a worker that dies
    here leaves it to the next. Whoever asked for one looks at the page."""
    if _leave(row, held, next_at=None, ended_at=now) and row.opened and not row.asked_by:
        message = f"Đối soát thấy {row.opened} điểm khác với Bộ. Mở trang Đối soát để nhận xử lý."
        notices.tell(event="DISCREPANCIES", endpoint=endpoint, cause="RECONCILE", message=message)


def _leave(
    row: Comparison,
    held: datetime,
    *,
    next_at: datetime | None,
    ended_at: datetime | None = None,
    waiting_for: str = "",
    waits: int | None = None,
) -> bool:
    mine = Comparison.objects.filter(pk=row.pk, lease_until=held).update(
        lease_until=None,
        next_at=next_at,
        ended_at=ended_at,
        waiting_for=waiting_for,
        waits=F("waits") if waits is None else waits,
    )
    return bool(mine)
