"""Writing the verdicts on a chunk of records: one COPY, a few set-based statements, one transaction.

The chunk is the unit of work, the record stays the unit of state. Everything a record needs later (its bytes, its
identity, findings, the report on its signatures) is written here and never again.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import zstandard
from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, UniqueViolation
from pydantic_core import to_json

from portal.records import disputes
from portal.records.admission import standing
from portal.records.admission.judging import Judged
from portal.records.models import Batch, Record
from portal.records.states import RecordState, Standing

_COLUMNS = (
    ("batch_id", "uuid"), ("position", "int4"), ("source", "varchar"), ("school_id", "int8"), ("state", "varchar"),
    ("standing", "varchar"), ("lookup_uuid", "uuid"), ("profile", "varchar"), ("level", "varchar"),
    ("grade", "varchar"), ("school_year", "varchar"), ("pupil_code", "varchar"), ("cccd", "varchar"),
    ("full_name", "varchar"), ("birth_on", "date"), ("class_name", "varchar"), ("data", "bytea"),
    ("data_size", "int4"), ("sha256", "bytea"), ("digest", "bytea"), ("findings", "jsonb"), ("error_count", "int2"),
    ("warning_count", "int2"), ("report", "bytea"), ("checked_at", "timestamptz"), ("next_check_at", "timestamptz"),
)  # fmt: skip
_COPY = f"COPY records_record ({', '.join(name for name, _ in _COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_TYPES = [kind for _, kind in _COLUMNS]
_RETRIES = 6


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of a chunk went which way."""

    admitted: int
    refused: int
    waiting: int


def positions_done(batch_id: UUID) -> int:
    """Records of the batch that have a row. Chunks are stored in order, so this is also the last position."""
    return Record.objects.filter(batch_id=batch_id).count()


def store(
    *, batch: Batch, judged: Sequence[Judged], now: datetime, hold: Callable[[], None], recheck_at: datetime
) -> Counts:
    """Insert one chunk. `hold` runs first inside the transaction: it checks that the batch is still ours."""

    def pick() -> Sequence[Judged]:
        hold()
        return judged

    def write(outcome: standing.Outcome) -> None:
        _insert(batch, outcome.judged, now, recheck_at)
        disputes.raise_alarms(batch=batch, judged=outcome.judged, now=now)

    return _settled(batch, pick, write)


def store_again(
    *, batch: Batch, judged: Sequence[Judged], now: datetime, hold: Callable[[], None], recheck_at: datetime
) -> Counts:
    """Write the verdicts on records that had waited for evidence and have a row already; not on what an officer's look
    has held meanwhile."""
    mine = Record.objects.filter(batch=batch, state=RecordState.RECEIVED, next_check_at__isnull=False)

    def pick() -> Sequence[Judged]:
        hold()
        rows = mine.filter(position__in=[one.raw.position for one in judged]).select_for_update().order_by("position")
        waiting = set(rows.values_list("position", flat=True))
        return [one for one in judged if one.raw.position in waiting]

    def write(outcome: standing.Outcome) -> None:
        for one in outcome.judged:
            row = _row(batch, one, now, recheck_at)
            changed = {name: row[name] for name in _VERDICT}
            mine.filter(position=one.raw.position).update(
                **changed, findings=[finding.to_json() for finding in one.findings]
            )
        disputes.raise_alarms(batch=batch, judged=outcome.judged, now=now)

    return _settled(batch, pick, write)


def store_held(
    *, batch: Batch, judged: Judged, now: datetime, hold: Callable[[], None], then: Callable[[Judged], None]
) -> Counts:
    """Write everything that is now known of one held record; its place and its bytes stay. `then` may add to it."""

    def pick() -> Sequence[Judged]:
        hold()
        return [judged]

    def write(outcome: standing.Outcome) -> None:
        [one] = outcome.judged
        row = _row(batch, one, now, now)
        changed = {name: value for name, value in row.items() if name not in _OF_THE_FILE}
        changed["findings"] = [finding.to_json() for finding in one.findings]
        Record.objects.filter(batch=batch, position=one.raw.position, state=RecordState.RECEIVED).update(**changed)
        disputes.raise_alarms(batch=batch, judged=[one], now=now)
        then(one)

    return _settled(batch, pick, write)


