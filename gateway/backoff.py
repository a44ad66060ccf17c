"""When to try again: pure functions of what happened, of randomness handed in, and of nothing else.

A submission backs off exponentially with full jitter and never gives up; a question about a verdict starts fast
and grows rarer; Retry-After wins when it is longer, and is cut where it is absurd.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

_SHORTEST: Final = 0.5


def retry_delay(failures: int, *, first: float, longest: float, rng: Random) -> float:
    """Seconds until the next try after `failures` (≥ 1) failures in a row: full jitter over an exponential ceiling."""
    ceiling = min(longest, first * 2 ** min(max(failures, 1) - 1, 40))
    return max(_SHORTEST, rng.uniform(0, ceiling))


def poll_delay(polls: int, *, first: Sequence[float], factor: float, longest: float, rng: Random) -> float:
    """Seconds until the question after `polls` answered ones. The first few are exact, the rest spread by a tenth."""
    if polls < len(first):
        return first[polls]
    last = first[-1] if first else 1.0
    grown = last * factor ** min(polls - len(first) + 1, 60)
    return min(longest, grown) * rng.uniform(0.9, 1.1)


def retry_after(header: str | None, *, now: datetime, longest: float) -> float | None:
    """Retry-After in seconds (RFC 9110 § 10.2.3: seconds or an HTTP date), or None where it says nothing usable."""
    if header is None:
        return None
    seconds = _as_seconds(header.strip(), now)
    if seconds is None or seconds < 0:
        return None
    return min(seconds, longest)


def _as_seconds(header: str, now: datetime) -> float | None:
    if header.isascii() and header.isdigit():
        return float(header[:12])
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
