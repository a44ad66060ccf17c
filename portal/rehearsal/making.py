"""Turns a wish (so many records, such a mix, such a share of breaches) into batches, school after school.

A generator: only one batch is in memory at a time. Which pupils, which breaches and which form of hand-in follow from
the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from portal.rehearsal.batches import MadeBatch, list_batch, single_batch, unsigned_batch, zip_batch
from portal.rehearsal.faults import make_faulty
from portal.rehearsal.parcels import API, BROWSER, Parcel, parcel
from portal.rehearsal.pki import Pki
from portal.rehearsal.planting import Planting, of_code
from portal.rehearsal.province import LOWER, PRIMARY, UPPER, Province, School
from portal.rehearsal.records import MadeRecord, make_record
from portal.rehearsal.spelling import SPELLINGS


@dataclass(frozen=True)
class Wish:
    """How many records of which kind; `mix` is the share of primary records."""

    records: int
    mix: float = 0.7
    batch_size: int = 50
    planting: Planting | None = None
    doors: tuple[str, ...] = (API, BROWSER)


@dataclass
class Maker:
    """`next_number` says for every school which pupil comes next, and is kept up to date."""

    province: Province
    pki: Pki
    next_number: dict[str, int]

    def parcels(self, wish: Wish) -> Iterator[Parcel]:
        """Batches that hold exactly `wish.records` records in all."""
        primary = round(wish.records * wish.mix)
        yield from self._of_levels(wish, (PRIMARY,), primary)
        yield from self._of_levels(wish, (LOWER, UPPER), wish.records - primary)

    def _of_levels(self, wish: Wish, levels: tuple[str, ...], count: int) -> Iterator[Parcel]:
        schools = self.province.of_level(*levels)
        turn = 0
        while count > 0 and schools:
            school = schools[turn % len(schools)]
            size = min(count, wish.batch_size)
            yield from self._parcels_of(turn, self.records(school, size, wish.planting), wish.doors)
            count -= size
            turn += 1

    def records(self, school: School, count: int, planting: Planting | None = None) -> list[MadeRecord]:
        """The next pupils of a school, some with breaches."""
        first = self.next_number.get(school.code, 0)
        self.next_number[school.code] = first + count
        made: list[MadeRecord] = []
        previous: MadeRecord | None = None
        for number in range(first, first + count):
            fault = planting.fault_for(school, number, previous=previous) if planting else None
            if fault:
                made.append(make_faulty(self.province, self.pki, school, number, fault, previous=previous))
            else:
                previous = make_record(self.province, self.pki, school, number)
                made.append(previous)
        return made

    def _parcels_of(self, turn: int, records: list[MadeRecord], doors: tuple[str, ...]) -> Iterator[Parcel]:
        """One parcel, and one for each record that would spoil it."""
        alone = [record for record in records if record.fault and of_code(record.fault).spoils_file]
        together = [record for record in records if record not in alone]
        if together:
            yield self._parcel(turn, together, doors)
        for record in alone:
            yield self._parcel(turn, [record], doors)

    def _parcel(self, turn: int, records: list[MadeRecord], doors: tuple[str, ...]) -> Parcel:
        """Schools' software signs its lists; clerks upload lists, ZIPs of either kind, now and then one record."""
        school = records[0].school
        if doors[(school.index + turn) % len(doors)] == API:
            at = self.province.calendar.moment(month=5, day=29) + timedelta(minutes=turn % 600)
            spelling = SPELLINGS[school.index % len(SPELLINGS)]
            identity = self.pki.organisation(school)
            return self._through(API, list_batch(records, identity=identity, at=at, spelling=spelling))
        form = (school.index + turn) // 2 % 3
        if len(records) == 1:
            return self._through(BROWSER, single_batch(records[0]))
        if form == 0:
            return self._through(BROWSER, zip_batch(records))
        return self._through(BROWSER, zip_batch(records, per_file=20) if form == 1 else unsigned_batch(records))

    def _through(self, door: str, batch: MadeBatch) -> Parcel:
        return parcel(batch, door=door, start_year=self.province.calendar.start)