_OF_THE_FILE = ("batch_id", "position", "source", "school_id", "data", "data_size", "sha256")
_VERDICT = ("state", "standing", "digest", "error_count", "warning_count", "report", "checked_at", "next_check_at")


def _settled(batch: Batch, pick: Callable[[], Sequence[Judged]], write: Callable[[standing.Outcome], None]) -> Counts:
    for attempt in range(_RETRIES):
        try:
            with transaction.atomic():
                outcome = standing.settle(pick(), school_id=batch.school_id)
                _release(outcome.released)
                write(outcome)
                return _count(batch, outcome.judged)
        except (IntegrityError, OperationalError, UniqueViolation, DeadlockDetected) as problem:
            # Another worker stored the same pupil or id between our look and our COPY: look again, it is there now.
            # (COPY goes past Django's wrapper, so its errors come bare.)
            cause = problem.__cause__ or problem
            if attempt == _RETRIES - 1 or not isinstance(cause, UniqueViolation | DeadlockDetected):
                raise
    raise AssertionError("unreachable")


def _insert(batch: Batch, judged: Sequence[Judged], now: datetime, recheck_at: datetime) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for one in judged:
            row = _row(batch, one, now, recheck_at)
            copy.write_row([row[name] for name, _ in _COLUMNS])


def _row(batch: Batch, one: Judged, now: datetime, recheck_at: datetime) -> dict[str, Any]:
    identity, raw = one.identity, one.raw
    errors = one.errors
    waiting = one.state is RecordState.RECEIVED
    return {
        "batch_id": batch.id,
        "position": raw.position,
        "source": raw.source[:255],
        "school_id": batch.school_id,
        "state": str(one.state),
        "standing": str(Standing.IN_FORCE if one.state is RecordState.ADMITTED else Standing.NONE),
        "lookup_uuid": standing.uuid_of(one),
        "profile": one.profile,
        "level": _cut(identity.level, 2),
        "grade": _cut(identity.grade, 2),
        "school_year": _cut(identity.school_year, 9),
        "pupil_code": _cut(identity.pupil_code, 20),
        "cccd": _cut(identity.cccd, 12),
        "full_name": _cut(identity.full_name, 150),
        "birth_on": identity.birth_date,
        "class_name": _cut(identity.class_name, 100),
        "data": pack(raw.data),
        "data_size": len(raw.data),
        "sha256": raw.sha256,
        "digest": bytes.fromhex(one.report.content_digest) if one.report and one.report.content_digest else None,
        "findings": _findings(one),
        "error_count": min(errors, 32_767),
        "warning_count": min(len(one.findings) - errors, 32_767),
        "report": pack(to_json(one.report.to_json())) if one.report else None,
        "checked_at": now,
        "next_check_at": recheck_at if waiting and not one.is_held else None,
    }


def _cut(value: str | None, length: int) -> str:
    """Of a refused record these are claims and may be of any length; NUL cannot be stored at all."""
    return (value or "")[:length].replace("\x00", "")


class _Packer(threading.local):
    """One compressor a thread: making one costs more than packing a record, and it may not be shared."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3)


_packer = _Packer()


def pack(data: bytes) -> bytes:
    """As a record's bytes and reports lie in the table."""
    return _packer.compressor.compress(data)


def _findings(one: Judged) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb([finding.to_json() for finding in one.findings])


def _release(record_ids: Sequence[int]) -> None:
    """Earlier records that the Ministry refused give their place to the corrected ones."""
    if record_ids:
        Record.objects.filter(id__in=record_ids, standing=Standing.IN_FORCE, item__verdict="REJECTED").update(
            standing=Standing.RELEASED
        )


def _count(batch: Batch, judged: Sequence[Judged]) -> Counts:
    counts = Counts(
        admitted=sum(one.state is RecordState.ADMITTED for one in judged),
        refused=sum(one.state is RecordState.REFUSED for one in judged),
        waiting=sum(one.state is RecordState.RECEIVED for one in judged),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE records_batch SET admitted_count = admitted_count + %s, refused_count = refused_count + %s"
            " WHERE id = %s",
            [counts.admitted, counts.refused, batch.id],
        )
    return counts
