"""Telling a worker that there is something to do: only to cut latency.

The work itself stands in rows, so a broker that is away, flushed or slow costs seconds and never a record: every
failure here is logged and forgotten on purpose. Tasks are named, not imported, so that lower rooms can nudge.
"""

import logging

from django.db import transaction
from kombu.exceptions import KombuError, OperationalError

logger = logging.getLogger(__name__)

PROCESS = "portal.records.tasks.process"
DISPATCH = "portal.records.tasks.dispatch"
FORWARD = "gateway.tasks.forward"


def send(task: str, **ids: str) -> None:
    """Nudge now."""
    from gateway.celery import app

    try:
        app.send_task(task, kwargs=ids, ignore_result=True, retry=False)
    except (KombuError, OperationalError, OSError) as problem:
        logger.warning("nudge_lost task=%s cause=%s", task, type(problem).__name__)


def after_commit(task: str, **ids: str) -> None:
    """Nudge once what it is about can be seen by others."""
    transaction.on_commit(lambda: send(task, **ids))
