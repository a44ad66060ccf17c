"""Invented pupils: who sits in which class of which school, derived from the seed and never the same number twice."""

import uuid
from dataclasses import dataclass
from datetime import date
from random import Random

from portal.rehearsal import names
from portal.rehearsal.province import LOWER, PRIMARY, UPPER, Province, School

GRADES = {PRIMARY: range(1, 6), LOWER: range(6, 10), UPPER: range(10, 13)}
CLASS_SIZE = 32


@dataclass(frozen=True)
class Pupil:
    """One pupil in the rehearsal's school year; `rng_seed` seeds everything else about the record."""

    name: str
    cccd: str
    code: str
    female: bool
    born_on: date
    grade: int
    class_index: int
    ethnic_group: str
    mother: str
    father: str
    birth_place: str
    home: str
    address: str
    lookup_uuid: uuid.UUID
    rng_seed: str

    @property
    def class_name(self) -> str:
        letter = "ABCDEGHIKLMNPQRSTUVXY"[self.class_index // 5 % 21]
        return f"{self.grade}{letter}{self.class_index % 5 + 1}"


def make_pupil(province: Province, school: School, number: int) -> Pupil:
    """The pupil of a school with a running number, which has no upper end."""
    rng_seed = f"{province.seed}/school/{school.index}/pupil/{number}"
    rng = Random(rng_seed)
    grades = GRADES[school.level]
    class_number = number // CLASS_SIZE
    grade = grades[class_number % len(grades)]
    female = rng.random() < 0.48
    # About one in thirty started a year late.
    year = province.calendar.start - 5 - grade - (1 if rng.random() < 0.03 else 0)
    home = names.address(rng, school.commune.name)
    return Pupil(
        name=names.person_name(rng, female=female),
        cccd=names.cccd(female=female, year=year, serial=_serial(school, number)),
        code=f"99{school.index:04d}{number:06d}",
        female=female,
        born_on=date(year, rng.randint(1, 12), rng.randint(1, 28)),
        grade=grade,
        class_index=class_number // len(grades),
        ethnic_group=rng.choice(names.ETHNIC_GROUPS),
        mother=names.person_name(rng, female=True),
        father=names.person_name(rng, female=False) if rng.random() < 0.94 else "",
        birth_place=names.address(rng, school.commune.name),
        home=home if rng.random() < 0.8 else names.address(rng, school.commune.name),
        address=home,
        lookup_uuid=uuid.UUID(int=rng.getrandbits(128), version=4),
        rng_seed=rng_seed,
    )


def _serial(school: School, number: int) -> int:
    """Spreads schools and pupils over six digits, so that numbers of one province do not meet.

    Inexact on purpose: with more than a million pupils born in one year and of one sex numbers would repeat.
    """
    return (school.index * 5_003 + number) % 1_000_000
