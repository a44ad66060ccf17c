"""How values look on a page: times, numbers, states, fingerprints. Formatting only, never a decision.

A state is always shown as words; the colour of its badge only repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.web import formats
from portal.web.read.gateway_words import said
from portal.web.read.record_file import STATUSES, STEPS, role_in_words, verdict_in_words
from portal.web.read.run_words import figures_in_words, kind_in_words, state_in_words

register = template.Library()

TONES: Mapping[str, str] = {
    "RECEIVED": "busy", "OPENED": "busy", "PROCESSED": "done", "ADMITTED": "wait", "DISPATCHED": "busy",
    "QUEUED": "wait", "SENDING": "busy", "UNCERTAIN": "warn", "ACKNOWLEDGED": "busy", "ANSWERED": "done",
    "REFUSED": "bad", "HELD": "warn", "PENDING": "wait", "ACCEPTED": "good", "REJECTED": "bad",
    "IN_FORCE": "good", "RECALLED": "warn", "RELEASED": "quiet", "NONE": "quiet",
    "REQUESTED": "wait", "APPROVED": "good", "DECLINED": "bad", "WITHDRAWN": "quiet",
    "OPEN": "good", "PAUSED": "bad", "RESUMED": "good", "RUNNING": "busy", "DONE": "done",
    "PASSED": "good", "FAILED": "bad", "INDETERMINATE": "warn", "NOT_RUN": "quiet",
    "OK": "good", "WARNING": "warn", "TOTAL_PASSED": "good", "TOTAL_FAILED": "bad", "error": "bad", "warning": "warn",
}  # fmt: skip


for _shape in (
    formats.moment,
    formats.moment_seconds,
    formats.day,
    formats.period,
    formats.iso_moment,
    formats.count,
    formats.size,
    kind_in_words,
    figures_in_words,
    state_in_words,
    said,
    role_in_words,
    verdict_in_words,
    formats.ago,
    formats.span,
    formats.groups,
    formats.short,
    formats.name_of,
    formats.subject,
    formats.dash,
):
    register.filter(_shape.__name__, _shape)


@register.filter
def step_title(name: str) -> str:
    """A step of the verification in words."""
    return _(STEPS[name]) if name in STEPS else name


@register.filter
def step_status(status: str) -> str:
    return _(STATUSES[status]) if status in STATUSES else status


@register.filter
def tone(state: str | None) -> str:
    return TONES.get(str(state), "quiet")


@register.simple_tag
def badge(state: str, label: str) -> SafeString:
    """A state as words on its colour."""
    words = _(str(label)) if label else "—"
    return format_html('<span class="badge badge-{}">{}</span>', TONES.get(str(state), "quiet"), words)


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
