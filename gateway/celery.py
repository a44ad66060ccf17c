"""The Celery application `hocba`. Everything it does is in settings; everything it forgets is in rows."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")

app = Celery("hocba")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
