"""The Celery application `hocba`. Everything it does is in settings; everything it forgets is in rows."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

app = Celery("hocba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_the_house_does(**_: Any) -> None:
    """Workers log by LOGGING, which blanks personal data; Celery's own way of logging would print every argument."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
