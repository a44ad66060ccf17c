"""Celery's way into this room: nudges that only cut latency, and the tick that finds whatever a lost nudge left behind.

Every body is one call; loops end by the clock, so that a worker's child is never held for long.
"""

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from portal.records import housekeeping, processing, sealing

# Shorter than the broker's visibility time-out: a task of a living worker is never handed out twice.
_PATIENCE = timedelta(seconds=240)


@shared_task(name="portal.records.tasks.process")
def process(*, batch_id: str) -> None:
    processing.process_batch(batch_id=UUID(batch_id), until=timezone.now() + _PATIENCE)


@shared_task(name="portal.records.tasks.dispatch")
def dispatch() -> None:
    sealing.run(now=timezone.now())


@shared_task(name="portal.records.tasks.tick")
def tick() -> None:
    housekeeping.look_after(until=timezone.now() + _PATIENCE)
