"""Schools that hand in small batches all the while, through the real doors, and write down what they were told.

After a broken answer a school sends the same bytes under the same id again, as good software does; now and then it
gives up and stays without knowledge, now and then it repeats what was acknowledged long ago. It never looks at the
database.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID

from gateway.exchange.errors import ExchangeError
from portal.rehearsal.batches import list_batch, unsigned_batch, zip_batch
from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.campaign.ledger import SchoolLedger
from portal.rehearsal.campaign.site import Gate
from portal.rehearsal.doors import BrowserDoor, DoorClosed, Line, SoftwareDoor
from portal.rehearsal.parcels import API, BROWSER, Parcel, parcel
from portal.rehearsal.province import School
from portal.rehearsal.records import MadeRecord, finish, make_draft, make_record

_DOOR_SECONDS = 12.0
_PATIENCE_SECONDS = 45.0
_BROWSER_SHARE = 0.12
_GIVE_UP = 0.08
_REPEAT = 0.08
_TROUBLE = (OSError, http.client.HTTPException, DoorClosed, ExchangeError)


@dataclass
class Crowd:
    """A few threads, each with schools of its own."""

    rehearsal: Rehearsal
    base_url: str
    paths: dict[str, str]
    ledger: SchoolLedger
    seed: str
    pause_seconds: float
    # Whether schools should hold back a little: on a busy machine a backlog only hides how soon things recover.
    is_full: Callable[[], bool] = lambda: False
    gate: Gate = field(default_factory=Gate)
    threads: int = 2
    replacements: "deque[tuple[str, int, UUID]]" = field(default_factory=deque)
    # Which pupil a record is of, so that another version of it can be made.
    pupils: dict[str, tuple[str, int]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    crashed: list[str] = field(default_factory=list)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for index in range(self.threads):
            clerk = _Clerks(self, index, Random(f"{self.seed}/load/{index}"))
            thread = threading.Thread(target=self._guarded, args=(clerk,), name=f"load-{index}", daemon=True)
            self._running.append(thread)
            thread.start()

    def stop(self) -> None:
        """No new batch; those under way are brought to an end or given up."""
        self.over.set()
        for thread in self._running:
            thread.join(_PATIENCE_SECONDS + _DOOR_SECONDS)

    def _guarded(self, clerk: "_Clerks") -> None:
        try:
            clerk.work()
        except Exception as problem:
            # A school that fell silent would make the campaign look better than it is: the report says so.
            self.crashed.append(f"{type(problem).__name__}: {problem}")
            raise


@dataclass
class _Clerks:
    crowd: Crowd
    index: int
    rng: Random
    done: deque[Parcel] = field(default_factory=lambda: deque(maxlen=40))
    _numbers: dict[str, int] = field(default_factory=dict)
    _doors: dict[tuple[str, str], SoftwareDoor | BrowserDoor] = field(default_factory=dict)

    def work(self) -> None:
        schools = self.crowd.rehearsal.province.schools[self.index :: self.crowd.threads]
        while not self.crowd.over.is_set():
            one = self._next(self.rng.choice(schools))
            self.crowd.ledger.made(one)
            self._hand_in(one)
            if self.done and self.rng.random() < _REPEAT:
                self._once(self.rng.choice(self.done))
            self.crowd.over.wait(self.rng.uniform(0.3, 1.7) * self.crowd.pause_seconds)
            while self.crowd.is_full() and not self.crowd.over.is_set():
                self.crowd.over.wait(0.3)
        for door in self._doors.values():
            door.line.close()

    def _next(self, school: School) -> Parcel:
        if self.crowd.replacements and self.index == 0:
            code, number, new = self.crowd.replacements.popleft()
            school = self.crowd.rehearsal.province.school(code)
            return self._pack([self._again(school, number, new)], API)
        first = self._numbers.get(school.code, 0)
        count = self.rng.randint(1, 4)
        self._numbers[school.code] = first + count
        province, pki = self.crowd.rehearsal.province, self.crowd.rehearsal.pki
        made = [make_record(province, pki, school, number) for number in range(first, first + count)]
        self.crowd.pupils.update({str(one.lookup_uuid): (school.code, one.number) for one in made})
        return self._pack(made, BROWSER if self.rng.random() < _BROWSER_SHARE else API)

    def _again(self, school: School, number: int, new: UUID) -> MadeRecord:
        """The same pupil's record under a new lookup number: what follows a recall."""
        draft = make_draft(self.crowd.rehearsal.province, self.crowd.rehearsal.pki, school, number)
        draft.lookup_uuid = new
        draft.general["MA_TRA_CUU_UUID"] = str(new)
        return finish(draft)

    def _pack(self, made: list[MadeRecord], door: str) -> Parcel:
        calendar = self.crowd.rehearsal.province.calendar
        if door == BROWSER:
            batch = zip_batch(made) if len(made) % 2 else unsigned_batch(made)
        else:
            identity = self.crowd.rehearsal.pki.organisation(made[0].school)
            at = calendar.moment(month=5, day=29) + timedelta(seconds=self.rng.randrange(30_000))
            batch = list_batch(made, identity=identity, at=at)
        return parcel(batch, door=door, start_year=calendar.start)

    def _hand_in(self, one: Parcel) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            settled = self._once(one)
            if settled:
                if one.door == API:
                    self.done.append(one)
                return
            if self.rng.random() < _GIVE_UP or time.monotonic() > deadline:
                return  # it will never know
            time.sleep(self.rng.uniform(0.2, 0.8))

    def _once(self, one: Parcel) -> bool:
        """One request; True when the school knows where it stands."""
        with self.crowd.gate.passing():
            return self._asked(one)

    def _asked(self, one: Parcel) -> bool:
        ledger = self.crowd.ledger
        try:
            door = self._door(one)
            if isinstance(door, SoftwareDoor):
                receipt = door.submit(one.data, message_id=one.message_id, school_year=one.school_year)
                ledger.acknowledged(one, {**receipt.to_json()})
            else:
                door.upload(one.file_name, one.data)
                ledger.acknowledged(one)
        except DoorClosed as closed:
            self._forget(one)
            # 302 and 200: signed out meanwhile, or a page that is not the answer. Nothing is known then.
            if closed.status >= 500 or closed.status in (401, 403, 429, 200, 302):
                ledger.unknown(one, str(closed))
                return False
            ledger.refused(one, closed.status, closed.answer)
        except _TROUBLE as trouble:
            self._forget(one)
            ledger.unknown(one, repr(trouble))
            return False
        return True

    def _door(self, one: Parcel) -> SoftwareDoor | BrowserDoor:
        key = (one.door, one.school.code)
        if key not in self._doors:
            line = Line(self.crowd.base_url, timeout=_DOOR_SECONDS)
            state, paths = self.crowd.rehearsal.state, self.crowd.paths
            self._doors[key] = (
                SoftwareDoor(line, one.school.api_user_name, state.api_password, one.school.code, paths)
                if one.door == API
                else BrowserDoor(line, one.school.clerk_user_name, state.password, paths["login"], paths["hand_in"])
            )
        return self._doors[key]

    def _forget(self, one: Parcel) -> None:
        door = self._doors.pop((one.door, one.school.code), None)
        if door is not None:
            door.line.close()
