"""The Celery application `hocba`. Everything it does is in settings; everything it forgets is in rows."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery, signals
from kombu.exceptions import OperationalError

from gateway.collection import collect_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

app = Celery("hocba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Whatever the dead left behind is looked for at once: beat's own first tick comes a whole period after its start.
_FIRST_TASK = {"records": "portal.records.tasks.tick", "forwarding": "gateway.tasks.tick"}


@signals.setup_logging.connect
def _log_as_the_house_does(**_: Any) -> None:
    """Workers log by LOGGING, which blanks personal data; Celery's own way of logging would print every argument."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.worker_process_init.connect
def _collect_rarely(**_: Any) -> None:
    collect_rarely()


@signals.worker_ready.connect
def _look_at_once(sender: Any, **_: Any) -> None:
    """A worker that has just started looks into the rows without waiting for the schedule."""
    for queue in sender.app.amqp.queues.consume_from:
        if queue in _FIRST_TASK:
            try:
                sender.app.send_task(_FIRST_TASK[queue], expires=10, retry=False)
            except OperationalError:
                logging.getLogger(__name__).info("broker away; work waits for the next tick")
