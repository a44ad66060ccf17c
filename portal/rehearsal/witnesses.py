"""The two other witnesses beside the school's ledger: the portal's rows and what the simulator holds. Reads only.

Records are told apart by the SHA-256 of their bytes, which nobody but the school made up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db.models import Count, Max, Min, Q

from gateway.models import Item, Submission
from portal.records.models import Batch, Record


@dataclass(frozen=True)
class Seen:
    """What the portal's rows say about one record."""

    state: str
    warnings: int
    codes: tuple[str, ...]
    verdict: str | None


@dataclass(frozen=True)
class Held:
    """What the simulator holds under one lookup number."""

    sha256: str
    effects: int
    accepted: bool


class Repository(Protocol):
    """The simulator's ledger, asked over its control door."""

    def holdings(self) -> Mapping[str, Held]:
        """Everything it holds, by lookup number."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far the portal is; `is_done` when nobody has a move left."""

    batches: int
    open_batches: int
    records: int
    unchecked: int
    admitted: int
    refused: int
    dispatched: int
    accepted: int
    rejected: int
    pending: int

    @property
    def is_done(self) -> bool:
        return not (self.open_batches or self.unchecked or self.admitted or self.pending)

    @property
    def settled(self) -> int:
        """Records that need nothing more."""
        return self.refused + self.accepted + self.rejected


def progress() -> Progress:
    """Counts of the whole portal: a rehearsal's environment holds nothing else."""
    batches = Batch.objects.aggregate(
        batches=Count("pk"), open_batches=Count("pk", filter=Q(state__in=("RECEIVED", "OPENED")))
    )
    records = Record.objects.aggregate(
        records=Count("pk"),
        unchecked=Count("pk", filter=Q(state="RECEIVED")),
        admitted=Count("pk", filter=Q(state="ADMITTED")),
        refused=Count("pk", filter=Q(state="REFUSED")),
        dispatched=Count("pk", filter=Q(state="DISPATCHED")),
        accepted=Count("pk", filter=Q(item__verdict="ACCEPTED")),
        rejected=Count("pk", filter=Q(item__verdict="REJECTED")),
        pending=Count("pk", filter=Q(item__verdict="PENDING")),
    )
    return Progress(**batches, **records)


def portal_view() -> Iterator[tuple[str, Seen]]:
    """Every record the portal has, by the digest of its bytes; the same bytes may come twice."""
    columns = ("sha256", "state", "warning_count", "findings", "item__verdict")
    for sha256, state, warnings, findings, verdict in Record.objects.values_list(*columns).iterator(2000):
        codes = tuple(str(finding.get("code", "")) for finding in findings)
        yield bytes(sha256).hex(), Seen(state, warnings, codes, verdict)


def refused_batches() -> list[str]:
    """Batches that were taken in and then refused as a whole, with the portal's reason."""
    refused = Batch.objects.filter(Q(state="REFUSED") | Q(set_aside_at__isnull=False))
    columns = ("file_name", "refusal_code", "set_aside_code", "refusal")
    return [": ".join(part for part in row if part) for row in refused.values_list(*columns)]


def spans() -> dict[str, tuple[datetime, datetime]]:
    """First and last moment of each leg that has happened, from the rows."""
    batches = Batch.objects.aggregate(start=Min("received_at"), end=Max("processed_at"))
    dispatched = Record.objects.aggregate(end=Max("dispatched_at"))
    sent = Submission.objects.aggregate(
        start=Min("enqueued_at"), end=Max("acknowledged_at"), first=Min("acknowledged_at")
    )
    judged = Item.objects.aggregate(end=Max("judged_at"))
    legs = {
        "process": (batches["start"], batches["end"]),
        "dispatch": (batches["start"], dispatched["end"]),
        "forward": (sent["start"], sent["end"]),
        "verdict": (sent["first"], judged["end"]),
    }
    return {name: (start, end) for name, (start, end) in legs.items() if start and end}
