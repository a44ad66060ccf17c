"""Hands parcels in through the doors and keeps the school's own ledger: what was made, what was planted, what was said.

The ledger is the first witness of a rehearsal. It never looks at the database. When a door does not answer it does what
good software does: the same bytes under the same id again, until they are taken.
"""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.doors import BrowserDoor, DoorClosed, Line, SoftwareDoor
from portal.rehearsal.parcels import API, Entry, Parcel
from portal.rehearsal.province import School

PATIENCE_SECONDS = 90.0
_PAUSE_SECONDS = 0.3


@dataclass
class Ledger:
    """Everything a rehearsal handed in."""

    entries: list[Entry] = field(default_factory=list)
    batches: int = 0
    repeats: int = 0
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
    _doors: dict[tuple[str, str], SoftwareDoor | BrowserDoor] = field(default_factory=dict, repr=False)

    def hand_in(self, parcel: Parcel) -> None:
        """One batch, until it is taken or refused; a refusal is written down, not raised."""
        self.ledger.batches += 1
        self.ledger.entries += parcel.entries
        data = parcel.read()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._attempt(parcel, data)
                return
            except (OSError, http.client.HTTPException, DoorClosed) as trouble:
                refused = isinstance(trouble, DoorClosed) and trouble.status < 500
                if refused or time.monotonic() > deadline:
                    self.ledger.refused_batches.append(f"{parcel.file_name} ({parcel.door}): {trouble!r}")
                    return
            self.ledger.repeats += 1
            self._forget(parcel)
            time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        for door in self._doors.values():
            door.line.close()

    def _attempt(self, parcel: Parcel, data: bytes) -> None:
        door = self._door(parcel)
        if isinstance(door, SoftwareDoor):
            door.submit(data, message_id=parcel.message_id, school_year=parcel.school_year)
        else:
            door.upload(parcel.file_name, data)

    def _door(self, parcel: Parcel) -> SoftwareDoor | BrowserDoor:
        key = (parcel.door, parcel.school.code)
        if key not in self._doors:
            open_door: Callable[[School], SoftwareDoor | BrowserDoor]
            open_door = self._software if parcel.door == API else self._browser
            self._doors[key] = open_door(parcel.school)
        return self._doors[key]

    def _forget(self, parcel: Parcel) -> None:
        """A door that failed is opened anew: its connection, token and session may be gone."""
        door = self._doors.pop((parcel.door, parcel.school.code), None)
        if door is not None:
            door.line.close()

    def _software(self, school: School) -> SoftwareDoor:
        password = self.rehearsal.state.api_password
        return SoftwareDoor(Line(self.base_url), school.api_user_name, password, school.code, self.paths)

    def _browser(self, school: School) -> BrowserDoor:
        password = self.rehearsal.state.password
        paths = self.paths
        return BrowserDoor(
            Line(self.base_url),
            school.clerk_user_name,
            password,
            login_path=paths["login"],
            hand_in_path=paths["hand_in"],
        )
