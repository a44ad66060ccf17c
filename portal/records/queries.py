"""Reading figures and lines: a batch's progress, its results in the words of the exchange format, the room's state.

Few fast statements, never a loop of queries. Callers have decided before whose batch it is; nothing here widens that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from portal.records import content
from portal.records.models import Batch, Record
from portal.records.states import BatchState, RecordState


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the records of one batch are: by our state, and by the Ministry's verdict."""

    total: int | None  # None until the file has been opened
    checked: int
    admitted: int
    refused: int
    waiting_for_evidence: int
    dispatched: int
    accepted: int
    rejected: int

    @property
    def is_over(self) -> bool:
        """Nothing will change any more: every record is refused here or judged by the Ministry."""
        return self.total is not None and self.refused + self.accepted + self.rejected == self.total


def progress(batch: Batch) -> Progress:
    """One statement over the batch's own rows."""
    figures = Record.objects.filter(batch_id=batch.pk).aggregate(
        checked=Count("id"),
        admitted=Count("id", filter=Q(state__in=[RecordState.ADMITTED, RecordState.DISPATCHED])),
        refused=Count("id", filter=Q(state=RecordState.REFUSED)),
        waiting_for_evidence=Count("id", filter=Q(state=RecordState.RECEIVED)),
        dispatched=Count("id", filter=Q(state=RecordState.DISPATCHED)),
        accepted=Count("id", filter=Q(item__verdict="ACCEPTED")),
        rejected=Count("id", filter=Q(item__verdict="REJECTED")),
    )
    return Progress(total=batch.record_count, **figures)


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of one record: our verdict, the Ministry's, and every error that stands against it."""

    position: int
    lookup_uuid: UUID | None
    pupil_code: str
    full_name: str
    cccd: str
    state: str
    verdict: str  # "" before the record has left
    findings: list[Mapping[str, Any]]  # ours
    errors: list[Mapping[str, Any]]  # the Ministry's


def lines(batch: Batch) -> Iterator[Line]:
    """Every record of the batch that has been looked at, in the order of the file."""
    rows = (
        Record.objects.filter(batch_id=batch.pk)
        .order_by("position")
        .values_list(
            "position", "lookup_uuid", "pupil_code", "full_name", "cccd", "state", "item__verdict", "findings",
            "item__errors",
        )
    )  # fmt: skip
    for position, uuid, code, name, cccd, state, verdict, findings, errors in rows.iterator(chunk_size=500):
        yield Line(position, uuid, code, name, cccd, state, verdict or "", findings, errors or [])


def find_batch(*, school_id: int, message_id: str) -> Batch | None:
    """A school's own batch by any id it was handed in under."""
    return Batch.objects.filter(
        Q(message_id=message_id) | Q(other_message_ids__contains=[message_id]), school_id=school_id
    ).first()


def original_bytes(record: Record) -> bytes:
    """The record exactly as the school signed it. Raises ContentDamaged when our store no longer holds that."""
    return content.whole(bytes(record.data), bytes(record.sha256))


def status() -> dict[str, Any]:
    """The room at a glance, for `manage.py records status`."""
    batches = dict(Batch.objects.order_by().values_list("state").annotate(n=Count("id")))
    records = dict(Record.objects.order_by().values_list("state").annotate(n=Count("id")))
    waiting = Batch.objects.filter(state__in=[BatchState.RECEIVED, BatchState.OPENED])
    oldest = waiting.order_by("received_at").values_list("received_at", flat=True).first()
    set_aside = Batch.objects.filter(set_aside_at__isnull=False).values_list("id", "set_aside_code")
    return {
        "batches": batches,
        "records": records,
        "oldest_waiting_batch": oldest.isoformat() if oldest else None,
        "set_aside": {str(pk): code for pk, code in set_aside},
        "records_rows_estimate": _estimate("records_record"),
    }


def _estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return max(int(cursor.fetchone()[0]), 0)
