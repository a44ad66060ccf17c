"""Celery tasks: nudges of at most five statements. They cut latency; the schedule itself is in rows.

Losing every message of the broker costs seconds: `tick` comes again and starts whatever is due.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.exceptions import OperationalError

from gateway import outbox, sync
from gateway.celery import app

logger = logging.getLogger(__name__)


@app.task(name="gateway.tasks.forward")
def forward() -> None:
    """Send what is due, ask about what is uncertain, and fetch the first verdicts."""
    sync.run(sync.FORWARD)


@app.task(name="gateway.tasks.collect")
def collect() -> None:
    """Fetch the verdicts that are due."""
    sync.run(sync.COLLECT)


@app.task(name="gateway.tasks.run")
def run(*, kind: str) -> None:
    """One scheduled kind of work."""
    sync.run(kind)


@app.task(name="gateway.tasks.tick")
def tick() -> None:
    """Start what is due; called by beat every few seconds."""
    for kind in sync.due(now=outbox.database_now()):
        nudge(kind)


def nudge(kind: str = sync.FORWARD) -> None:
    """Ask a worker to look now. A broker that is away is no error: the next tick finds the work in its rows."""
    task: Any = {sync.FORWARD: forward, sync.COLLECT: collect}.get(kind)
    try:
        if task is not None:
            task.apply_async(retry=False, expires=30)
        else:
            run.apply_async(kwargs={"kind": kind}, retry=False, expires=60)
    except OperationalError:
        logger.info("broker away; work waits for the next tick", extra={"kind": kind})
