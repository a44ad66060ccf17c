"""The work on one claimed batch: open it, judge its records chunk by chunk, finish it.

After a kill the next worker goes on at the first position that has no row: no record twice, none lost, and one bad
record never stops the others. A file that kills its workers is found by attempts in vain: then records go one by
one, and the one that still kills is refused with CHECK_CRASHED.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO
from uuid import UUID

import zstandard
from django.db import transaction
from django.utils import timezone

from gateway import failpoints
from portal.audit import journal
from portal.records import nudge
from portal.records.admission import lists, opening
from portal.records.admission.court import court_for
from portal.records.admission.judging import Court, Judged, judge, judge_crashed
from portal.records.admission.opening import BatchUnreadable, RawRecord, Walk
from portal.records.conf import conf
from portal.records.content import ContentDamaged, laid_out
from portal.records.models import Batch, Record
from portal.records.processing import claiming, storing
from portal.records.processing.claiming import Claim, LostBatch
from portal.records.states import BatchState, Door, FileKind, RecordState

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def process_due(*, clock: Clock = timezone.now, until: datetime | None = None, limit: int = 50) -> int:
    """Process what waits, oldest first, until the time is up; the number of batches worked on."""
    done = 0
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
        except Exception:
            # A trouble of ours (settings, database), not of the file: it must not spin, and must not count against it.
            _step_back(claim, now=clock())
            raise
        return True


def _step_back(claim: Claim, *, now: datetime) -> None:
    batch = claim.batch
    if batch.attempts_in_vain > conf().attempts_before_giving_up:
        claiming.set_aside(claim, "PROCESSING_CRASHED", now=now)
    else:
        wait = timedelta(seconds=min(5 * 2**batch.attempts_in_vain, 600))
        Batch.objects.filter(id=batch.id, attempts_made=claim.attempt).update(next_check_at=now + wait)


def _work(claim: Claim, *, clock: Clock, until: datetime | None) -> None:
    batch = claim.batch
    if batch.state == BatchState.RECEIVED and batch.attempts_in_vain > conf().attempts_before_setting_aside:
        claiming.set_aside(claim, "OPENING_CRASHED", now=clock())
        return
    with laid_out(batch.content) as file:
        if batch.state == BatchState.RECEIVED and not _open(claim, file, now=clock()):
            return
        court = court_for(batch, now=clock())
        if _judge_new(claim, court, file, clock=clock, until=until):
            _judge_waiting(claim, court, now=clock())
            _finish(claim, now=clock())


def _open(claim: Claim, file: BinaryIO, *, now: datetime) -> bool:
    """RECEIVED → OPENED, or REFUSED as a whole. Counts the records; none is judged before the file proved whole."""
    batch, walk = claim.batch, Walk()
    sealed = batch.door == Door.EXCHANGE or conf().browser_requires_list_seal
    report = None
    try:
        count = sum(1 for _ in opening.raw_records(FileKind(batch.file_kind), file, walk, keep_lists=sealed))
        if count == 0:
            raise BatchUnreadable("NO_RECORDS", "Tệp không chứa học bạ (HOC_BA) nào. Hãy kiểm tra lại tệp rồi gửi lại.")
        if sealed:
            report = lists.verify_lists(walk.lists, school_id=batch.school_id, received_at=batch.received_at, now=now)
    except BatchUnreadable as refusal:
        _refuse(claim, refusal, walk, now=now)
        return False
    if report is not None and report.try_later:
        claim.write(next_check_at=now + timedelta(seconds=conf().recheck_seconds), attempts_in_vain=0)
        return False
    claim.write(
        state=BatchState.OPENED, opened_at=now, record_count=count, remarks=walk.remarks, next_check_at=None,
        seal_report=report.to_json() if report else None,
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


def _judge_new(claim: Claim, court: Court, file: BinaryIO, *, clock: Clock, until: datetime | None) -> bool:
    """Judge every record that has no row yet; False when the time was up before the end."""
    batch = claim.batch
    done = storing.positions_done(batch.id)
    records = islice(opening.raw_records(FileKind(batch.file_kind), file, Walk()), done, None)
    singly = batch.attempts_in_vain > conf().attempts_before_singles
    poisoned = batch.attempts_in_vain > conf().attempts_before_setting_aside
    for chunk in _chunks(records, singly=singly):
        judged = [judge_crashed(raw) for raw in chunk] if poisoned else [judge(raw, court) for raw in chunk]
        poisoned = False
        court.keep_evidence(now=clock())
        failpoints.reach("P6")
        storing.store(batch=batch, judged=judged, now=clock(), hold=claim.hold, recheck_at=_recheck_at(clock()))
        failpoints.reach("P7")
        done += len(chunk)
        if done != batch.record_count and until is not None and clock() >= until:
            claim.write(lease_until=None)
            nudge.send(nudge.PROCESS, batch_id=str(batch.id))
            return False
    if done != batch.record_count:
        raise RuntimeError("a batch gave another number of records than when it was opened")
    return True


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


def _judge_waiting(claim: Claim, court: Court, *, now: datetime) -> None:
    """Judge again what had to wait for evidence that was away."""
    due = Record.objects.filter(batch=claim.batch, state=RecordState.RECEIVED, next_check_at__lte=now)
    unpacker = zstandard.ZstdDecompressor()
    while True:
        rows = list(due.order_by("position").values_list("position", "source", "data")[: conf().chunk_records])
        if not rows:
            return
        judged: list[Judged] = [
            judge(RawRecord(position, source, unpacker.decompress(bytes(data))), court)
            for position, source, data in rows
        ]
        court.keep_evidence(now=now)
        storing.store_again(batch=claim.batch, judged=judged, now=now, hold=claim.hold, recheck_at=_recheck_at(now))


def _recheck_at(now: datetime) -> datetime:
    return now + timedelta(seconds=conf().recheck_seconds)


def _finish(claim: Claim, *, now: datetime) -> None:
    """OPENED → PROCESSED once every record is judged; else come back when the first one is due again."""
    batch = claim.batch
    waiting = Record.objects.filter(batch=batch, state=RecordState.RECEIVED).order_by("next_check_at")
    next_check_at = waiting.values_list("next_check_at", flat=True).first()
    if next_check_at is not None:
        claim.write(next_check_at=next_check_at, lease_until=None)
        return
    with transaction.atomic():
        claim.write(state=BatchState.PROCESSED, processed_at=now, lease_until=None, next_check_at=None)
        batch.refresh_from_db(fields=["admitted_count", "refused_count"])
        journal.record(
            action="batch.processed", now=now, subject=("batch", batch.id), school_id=batch.school_id,
            detail={"records": batch.record_count, "admitted": batch.admitted_count, "refused": batch.refused_count},
        )  # fmt: skip
        nudge.after_commit(nudge.DISPATCH)
