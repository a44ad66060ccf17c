"""Reading single values: dates in three spellings, numbers, marks, identifiers.

Pure functions from text to value; None means "not such a value". Nothing is corrected on the way.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Generic, TypeVar

# No date or number is longer; what is longer must not fill the memories.
LONGEST = 40
_MEMORY = 16384
_Value = TypeVar("_Value")

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_VIETNAMESE = re.compile(r"(\d\d)/(\d\d)/(\d{4})")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:(Z)|([+-])(\d\d):(\d\d))?")
_NUMBER = re.compile(r"-?\d{1,14}(?:\.(\d{1,4}))?")
_UUID4 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_CCCD = re.compile(r"[0-9]{12}")
_YEAR = re.compile(r"(\d{4})-(\d{4})")
# Control characters and marks that change the direction of writing: what is signed must be what is seen.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, and the instant when the text says one with its time zone."""

    day: date
    at: datetime | None = None

    def is_after(self, other: "Moment") -> bool:
        # A bare date covers its whole day, so it is compared by day only.
        if self.at is not None and other.at is not None:
            return self.at > other.at
        return self.day > other.day


def moment(text: str) -> Moment | None:
    """ISO date, dd/MM/yyyy, or ISO date-time with or without zone."""
    return _moments[text]


def _moment(text: str) -> Moment | None:
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        if found := _ISO.fullmatch(text):
            return Moment(date(int(found[1]), int(found[2]), int(found[3])))
        if found := _VIETNAMESE.fullmatch(text):
            return Moment(date(int(found[3]), int(found[2]), int(found[1])))
        if found := _MOMENT.fullmatch(text):
            return _instant(found)
    except ValueError:
        return None
    return None


def _instant(found: re.Match[str]) -> Moment:
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    naive = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  the zone is added below, when there is one
    if found[7]:
        return Moment(naive.date(), naive.replace(tzinfo=timezone(timedelta())))
    if found[8]:
        ahead = timedelta(hours=int(found[9]), minutes=int(found[10]))
        return Moment(naive.date(), naive.replace(tzinfo=timezone(ahead if found[8] == "+" else -ahead)))
    return Moment(naive.date())


def day(text: str | None) -> date | None:
    found = moment(text) if text is not None else None
    return found.day if found is not None else None


def number(text: str) -> float | None:
    """`.` as the decimal point, at most four decimals, no exponent, no sign but minus."""
    return _numbers[text]


def _number(text: str) -> float | None:
    return float(text) if len(text) <= LONGEST and text.isascii() and _NUMBER.fullmatch(text) else None


class _Memory(dict[str, _Value], Generic[_Value]):
    """What texts mean, remembered: rules ask for the same few in every row, and a hit costs no call of ours."""

    def __init__(self, read: Callable[[str], _Value]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> _Value:
        found = self._read(text)
        if len(text) <= LONGEST:
            if len(self) >= _MEMORY:
                self.clear()
            self[text] = found
        return found


_moments = _Memory(_moment)
_numbers = _Memory(_number)


def decimals(text: str) -> int:
    """How many decimals really count: 9.0 has none."""
    return len(text.partition(".")[2].rstrip("0"))


def is_uuid4(text: str) -> bool:
    return _UUID4.fullmatch(text) is not None


def is_cccd(text: str) -> bool:
    return _CCCD.fullmatch(text) is not None


def first_year(text: str) -> int | None:
    """2024 for "2024-2025"; None when the two are not consecutive."""
    found = _YEAR.fullmatch(text) if text.isascii() else None
    if found is None or int(found[2]) != int(found[1]) + 1:
        return None
    return int(found[1])


def is_composed(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def has_hidden(text: str) -> bool:
    return not text.isprintable() and _HIDDEN.search(text) is not None
