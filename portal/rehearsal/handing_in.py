"""Hands in batches through the doors and keeps the school's own ledger: what was made, what was planted, what was said.

The ledger is the first witness of a rehearsal, compared with the simulator's later. It never looks at the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.doors import BrowserDoor, DoorClosed, Line, SoftwareDoor
from portal.rehearsal.faults import of_code
from portal.rehearsal.making import API, HandIn
from portal.rehearsal.province import School


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


@dataclass
class Ledger:
    """Everything a rehearsal handed in."""

    entries: list[Entry] = field(default_factory=list)
    batches: int = 0
    refused_batches: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        return len(self.entries)

    @property
    def planted(self) -> int:
        return sum(entry.fault is not None for entry in self.entries)


@dataclass
class Counter:
    """The doors of every school, opened when first needed."""

    rehearsal: Rehearsal
    base_url: str
    paths: Mapping[str, str]
    ledger: Ledger = field(default_factory=Ledger)
    _software: dict[str, SoftwareDoor] = field(default_factory=dict, repr=False)
    _browsers: dict[str, BrowserDoor] = field(default_factory=dict, repr=False)
    _lines: list[Line] = field(default_factory=list, repr=False)

    def hand_in(self, made: HandIn) -> None:
        """One batch; a refusal of the whole batch is written down, not raised."""
        batch = made.batch
        school = batch.records[0].school
        message_id = str(batch.message_id)
        try:
            if made.door == API:
                year = int(self.rehearsal.province.calendar.school_year[:4])
                self._door_of(school).submit(batch.data, message_id=message_id, school_year=year)
            else:
                self._browser_of(school).upload(batch.file_name, batch.data)
        except DoorClosed as refusal:
            self.ledger.refused_batches.append(f"{batch.file_name} ({made.door}): {refusal}")
        self.ledger.batches += 1
        self.ledger.entries += [
            Entry(
                lookup_uuid=str(record.lookup_uuid),
                sha256=record.sha256,
                school_code=school.code,
                level=school.level,
                fault=record.fault,
                must_be_refused=record.fault is not None and of_code(record.fault).outcome == "REFUSED",
                message_id=message_id,
            )
            for record in batch.records
        ]

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def _line(self) -> Line:
        self._lines.append(Line(self.base_url))
        return self._lines[-1]

    def _door_of(self, school: School) -> SoftwareDoor:
        if school.code not in self._software:
            state = self.rehearsal.state
            self._software[school.code] = SoftwareDoor(
                self._line(), school.api_user_name, state.api_password, school.code, self.paths
            )
        return self._software[school.code]

    def _browser_of(self, school: School) -> BrowserDoor:
        if school.code not in self._browsers:
            state = self.rehearsal.state
            self._browsers[school.code] = BrowserDoor(
                self._line(),
                school.clerk_user_name,
                state.password,
                login_path=self.paths["login"],
                hand_in_path=self.paths["hand_in"],
            )
        return self._browsers[school.code]
