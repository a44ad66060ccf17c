"""Frees the space of documents whose every item has had its verdict long enough.

The digest, the items, every attempt and every raw receipt stay for ever; the document can be made again from the
records it was packed from. Never touches a submission that is still on its way.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.models import Document
from gateway.states import SubmissionState


def drop_documents(*, now: datetime, keep: timedelta, limit: int = 500) -> int:
    """Delete the stored document of up to `limit` submissions closed before `now - keep`."""
    old = Document.objects.filter(
        submission__state__in=[SubmissionState.ANSWERED, SubmissionState.REFUSED],
        submission__closed_at__lt=now - keep,
    ).values_list("pk", flat=True)[:limit]
    deleted, _ = Document.objects.filter(pk__in=list(old)).delete()
    return deleted
