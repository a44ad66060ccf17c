"""Celery's way into this room: nudges that only cut latency, and the tick that finds whatever a lost nudge left behind.

Every body is one call; loops end by the clock, so that a worker's child is never held for long. The clock is the
database's: a worker whose own clock is wrong by days puts nothing off and sweeps nothing away.
"""

from datetime import timedelta
from uuid import UUID

from celery import shared_task

from gateway.outbox import database_now
from portal.records import housekeeping, processing, sealing

# Shorter than the broker's visibility time-out: a task of a living worker is never handed out twice.
_PATIENCE = timedelta(seconds=240)


@shared_task(name="portal.records.tasks.process")
def process(*, batch_id: str) -> None:
    processing.process_batch(batch_id=UUID(batch_id), until=database_now() + _PATIENCE, clock=database_now)


@shared_task(name="portal.records.tasks.dispatch")
def dispatch() -> None:
    sealing.run(now=database_now())


@shared_task(name="portal.records.tasks.tick")
def tick() -> None:
    housekeeping.look_after(until=database_now() + _PATIENCE, clock=database_now)
