"""The rehearsal's dates, all derived from one moment: the last school year that was finished by then.

Nothing here reads the clock; the moment comes in from the edge, so an old seed gives the old dates.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

HANOI = timezone(timedelta(hours=7))


@dataclass(frozen=True)
class Calendar:
    """School year `start`–`start + 1`, whose records are signed in May of the second year."""

    start: int

    @classmethod
    def last_finished(cls, now: datetime) -> "Calendar":
        """The newest school year whose signing (May) lies wholly before `now`."""
        local = now.astimezone(HANOI)
        return cls(start=local.year - 1 if local.month >= 6 else local.year - 2)

    @property
    def school_year(self) -> str:
        return f"{self.start}-{self.start + 1}"

    @property
    def opened_on(self) -> date:
        return date(self.start, 9, 5)

    def moment(self, *, month: int, day: int, hour: int = 8, minute: int = 0, second: int = 0) -> datetime:
        """A local moment of the school year: August to December in its first year, the rest in its second."""
        year = self.start if month >= 8 else self.start + 1
        return datetime.combine(date(year, month, day), time(hour, minute, second), tzinfo=HANOI)

    def years_around(self, *, before: int, after: int) -> tuple[datetime, datetime]:
        """A period of validity around the school year, for certificates."""
        return datetime(self.start - before, 8, 1, tzinfo=UTC), datetime(self.start + after, 8, 1, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """CV 2088 PL1: `YYYY-MM-DDThh:mm:ssTZD`."""
    return moment.astimezone(HANOI).isoformat(timespec="seconds")
