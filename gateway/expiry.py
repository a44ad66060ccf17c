"""Warns about certificates that expire: at each threshold of the description once, to people, never twice.

Watches the connection's certificate and the pinned CA itself; whatever else the portal answers for (the department's
seal, the schools' certificates, trust anchors) it names through settings.GATEWAY_CERTIFICATES. Stops nothing: an
expired certificate is refused where it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from gateway import notices
from gateway.conf import EndpointDescription
from gateway.models import ExpiryNotice
from signing.errors import SigningError
from signing.trust import read_certificate

logger = logging.getLogger(__name__)

# Thresholds count days still left; this one stands for "it has expired".
EXPIRED: Final = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """One certificate somebody must renew in time."""

    role: str  # CONNECTION, MINISTRY_CA, SEAL, SCHOOL, ANCHOR
    title: str
    sha256: str
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        return (self.not_after - now).days


def watched(description: EndpointDescription) -> list[Watched]:
    """Every certificate that is watched, soonest to expire first."""
    line = description.connection
    found = [*_from_file("CONNECTION", line.client_certificate), *_from_file("MINISTRY_CA", line.ca)]
    source = getattr(settings, "GATEWAY_CERTIFICATES", "")
    if source:
        found += [Watched(*row) for row in import_string(source)()]
    return sorted(found, key=lambda one: one.not_after)


def warn(certificates: Iterable[Watched], *, thresholds: Sequence[int], endpoint: str, now: datetime) -> int:
    """Tell people about each certificate that crossed a threshold since the last run; how many were told."""
    told = 0
    for one in certificates:
        threshold = crossed(one.days_left(now), thresholds)
        if threshold is None:
            continue
        with transaction.atomic():
            _, new = ExpiryNotice.objects.get_or_create(
                sha256=one.sha256,
                threshold_days=threshold,
                defaults={"role": one.role, "title": one.title[:300], "not_after": one.not_after, "told_at": now},
            )
            if new:
                notices.tell(event="EXPIRES", endpoint=endpoint, cause=one.role, message=_sentence(one, now))
        told += int(new)
    return told


def crossed(days_left: int, thresholds: Sequence[int]) -> int | None:
    """The tightest threshold that so many days have reached; None while the certificate has long to go."""
    if days_left < 0:
        return EXPIRED
    return min((days for days in thresholds if days_left <= days), default=None)


def _sentence(one: Watched, now: datetime) -> str:
    left, until = one.days_left(now), f"{one.not_after:%d/%m/%Y}"
    if left < 0:
        return f"{one.title} đã hết hạn ngày {until}. Thay ngay chứng thư mới."
    return f"{one.title} còn {left} ngày (hết hạn {until}). Xin cấp và đăng ký chứng thư mới."


def _from_file(role: str, name: str) -> list[Watched]:
    path = Path(name) if name else None
    if path is None or not path.is_file():
        return []
    try:
        facts = read_certificate(path.read_bytes())
    except (OSError, SigningError):
        # The connection doctor names the file and what is wrong with it.
        logger.warning("certificate unreadable", extra={"role": role})
        return []
    title = "Chứng thư kết nối của Sở" if role == "CONNECTION" else "CA của Bộ đã ghim"
    return [Watched(role, f"{title} ({facts.common_name})", facts.sha256, facts.not_after)]
