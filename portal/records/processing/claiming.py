"""One worker at a time per batch: an advisory lock that dies with its connection, a lease, and a fence.

The lock lets another worker go on at once after a kill. The lease covers a lock that outlives its use (a stopped
process whose connection still stands). The fence, the number of the attempt, is checked inside every write, so
whoever was thought dead and wakes up writes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from gateway import failpoints
from portal.audit import journal
from portal.records.conf import conf
from portal.records.models import Batch
from portal.records.states import BatchState
from portal.schools import revocation

_LOCK = 0x4C6F
_LOOKED_AT = 500


class LostBatch(Exception):
    """Another worker has taken the batch over: this one must stop without writing."""


@dataclass(frozen=True)
class Claim:
    """A batch in one worker's hands; `attempt` is its fence."""

    batch: Batch
    attempt: int

    def hold(self) -> None:
        """Inside a transaction: lock the row, check the fence, renew the lease. Raises LostBatch."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE records_batch
                   SET attempts_in_vain = 0, next_check_at = NULL,
                       lease_until = clock_timestamp() + make_interval(secs => %s)
                 WHERE id = %s AND attempts_made = %s
                """,
                [conf().lease_seconds, self.batch.id, self.attempt],
            )
            if cursor.rowcount != 1:
                raise LostBatch
        self.batch.attempts_in_vain = 0

    def renew(self) -> None:
        """Renew the lease while nothing is written yet. Raises LostBatch."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE records_batch SET lease_until = clock_timestamp() + make_interval(secs => %s)
                 WHERE id = %s AND attempts_made = %s
                """,
                [conf().lease_seconds, self.batch.id, self.attempt],
            )
            if cursor.rowcount != 1:
                raise LostBatch

    def write(self, **values: Any) -> None:
        """Change the batch's row, under the fence. Raises LostBatch."""
        if not Batch.objects.filter(id=self.batch.id, attempts_made=self.attempt).update(**values):
            raise LostBatch
        for name, value in values.items():
            setattr(self.batch, name, value)


def waiting(*, now: datetime, limit: int) -> list[UUID]:
    """Batches that want work, oldest first; whether they are free only a claim can tell."""
    ready = Batch.objects.filter(
        Q(next_check_at__isnull=True) | Q(next_check_at__lte=now),
        state__in=[BatchState.RECEIVED, BatchState.OPENED],
        set_aside_at__isnull=True,
    )
    return list(ready.order_by("received_at").values_list("id", flat=True)[:limit])


@transaction.atomic
def wake(*, now: datetime) -> int:
    """Let batches go on now for whom evidence has come since their worker looked, the oldest first; how many.

    Never more at once than a portion, what was woken before and not yet done included: thousands wait their turn, and
    fresh hand-ins pass between them. Each is woken once for what came. A batch in a worker's hands is not touched: the
    mark that this worker noted before it looked tells afterwards.
    """
    mark = revocation.mark()
    asleep = Batch.objects.filter(
        state__in=[BatchState.RECEIVED, BatchState.OPENED], set_aside_at__isnull=True, rechecks__gt=0,
        attempts_in_vain=0,
    )  # fmt: skip
    unaware = asleep.filter(
        Q(evidence_mark__isnull=True) | Q(answers_mark__isnull=True)
        | ~Q(evidence_mark=mark.lists) | ~Q(answers_mark=mark.answers),
        next_check_at__gt=now,
    )  # fmt: skip
    # A row that is locked is being written by its worker, or woken by another look: the next look sees what it became.
    locked = unaware.order_by("received_at").select_for_update(skip_locked=True)
    rows = [
        _Sleeper(*row) for row in locked.values_list("id", "evidence_mark", "answers_mark", "waits_for")[:_LOOKED_AT]
    ]
    if not rows:
        return 0
    called, in_vain = _woken(rows)
    room = conf().wake_at_once - asleep.filter(next_check_at__lte=now).count()
    seen = {"evidence_mark": mark.lists, "answers_mark": mark.answers}
    Batch.objects.filter(id__in=in_vain).update(**seen)
    return Batch.objects.filter(id__in=called[: max(0, room)]).update(next_check_at=now, **seen)


