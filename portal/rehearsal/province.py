"""The synthetic province as values: communes, schools and the people who sign, all derived from a seed.

Nothing is generated twice: a school's people are made when first asked for. `install` writes it to the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

from portal.rehearsal import names
from portal.rehearsal.calendar import Calendar

PRIMARY, LOWER, UPPER = "02", "03", "04"
LEVEL_NAMES = {PRIMARY: "Tiểu học", LOWER: "THCS", UPPER: "THPT"}
# Out of ten schools: the shares of a real province.
LEVEL_PATTERN = (PRIMARY, LOWER, PRIMARY, UPPER, PRIMARY, LOWER, PRIMARY, LOWER, PRIMARY, PRIMARY)
TEACHERS = {PRIMARY: 10, LOWER: 18, UPPER: 20}


@dataclass(frozen=True)
class Person:
    """Somebody who signs: the 12-digit number agrees with sex and year of birth."""

    name: str
    cccd: str
    role: str
    born: int


@dataclass(frozen=True)
class Commune:
    code: str
    name: str


@dataclass(frozen=True)
class School:
    """A school of the province; `index` numbers it and seeds its people."""

    seed: str
    index: int
    code: str
    former_code: str
    name: str
    level: str
    commune: Commune
    is_public: bool
    vendor_code: str

    @cached_property
    def head(self) -> Person:
        return self._person("CBQL", 0)

    @cached_property
    def teachers(self) -> tuple[Person, ...]:
        return tuple(self._person("GV", number) for number in range(1, TEACHERS[self.level] + 1))

    def homeroom_teacher(self, class_index: int) -> Person:
        return self.teachers[class_index % len(self.teachers)]

    def subject_teacher(self, subject_index: int) -> Person:
        return self.teachers[subject_index % len(self.teachers)]

    @property
    def head_title(self) -> str:
        return "Hiệu trưởng"

    @property
    def tax_code(self) -> str:
        return f"9900{self.index:06d}"

    @property
    def clerk_user_name(self) -> str:
        return f"vanthu{self.index + 1:02d}"

    @property
    def api_user_name(self) -> str:
        return f"phanmem{self.index + 1:02d}"

    def _person(self, role: str, number: int) -> Person:
        rng = Random(f"{self.seed}/school/{self.index}/person/{number}")
        female = rng.random() < 0.65
        year = rng.randint(1968, 1998)
        # The serial holds school and person, so that no two people of the province share a number.
        serial = (self.index * 40 + number) % 1_000_000
        return Person(
            name=names.person_name(rng, female=female),
            cccd=names.cccd(female=female, year=year, serial=serial),
            role=role,
            born=year,
        )


@dataclass(frozen=True)
class Province:
    """Everything that is known of the province before a single record exists."""

    seed: str
    calendar: Calendar
    communes: tuple[Commune, ...]
    schools: tuple[School, ...]
    code: str = names.DEPARTMENT_CODE
    name: str = names.PROVINCE_NAME
    department_name: str = names.DEPARTMENT_NAME

    def of_level(self, *levels: str) -> tuple[School, ...]:
        return tuple(school for school in self.schools if school.level in levels)

    def school(self, code: str) -> School:
        return next(school for school in self.schools if code in (school.code, school.former_code))


def make_province(*, seed: int | str, calendar: Calendar, schools: int = 40, communes: int = 8) -> Province:
    """The province of a seed; the same arguments give the same province."""
    places = tuple(Commune(names.commune_code(i), names.commune_name(i)) for i in range(communes))
    return Province(
        seed=str(seed), calendar=calendar, communes=places, schools=tuple(_schools(str(seed), schools, places))
    )


def _schools(seed: str, count: int, communes: tuple[Commune, ...]) -> Iterator[School]:
    for index in range(count):
        level = LEVEL_PATTERN[index % len(LEVEL_PATTERN)]
        commune = communes[index % len(communes)]
        old_code = f"{names.DEPARTMENT_CODE}{101 + index // 1000:03d}{index % 1000:03d}"
        new_code = f"{names.DEPARTMENT_CODE}{commune.code}{index:04d}"
        # Every third school has kept its old code of eight digits: both forms live side by side.
        keeps_old = index % 3 == 2
        yield School(
            seed=seed,
            index=index,
            code=old_code if keeps_old else new_code,
            former_code="" if keeps_old else old_code,
            name=names.school_name(LEVEL_NAMES[level], index),
            level=level,
            commune=commune,
            is_public=index % 8 != 7,
            vendor_code=names.VENDORS[index % len(names.VENDORS)][0],
        )
