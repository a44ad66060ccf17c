"""How large a document may be: the description's limit, or less while we remember that the Ministry refused a smaller.

A memory is dropped when it is old, when the description's own limit changes, or when an officer says so: the Ministry
may have raised its limit, and trying costs one refused package whose records travel on in smaller ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from gateway.conf import EndpointDescription
from gateway.models import Endpoint


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was refused as too big, when, and until when packages stay below `limit` because of it."""

    refused_bytes: int
    refused_at: datetime
    limit: int
    until: datetime


def remember(endpoint: Endpoint, document_bytes: int, *, description: EndpointDescription, now: datetime) -> None:
    """The smallest document that was refused as too big counts; what is forgotten does not count any more."""
    Endpoint.objects.filter(
        Q(refused_bytes__isnull=True)
        | Q(refused_bytes__gt=document_bytes)
        | Q(refused_at__isnull=True)
        | Q(refused_at__lte=now - _patience(description))
        | ~Q(refused_under=description.max_document_bytes),
        pk=endpoint.pk,
    ).update(refused_bytes=document_bytes, refused_at=now, refused_under=description.max_document_bytes)


def remembered(description: EndpointDescription, *, now: datetime) -> Remembered | None:
    """The memory that still counts; None when there is none."""
    names = ("refused_bytes", "refused_at", "refused_under")
    row = Endpoint.objects.filter(name=description.name).values_list(*names).first()
    if row is None or row[0] is None or row[1] is None or row[2] != description.max_document_bytes:
        return None
    until = row[1] + _patience(description)
    if until <= now:
        return None
    return Remembered(row[0], row[1], min(description.max_document_bytes, row[0] * 9 // 10), until)


def limit(description: EndpointDescription, *, now: datetime) -> int:
    """How many bytes a sealed document may have now."""
    found = remembered(description, now=now)
    return description.max_document_bytes if found is None else found.limit


def forget(endpoint: Endpoint) -> bool:
    """Whoever answers for the line says that the Ministry takes larger packages; True if there was something."""
    held = Endpoint.objects.filter(pk=endpoint.pk, refused_bytes__isnull=False)
    return bool(held.update(refused_bytes=None, refused_at=None, refused_under=None))


def _patience(description: EndpointDescription) -> timedelta:
    return timedelta(days=description.sending.refused_size_days)
