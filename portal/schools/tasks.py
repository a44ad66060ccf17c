"""Celery's way into this room: evidence of revocation is fetched in the background. Every body is one call."""

import time
from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from portal.schools import refresh as refreshing

_PATIENCE_SECONDS = 240


def _patience() -> Callable[[], bool]:
    end = time.monotonic() + _PATIENCE_SECONDS
    return lambda: time.monotonic() >= end


@shared_task(name="portal.schools.tasks.refresh")
def refresh() -> None:
    refreshing.refresh(now=timezone.now(), until=_patience())


@shared_task(name="portal.schools.tasks.prewarm")
def prewarm() -> None:
    refreshing.prewarm(now=timezone.now(), until=_patience())
