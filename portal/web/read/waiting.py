"""What the good records of a batch wait for, so that a school reads the truth: the seal, the line, the hour.

Looks only; a cause is named for the page, never removed here.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from gateway import calendar
from gateway.conf import EndpointUnreadable, endpoint
from portal.records.conf import sealing_setup
from portal.records.models import Batch, SealingState
from portal.records.states import BatchState
from portal.web.read.batches import Progress
from portal.web.read.line import line_now


class Wait(StrEnum):
    """The next thing that has to happen, and on whose side."""

    NOTHING = ""  # on its way, or there already
    SEAL = "SEAL"  # an officer types a PIN, or the key is away
    LINE = "LINE"  # the line is paused
    HOUR = "HOUR"  # maintenance, or outside the hours of sending


def waits_for(batch: Batch, progress: Progress, *, now: datetime) -> Wait:
    """Asked only for a checked batch whose records have not all arrived; two or three small queries."""
    if batch.state != BatchState.PROCESSED or progress.admitted == progress.arrived:
        return Wait.NOTHING
    if progress.dispatched < progress.admitted and _seal_waits():
        return Wait.SEAL
    line = line_now()
    if line is not None and line.is_paused:
        return Wait.LINE
    try:
        return Wait.HOUR if calendar.silence(endpoint(), now=now) is not None else Wait.NOTHING
    except EndpointUnreadable:
        return Wait.LINE


def _seal_waits() -> bool:
    return sealing_setup().is_attended or SealingState.objects.exclude(cause_code="").exists()