@dataclass(frozen=True, slots=True)
class _Sleeper:
    """A batch that waits for evidence, and what its worker knew when it laid it down."""

    batch_id: UUID
    lists: int | None
    answers: int | None
    names: list[str] | None

    @property
    def knew(self) -> revocation.Mark:
        return revocation.Mark(self.lists or 0, self.answers or 0)


def _woken(rows: list[_Sleeper]) -> tuple[list[UUID], list[UUID]]:
    """Those for whom something came, and those for whom the news is none. Who says nothing is woken by anything."""
    earliest = revocation.Mark(min(row.knew.lists for row in rows), min(row.knew.answers for row in rows))
    news = revocation.news(since=earliest)
    called: list[UUID] = []
    in_vain: list[UUID] = []
    for row in rows:
        concerned = not row.names or row.answers is None or news.concerns(row.names, since=row.knew)
        (called if concerned else in_vain).append(row.batch_id)
    return called, in_vain


@contextmanager
def claimed(batch_id: UUID, *, now: datetime) -> Iterator[Claim | None]:
    """The batch for the time of the block; None when another worker has it or there is nothing to do."""
    key = int.from_bytes(batch_id.bytes[:4], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, key])
        alone: bool = cursor.fetchone()[0]
    try:
        claim = _claim(batch_id, alone=alone, now=now)
        if claim is not None:
            failpoints.reach("P5")
        yield claim
    finally:
        if alone:
            _unlock(key)


def set_aside(claim: Claim, code: str, *, now: datetime) -> None:
    """Stop working on a batch until an officer has looked; nothing of it is lost."""
    with transaction.atomic():
        claim.write(set_aside_at=now, set_aside_code=code, lease_until=None)
        journal.record(
            action="batch.set_aside", now=now, subject=("batch", claim.batch.id), school_id=claim.batch.school_id,
            detail={"code": code},
        )  # fmt: skip


@transaction.atomic
def resume(*, batch: Batch, actor: Any, reason: str, now: datetime) -> bool:
    """An officer lets a batch that was set aside go on."""
    changed = Batch.objects.filter(id=batch.id, set_aside_at__isnull=False).update(
        set_aside_at=None, set_aside_code="", attempts_in_vain=0, next_check_at=None
    )
    if changed:
        journal.record(
            action="batch.resumed", now=now, actor=actor, subject=("batch", batch.id), school_id=batch.school_id,
            reason=reason,
        )  # fmt: skip
    return bool(changed)


@transaction.atomic
def _claim(batch_id: UUID, *, alone: bool, now: datetime) -> Claim | None:
    """Take the batch. Whoever holds the lock need not wait for the lease: the former worker is dead or done.

    Who takes it and cannot even read it (a schema that is changing) has not taken it: that is no attempt in vain.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE records_batch
               SET attempts_made = attempts_made + 1, attempts_in_vain = attempts_in_vain + 1,
                   lease_until = clock_timestamp() + make_interval(secs => %s)
             WHERE id = %s AND state IN ('RECEIVED', 'OPENED') AND set_aside_at IS NULL
               AND (next_check_at IS NULL OR next_check_at <= %s)
               AND (%s OR lease_until < clock_timestamp())
            RETURNING attempts_made
            """,
            [conf().lease_seconds, batch_id, now, alone],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    # The fence comes from the statement that set it: read afterwards it might already be another worker's.
    return Claim(Batch.objects.select_related("school", "content").get(id=batch_id), row[0])


def _unlock(key: int) -> None:
    # A connection that was lost has let go of its locks by itself.
    if connection.is_usable():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, key])
