"""Batches and how far their records are: only what the actor may see, counted by the database in one query.

Progress of delivery is read through record → item → submission; it is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import date

from django.db.models import Count, F, Q, QuerySet

from portal.accounts import policy
from portal.accounts.policy import Permission
from portal.records.models import Batch, Record
from portal.records.states import BatchState, RecordState
from portal.web.access import Actor

# The Ministry has confirmed that the package arrived.
ARRIVED = ("ACKNOWLEDGED", "ANSWERED")


@dataclass(frozen=True)
class Progress:
    """Where the records of some batches are. Each record is in exactly one of waiting, admitted, refused."""

    total: int
    waiting: int  # not checked yet
    admitted: int  # checked and good, wherever they are now
    refused: int
    dispatched: int  # packed, sealed, in the outbox
    arrived: int  # the Ministry has the package
    accepted: int
    rejected: int
    warned: int

    @property
    def judged(self) -> int:
        return self.accepted + self.rejected

    @property
    def outstanding(self) -> int:
        """Good records without the Ministry's verdict."""
        return self.admitted - self.judged

    @property
    def checked(self) -> int:
        return self.admitted + self.refused

    @property
    def fingerprint(self) -> str:
        return "-".join(str(n) for n in astuple(self))


def batches_of(actor: Actor) -> QuerySet[Batch]:
    """The batches this person may see: all for the department, one's own school's otherwise."""
    rows = policy.for_user(Batch.objects.select_related("school", "sender"), actor.user, Permission.SEE_BATCHES)
    return rows if actor.is_department else rows.filter(school=actor.school)


def counters() -> dict[str, Count]:
    """The counts of a `Progress`, for one sum or for grouping records by something."""
    good = Q(state__in=[RecordState.ADMITTED, RecordState.DISPATCHED])
    return {
        "total": Count("id"),
        "waiting": Count("id", filter=Q(state=RecordState.RECEIVED)),
        "admitted": Count("id", filter=good),
        "refused": Count("id", filter=Q(state=RecordState.REFUSED)),
        "dispatched": Count("id", filter=Q(state=RecordState.DISPATCHED)),
        "arrived": Count("id", filter=Q(item__submission__state__in=ARRIVED)),
        "accepted": Count("id", filter=Q(item__verdict="ACCEPTED")),
        "rejected": Count("id", filter=Q(item__verdict="REJECTED")),
        "warned": Count("id", filter=good & Q(warning_count__gt=0)),
    }


def progress_of(records: QuerySet[Record]) -> Progress:
    """Count some records by where they are."""
    return Progress(**records.aggregate(**counters()))


def progress_of_batch(batch: Batch) -> Progress:
    return progress_of(Record.objects.filter(batch=batch))


def is_finished(batch: Batch, progress: Progress) -> bool:
    """Nothing more will happen to this batch by itself."""
    if batch.set_aside_at is not None:
        return True
    return batch.state == BatchState.REFUSED or (batch.state == BatchState.PROCESSED and progress.outstanding == 0)


def with_verdicts(rows: QuerySet[Batch]) -> QuerySet[Batch]:
    """Add the Ministry's counts to each batch of a list."""
    return rows.annotate(
        accepted_count=Count("records", filter=Q(records__item__verdict="ACCEPTED")),
        rejected_count=Count("records", filter=Q(records__item__verdict="REJECTED")),
    )


def filtered(
    rows: QuerySet[Batch],
    *,
    state: str = "",
    school: str = "",
    from_on: date | None = None,
    until_on: date | None = None,
) -> QuerySet[Batch]:
    """Narrow a list of batches by what the filter form asked."""
    if state:
        rows = rows.filter(state=state)
    if school:
        rows = rows.filter(Q(school__code=school) | Q(school__former_code=school) | Q(school__name__icontains=school))
    if from_on:
        rows = rows.filter(received_at__date__gte=from_on)
    if until_on:
        rows = rows.filter(received_at__date__lte=until_on)
    return rows.order_by(F("received_at").desc(), "id")


def in_order(rows: Iterable[Batch]) -> list[Batch]:
    """One page of batches with the Ministry's counts, in the order given: counted for these rows only."""
    shown = list(rows)
    counted = with_verdicts(Batch.objects.select_related("school").order_by()).in_bulk([row.pk for row in shown])
    return [counted[row.pk] for row in shown]
