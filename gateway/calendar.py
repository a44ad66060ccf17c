"""When a new package may leave: hours of sending, maintenance of the description, maintenance an officer announced.

Questions about packages that are already there are never held back. Nothing here touches a submission: what is due
simply stays due, and goes by itself when the hour comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Q

from gateway.conf import EndpointDescription
from gateway.models import Maintenance

_HORIZON: Final = timedelta(days=15)
_LONGEST: Final = timedelta(days=31)


class CalendarRefused(Exception):
    """The announcement makes no sense. Code: PERIOD_INVALID, PERIOD_OVER, PERIOD_TOO_LONG, REASON_MISSING."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing new leaves now, and when the next package may. `until` is None when no hour is in sight."""

    code: str  # MAINTENANCE or OUTSIDE_HOURS
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Announced:
    """One maintenance, now or ahead. `row` is None for one that stands in the description's file."""

    starts_at: datetime
    ends_at: datetime
    reason: str
    by: str = ""
    row: int | None = None


def silence(description: EndpointDescription, *, now: datetime) -> Silence | None:
    """Why nothing may leave now; None when it may."""
    announced = ahead(description, now=now)
    running = _running(announced, now)
    if running is not None:
        return Silence("MAINTENANCE", running.reason, _next_opening(description, announced, now))
    if not _in_hours(description, now):
        return Silence("OUTSIDE_HOURS", "", _next_opening(description, announced, now))
    return None


def ahead(description: EndpointDescription, *, now: datetime) -> list[Announced]:
    """Every maintenance that runs or is still to come, soonest first."""
    fixed = [
        Announced(one.starts, one.ends, one.reason or "Bảo trì")
        for one in description.sending.maintenance
        if one.ends > now
    ]
    rows = Maintenance.objects.filter(Q(ends_at__gt=now), cancelled_at__isnull=True)
    told = [Announced(one.starts_at, one.ends_at, one.reason, one.announced_by, one.pk) for one in rows]
    return sorted([*fixed, *told], key=lambda one: one.starts_at)


def announce(*, starts_at: datetime, ends_at: datetime, reason: str, by: str, now: datetime) -> Maintenance:
    """An officer announces a maintenance. Raises CalendarRefused."""
    if not reason.strip():
        raise CalendarRefused("REASON_MISSING", "Chưa ghi lý do bảo trì.")
    if ends_at <= starts_at:
        raise CalendarRefused("PERIOD_INVALID", "Giờ kết thúc phải sau giờ bắt đầu.")
    if ends_at <= now:
        raise CalendarRefused("PERIOD_OVER", "Khoảng thời gian này đã qua.")
    if ends_at - starts_at > _LONGEST:
        raise CalendarRefused(
            "PERIOD_TOO_LONG", "Một đợt bảo trì dài nhất 31 ngày; muốn dừng hẳn thì tạm dừng đường truyền."
        )
    return Maintenance.objects.create(
        starts_at=starts_at, ends_at=ends_at, reason=reason.strip()[:300], announced_by=by[:150], announced_at=now
    )


def cancel(maintenance_id: int, *, by: str, now: datetime) -> bool:
    """Call an announced maintenance off; True if it was still ahead or running."""
    return bool(
        Maintenance.objects.filter(pk=maintenance_id, cancelled_at__isnull=True, ends_at__gt=now).update(
            cancelled_at=now, cancelled_by=by[:150]
        )
    )


def _running(announced: list[Announced], moment: datetime) -> Announced | None:
    return next((one for one in announced if one.starts_at <= moment < one.ends_at), None)


def _in_hours(description: EndpointDescription, moment: datetime) -> bool:
    windows = description.sending.windows
    local = moment.astimezone(ZoneInfo(description.sending.timezone))
    return not windows or any(window.allows(local) for window in windows)


def _next_opening(description: EndpointDescription, announced: list[Announced], now: datetime) -> datetime | None:
    """The first moment from now on that lies in the hours of sending and in no maintenance."""
    moment = now
    while moment < now + _HORIZON + _LONGEST:
        running = _running(announced, moment)
        if running is not None:
            moment = running.ends_at
        elif _in_hours(description, moment):
            return moment
        else:
            later = _next_window(description, moment)
            if later is None:
                return None
            moment = later
    return None


def _next_window(description: EndpointDescription, moment: datetime) -> datetime | None:
    """The next hour at which a window opens."""
    local = moment.astimezone(ZoneInfo(description.sending.timezone))
    openings = [
        opening
        for day in range(8)
        for window in description.sending.windows
        if (
            opening := (local + timedelta(days=day)).replace(
                hour=window.opens.hour, minute=window.opens.minute, second=window.opens.second, microsecond=0
            )
        )
        > local
        and opening.weekday() in window.weekdays()
    ]
    return min(openings, default=None)
