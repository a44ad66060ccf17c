"""How values look: times, numbers, sizes, fingerprints. Formatting only, never a decision."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

_COMMON_NAME = re.compile(r"(?:^|,)CN=((?:\\.|[^,+\\])+)")


def moment(value: datetime | None) -> str:
    """dd/mm/yyyy HH:MM in the province's time; an em dash for nothing."""
    return timezone.localtime(value).strftime("%d/%m/%Y %H:%M") if value else "—"


def moment_seconds(value: datetime | None) -> str:
    return timezone.localtime(value).strftime("%d/%m/%Y %H:%M:%S") if value else "—"


def day(value: date | datetime | None) -> str:
    """dd/mm/yyyy; of a moment, the day it is in the province."""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return value.strftime("%d/%m/%Y") if value else "—"


def period(since: datetime, until: datetime) -> str:
    """A stretch of time; whole days by their dates, the last one included, otherwise with the hours."""
    start, end = timezone.localtime(since), timezone.localtime(until)
    if any((at.hour, at.minute, at.second) != (0, 0, 0) for at in (start, end)):
        return f"{moment(since)} – {moment(until)}"
    first, last = day(start), day(end - timedelta(days=1))
    return first if first == last else f"{first} – {last}"


def iso_moment(value: Any) -> str:
    """A date-time as the file spells it (ISO 8601) in the form people read; left alone when it is not one."""
    try:
        return moment_seconds(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value or "—")


def count(value: int | str | None) -> str:
    """A whole number with dots between thousands, as Vietnamese writes it; templates give "" for what is not there."""
    return "—" if value is None or isinstance(value, str) else f"{value:,}".replace(",", ".")


def size(value: int | None) -> str:
    """A number of bytes in kB or MB."""
    if value is None:
        return "—"
    if value < 1_000_000:
        return f"{max(1, round(value / 1000))} kB"
    return f"{value / 1_000_000:.1f} MB".replace(".", ",")


def ago(value: datetime | None) -> str:
    """How long ago, in the largest fitting unit."""
    return span(timezone.now() - value) if value else "—"


def span(value: timedelta | None) -> str:
    """A duration in the largest fitting unit."""
    if value is None:
        return "—"
    seconds = max(0, int(value.total_seconds()))
    if seconds < 60:
        return _("%(n)s giây") % {"n": seconds}
    if seconds < 3600:
        return _("%(n)s phút") % {"n": seconds // 60}
    if seconds < 172_800:
        return _("%(n)s giờ") % {"n": seconds // 3600}
    return _("%(n)s ngày") % {"n": seconds // 86_400}


def groups(value: str | None) -> str:
    """A fingerprint in groups of four, so that two people can compare it by voice."""
    text = (value or "").upper()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4)) or "—"


def short(value: Any) -> str:
    """The first eight signs of a long identifier."""
    return str(value or "")[:8]


def name_of(value: Any) -> str:
    """The common name in a certificate's subject or issuer (RFC 4514); the whole text when it has none."""
    found = _COMMON_NAME.search(str(value or ""))
    return re.sub(r"\\(.)", r"\1", found[1]) if found else dash(value)


def subject(value: Any) -> str:
    """A certificate's subject with words for the two numbers that RFC 4514 has none for."""
    text = str(dash(value))
    return text.replace("2.5.4.5=", "SERIALNUMBER=").replace("2.5.4.97=", "ORGANIZATIONIDENTIFIER=")


def dash(value: Any) -> Any:
    return "—" if value in (None, "") else value
