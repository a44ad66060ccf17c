"""How values look on a page: times, numbers, states, fingerprints. Formatting only, never a decision.

A state is always shown as words; the colour of its badge only repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()

TONES: Mapping[str, str] = {
    "RECEIVED": "busy", "OPENED": "busy", "PROCESSED": "done", "ADMITTED": "wait", "DISPATCHED": "busy",
    "QUEUED": "wait", "SENDING": "busy", "UNCERTAIN": "warn", "ACKNOWLEDGED": "busy", "ANSWERED": "done",
    "REFUSED": "bad", "HELD": "warn", "PENDING": "wait", "ACCEPTED": "good", "REJECTED": "bad",
    "IN_FORCE": "good", "RECALLED": "warn", "RELEASED": "quiet", "NONE": "quiet",
    "REQUESTED": "wait", "APPROVED": "good", "DECLINED": "bad", "WITHDRAWN": "quiet",
    "ACTIVE": "good", "PAUSED": "bad",
    "PASSED": "good", "FAILED": "bad", "INDETERMINATE": "warn", "NOT_RUN": "quiet",
    "TOTAL_PASSED": "good", "TOTAL_FAILED": "bad", "error": "bad", "warning": "warn",
}  # fmt: skip


@register.filter
def moment(value: datetime | None) -> str:
    """dd/mm/yyyy HH:MM in the province's time; an em dash for nothing."""
    return timezone.localtime(value).strftime("%d/%m/%Y %H:%M") if value else "—"


@register.filter
def moment_seconds(value: datetime | None) -> str:
    return timezone.localtime(value).strftime("%d/%m/%Y %H:%M:%S") if value else "—"


@register.filter
def day(value: date | None) -> str:
    return value.strftime("%d/%m/%Y") if value else "—"


@register.filter
def iso_moment(value: Any) -> str:
    """A date-time as the file spells it (ISO 8601) in the form people read; left alone when it is not one."""
    try:
        return moment_seconds(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value or "—")


@register.filter
def count(value: int | None) -> str:
    """A whole number with dots between thousands, as Vietnamese writes it."""
    return "—" if value is None else f"{value:,}".replace(",", ".")


@register.filter
def size(value: int | None) -> str:
    """A number of bytes in kB or MB."""
    if value is None:
        return "—"
    if value < 1_000_000:
        return f"{max(1, round(value / 1000))} kB"
    return f"{value / 1_000_000:.1f} MB".replace(".", ",")


@register.filter
def ago(value: datetime | None) -> str:
    """How long ago, in the largest fitting unit."""
    return span(timezone.now() - value) if value else "—"


@register.filter
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


@register.filter
def groups(value: str | None) -> str:
    """A fingerprint in groups of four, so that two people can compare it by voice."""
    text = (value or "").upper()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4)) or "—"


@register.filter
def short(value: Any) -> str:
    """The first eight signs of a long identifier."""
    return str(value or "")[:8]


@register.filter
def dash(value: Any) -> Any:
    return "—" if value in (None, "") else value


@register.filter
def tone(state: str | None) -> str:
    return TONES.get(str(state), "quiet")


@register.simple_tag
def badge(state: str, label: str) -> SafeString:
    """A state as words on its colour."""
    return format_html('<span class="badge badge-{}">{}</span>', TONES.get(str(state), "quiet"), label)


@register.filter
def share(part: int | None, whole: int | None) -> int:
    """Per cent, 0 to 100, for a bar's width; never 100 before the end, never 0 after the start."""
    if not part or not whole:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))


@register.simple_tag(takes_context=True)
def query(context: Mapping[str, Any], **changes: Any) -> str:
    """The page's query string with some values replaced; empty ones fall away."""
    values: QueryDict = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            values.pop(name, None)
        else:
            values[name] = str(value)
    return "?" + values.urlencode()
