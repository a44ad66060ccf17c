"""Celery's way into the journal: seal what has become final."""

from celery import shared_task
from django.utils import timezone

from portal.audit import anchoring


@shared_task(name="portal.audit.tasks.seal")
def seal() -> None:
    anchoring.seal(now=timezone.now())
