"""Loaded by Python itself in processes whose clock the campaign moves, and by nobody else (see clock_faults).

libfaketime 0.9.10 breaks `clock_nanosleep` until a moment of the true monotonic clock, which is how `time.sleep` waits
(EINVAL each time). `select` without files waits as long, by a span instead of a moment.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    span = seconds if isinstance(seconds, float) else float(seconds)
    if span < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], span)


time.sleep = _sleep
