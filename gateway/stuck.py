"""Counts what has stood in a state longer than that state can last in a healthy portal. Reads only.

Each number is zero while all is well; the page shows whichever is not, with what to do about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from gateway.models import Endpoint, Submission, SyncRun
from gateway.states import EndpointState, RunResult, SubmissionState

_UNCERTAIN_FOR: Final = timedelta(hours=6)
_WAITING_FOR: Final = timedelta(hours=24)
_HELD_FOR: Final = timedelta(days=3)
_PAUSED_FOR: Final = timedelta(hours=6)
_EXCHANGING: Final = ("FORWARD", "COLLECT", "PROBE", "COMPARE")
# No such run lasts so long: the bound that the index of runs can use.
_LONGEST_RUN: Final = timedelta(hours=2)


def counts(*, now: datetime) -> dict[str, int]:
    """What is stuck, by name; only what is not zero."""
    rows = Submission.objects.all()
    found = {
        "stuck_uncertain": rows.filter(state=SubmissionState.UNCERTAIN, first_sent_at__lt=now - _UNCERTAIN_FOR).count(),
        "stuck_queued": rows.filter(state=SubmissionState.QUEUED, enqueued_at__lt=now - _WAITING_FOR).count(),
        "stuck_held": rows.filter(state=SubmissionState.HELD, enqueued_at__lt=now - _HELD_FOR).count(),
        "stuck_paused": Endpoint.objects.filter(state=EndpointState.PAUSED, paused_at__lt=now - _PAUSED_FOR).count(),
    }
    return {name: number for name, number in found.items() if number}


def own_faults(*, since: datetime) -> int:
    """Runs that ended since then and in which our own programme failed over an exchange."""
    exchanging = SyncRun.objects.filter(kind__in=_EXCHANGING, started_at__gt=since - _LONGEST_RUN)
    failed = exchanging.filter(result=RunResult.FAILED, counts__has_key="own_faults")
    return failed.exclude(ended_at__lte=since).count()
