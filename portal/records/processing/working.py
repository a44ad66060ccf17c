"""The work on one claimed batch: open it, judge its records chunk by chunk, finish it.

After a kill the next worker goes on at the first position that has no row: no record twice, none lost, and one bad
record never stops the others. A file that kills its workers is suspected after attempts in vain: then records go one
by one, the suspect has a trial of its own, and only one that is convicted there is held for an officer.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import BinaryIO
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from gateway import failpoints
from gateway.backoff import retry_delay
from portal.audit import journal
from portal.records import content, nudge
from portal.records.admission import opening
from portal.records.admission.court import court_for
from portal.records.admission.judging import Court, Judged, judge, judge_damaged, judge_killing
from portal.records.admission.opening import BatchUnreadable, RawRecord, Walk
from portal.records.conf import conf
from portal.records.content import ContentDamaged, laid_out
from portal.records.models import Batch, Record
from portal.records.processing import claiming, storing, trial
from portal.records.processing.claiming import Claim, LostBatch
from portal.records.processing.unpacking import open_up
from portal.records.states import BatchState, FileKind, RecordState
from portal.schools import revocation

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
_MOST_NAMED = 500


def process_due(*, clock: Clock = timezone.now, until: datetime | None = None, limit: int = 50) -> int:
    """Process what waits, oldest first, until the time is up; the number of batches worked on."""
    done = 0
    claiming.wake(now=clock())
    for batch_id in claiming.waiting(now=clock(), limit=limit):
        if until is not None and clock() >= until:
            break
        done += process_batch(batch_id=batch_id, clock=clock, until=until)
    return done


def process_batch(*, batch_id: UUID, clock: Clock = timezone.now, until: datetime | None = None) -> bool:
    """Go on with one batch where its rows stand; False when another worker has it or nothing is to be done."""
    with claiming.claimed(batch_id, now=clock()) as claim:
        if claim is None:
            return False
        try:
            _work(claim, clock=clock, until=until)
        except ContentDamaged:
            claiming.set_aside(claim, "CONTENT_DAMAGED", now=clock())
        except LostBatch:
            logger.warning("batch_taken_over batch=%s attempt=%s", batch_id, claim.attempt)
        except (OperationalError, InterfaceError):
            _step_back(claim, now=clock(), may_give_up=False)
            raise
        except Exception:
            # A trouble of ours (settings), not of the file: it must not spin, and must not count against it.
            _step_back(claim, now=clock())
            raise
        return True


def _step_back(claim: Claim, *, now: datetime, may_give_up: bool = True) -> None:
    batch = claim.batch
    if may_give_up and batch.attempts_in_vain > conf().attempts_before_giving_up:
        claiming.set_aside(claim, "PROCESSING_CRASHED", now=now)
    else:
        base, longest = (5, 600) if may_give_up else (1, 30)  # a database that is away is back soon
        wait = timedelta(seconds=min(base * 2**batch.attempts_in_vain, longest))
        Batch.objects.filter(id=batch.id, attempts_made=claim.attempt).update(next_check_at=now + wait)


def _work(claim: Claim, *, clock: Clock, until: datetime | None) -> None:
    batch = claim.batch
    _keep_distance(claim, now=clock())
    if batch.state == BatchState.RECEIVED and _is_guilty(claim, None):
        claiming.set_aside(claim, "OPENING_CRASHED", now=clock())
        return
    patience = _patience(batch)
    with laid_out(batch.content) as file:
        if batch.state == BatchState.RECEIVED and not _open(claim, file, patience, now=clock()):
            return
        court = court_for(batch, now=clock())
        if _judge_new(claim, court, file, patience, clock=clock, until=until):
            _judge_waiting(claim, court, patience, now=clock())
            _finish(claim, court, patience, now=clock())


@dataclass(frozen=True, slots=True)
class _Patience:
    """How this attempt waits if evidence is away: the pause, and the mark from before any evidence was looked at."""

    pause: timedelta
    mark: revocation.Mark

    def wait(self, claim: Claim, missing: Collection[str], *, now: datetime) -> None:
        claim.write(
            next_check_at=now + self.pause, rechecks=claim.batch.rechecks + 1, evidence_mark=self.mark.lists,
            answers_mark=self.mark.answers, attempts_in_vain=0, lease_until=None,
            # So many would make the row heavy, and nearly any news would concern one of them.
            waits_for=sorted(missing) if 0 < len(missing) <= _MOST_NAMED else None,
        )  # fmt: skip


def _chance(batch: Batch) -> Random:
    """Spreads batches and tries, and is the same again for the same try: nothing here asks for real randomness."""
    return Random(f"{batch.id}:{batch.rechecks}")  # noqa: S311 - a pause is no secret


def _patience(batch: Batch) -> _Patience:
    first, longest = conf().recheck_seconds, conf().recheck_longest_seconds
    pause = retry_delay(batch.rechecks + 1, first=first, longest=longest, rng=_chance(batch))
    return _Patience(timedelta(seconds=pause), revocation.mark())


def _open(claim: Claim, file: BinaryIO, patience: _Patience, *, now: datetime) -> bool:
    """RECEIVED → OPENED, or REFUSED as a whole. Counts the records; none is judged before the file proved whole."""
    batch, walk = claim.batch, Walk()
    try:
        count, report = open_up(batch, file, walk, now=now)
    except BatchUnreadable as refusal:
        _refuse(claim, refusal, walk, now=now)
        return False
    if report is not None and report.try_later:
        patience.wait(claim, walk.missing, now=now)
        return False
    claim.write(
        state=BatchState.OPENED, opened_at=now, record_count=count, remarks=walk.remarks, next_check_at=None,
        seal_report=report.to_json() if report else None, attempts_in_vain=0, rechecks=0,
        waits_for=None,
    )  # fmt: skip
    return True


def _refuse(claim: Claim, refusal: BatchUnreadable, walk: Walk, *, now: datetime) -> None:
    with transaction.atomic():
        claim.write(
            state=BatchState.REFUSED, refusal_code=refusal.code[:40], refusal=refusal.message, processed_at=now,
            remarks=walk.remarks, lease_until=None, next_check_at=None,
        )  # fmt: skip
        journal.record(
            action="batch.refused", now=now, subject=("batch", claim.batch.id), school_id=claim.batch.school_id,
            detail={"code": refusal.code},
        )  # fmt: skip


def _judge_new(
    claim: Claim, court: Court, file: BinaryIO, patience: _Patience, *, clock: Clock, until: datetime | None
) -> bool:
    """Judge every record that has no row yet; False when the time was up before the end."""
    batch = claim.batch
    done = storing.positions_done(batch.id)
    records = islice(opening.raw_records(FileKind(batch.file_kind), file, Walk()), done, None)
    for chunk in _chunks(records, singly=_goes_singly(claim)):
        guilty = _is_guilty(claim, chunk[0].position)
        judged = [judge_killing(raw) if guilty else judge(raw, court) for raw in chunk]
        court.keep_evidence(now=clock())
        failpoints.reach("P6")
        now = clock()
        storing.store(batch=batch, judged=judged, now=now, hold=claim.hold, recheck_at=now + patience.pause)
        failpoints.reach("P7")
        done += len(chunk)
        if done != batch.record_count and until is not None and clock() >= until:
            claim.write(lease_until=None)
            nudge.send(nudge.PROCESS, batch_id=str(batch.id))
            return False
    if done != batch.record_count:
        raise RuntimeError("a batch gave another number of records than when it was opened")
    return True


def _goes_singly(claim: Claim) -> bool:
    return claim.batch.attempts_in_vain > conf().attempts_before_singles


def _is_guilty(claim: Claim, position: int | None) -> bool:
    """Whether the next piece of work kills its process; asked only where attempts in vain make it suspicious."""
    batch = claim.batch
    if batch.attempts_in_vain <= conf().attempts_before_trial:
        return False
    if trial.convicted(batch_id=batch.id, position=position, renew=claim.renew):
        logger.error("convicted batch=%s position=%s", batch.id, position)
        return True
    return False


def _keep_distance(claim: Claim, *, now: datetime) -> None:
    """Whatever kills again and again without a culprit lets its neighbours go first: the next attempt waits longer."""
    more = claim.batch.attempts_in_vain - conf().attempts_before_waiting
    if more > 0:
        claim.write(next_check_at=now + timedelta(seconds=min(2**more, 60)))


def _chunks(records: Iterator[RawRecord], *, singly: bool) -> Iterator[list[RawRecord]]:
    """Runs of records, bounded in number and in bytes; one by one where a record is suspected of killing its worker."""
    most, most_bytes = (1, 0) if singly else (conf().chunk_records, conf().chunk_bytes)
    chunk: list[RawRecord] = []
    weight = 0
    for raw in records:
        chunk.append(raw)
        weight += len(raw.data)
        if len(chunk) >= most or weight >= most_bytes:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _judge_waiting(claim: Claim, court: Court, patience: _Patience, *, now: datetime) -> None:
    """Judge again what had to wait for evidence that was away; not what this very attempt found wanting."""
    if not claim.batch.rechecks:
        return
    waiting = Record.objects.filter(batch=claim.batch, state=RecordState.RECEIVED, next_check_at__isnull=False)
    done = 0
    most = 1 if _goes_singly(claim) else conf().chunk_records
    while True:
        rest = waiting.filter(position__gt=done).order_by("position")
        rows = list(rest.values_list("position", "source", "data", "sha256")[:most])
        if not rows:
            return
        guilty = _is_guilty(claim, rows[0][0])
        judged = [
            _judge_stored(position, source, bytes(data), bytes(sha256), court=court, guilty=guilty)
            for position, source, data, sha256 in rows
        ]
        court.keep_evidence(now=now)
        storing.store_again(batch=claim.batch, judged=judged, now=now, hold=claim.hold, recheck_at=now + patience.pause)
        done = rows[-1][0]


def _judge_stored(position: int, source: str, data: bytes, sha256: bytes, *, court: Court, guilty: bool) -> Judged:
    """A record from its own row: damage there is ours and never a fault of the record."""
    try:
        raw = RawRecord(position, source, content.whole(data, sha256))
    except ContentDamaged:
        return judge_damaged(RawRecord(position, source, b""))
    return judge_killing(raw) if guilty else judge(raw, court)


def _finish(claim: Claim, court: Court, patience: _Patience, *, now: datetime) -> None:
    """OPENED → PROCESSED once every record is judged; else come back after a pause, or when evidence comes."""
    batch = claim.batch
    if Record.objects.filter(batch=batch, state=RecordState.RECEIVED, next_check_at__isnull=False).exists():
        patience.wait(claim, court.missing, now=now)
        return
    with transaction.atomic():
        claim.write(
            state=BatchState.PROCESSED, processed_at=now, lease_until=None, next_check_at=None, rechecks=0,
            waits_for=None,
        )  # fmt: skip
        batch.refresh_from_db(fields=["admitted_count", "refused_count"])
        journal.record(
            action="batch.processed", now=now, subject=("batch", batch.id), school_id=batch.school_id,
            detail={"records": batch.record_count, "admitted": batch.admitted_count, "refused": batch.refused_count},
        )  # fmt: skip
        nudge.after_commit(nudge.DISPATCH)
