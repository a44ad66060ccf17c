"""A batch on its way to a door, and the school's own note of every record in it.

A parcel can lie on disk until it is handed in, so that ten thousand records need no more memory than a hundred.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from portal.rehearsal.batches import MadeBatch
from portal.rehearsal.faults import Outcome
from portal.rehearsal.planting import of_code
from portal.rehearsal.province import School
from portal.rehearsal.records import MadeRecord

API, BROWSER = "API", "BROWSER"


@dataclass(frozen=True)
class Entry:
    """One record as the school made it."""

    lookup_uuid: str
    sha256: str
    school_code: str
    level: str
    fault: str | None
    must_be_refused: bool
    message_id: str


@dataclass(frozen=True)
class Parcel:
    """One hand-in: the door, the bytes (here or on disk) and what is in them."""

    door: str
    school: School
    file_name: str
    message_id: str
    school_year: int
    entries: tuple[Entry, ...]
    data: bytes = b""
    path: Path | None = None

    def read(self) -> bytes:
        return self.path.read_bytes() if self.path else self.data

    def stashed(self, folder: Path) -> "Parcel":
        """The same parcel with its bytes on disk."""
        path = folder / f"{self.message_id}.parcel"
        path.write_bytes(self.data)
        return replace(self, data=b"", path=path)


def parcel(batch: MadeBatch, *, door: str, start_year: int) -> Parcel:
    message_id = str(batch.message_id)
    return Parcel(
        door=door,
        school=batch.records[0].school,
        file_name=batch.file_name,
        message_id=message_id,
        school_year=start_year,
        entries=tuple(_entry(record, message_id) for record in batch.records),
        data=batch.data,
    )


def _entry(record: MadeRecord, message_id: str) -> Entry:
    return Entry(
        lookup_uuid=str(record.lookup_uuid),
        sha256=record.sha256,
        school_code=record.school.code,
        level=record.school.level,
        fault=record.fault,
        must_be_refused=record.fault is not None and of_code(record.fault).outcome is Outcome.REFUSED,
        message_id=message_id,
    )
