"""What the gateway asks of the portal, named in the settings: certificates to be watched, a seal on a statement.

The gateway knows no school and holds no key; it is handed values through these two functions and nothing else.
"""

from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from portal.records.conf import seal_profile, sealing_key
from portal.schools.models import Certificate, TrustAnchor
from signing.errors import KeyUnavailable
from signing.sealing import seal
from signing.trust import read_certificate


def certificates() -> list[tuple[str, str, str, datetime]]:
    """(role, title, sha256, not_after) of our seal, the schools' approved certificates, and our anchors."""
    return [*_seal(), *_schools(), *_anchors()]


def seal_statement(document: bytes, *, at: datetime) -> bytes:
    """The department's seal on a statement. Raises KeyUnavailable."""
    return seal(document, key=sealing_key(), profile=seal_profile(), at=at)


def seal_certificate() -> bytes:
    """The certificate of the department's sealing key, to be registered with the Ministry. Raises KeyUnavailable."""
    return sealing_key().certificate


def _seal() -> list[tuple[str, str, str, datetime]]:
    try:
        facts = read_certificate(sealing_key().certificate)
    except KeyUnavailable:
        return []  # dispatch says so where it hurts
    return [("SEAL", f"Chứng thư ký số của Sở ({facts.common_name})", facts.sha256, facts.not_after)]


def _schools() -> list[tuple[str, str, str, datetime]]:
    """Approved ones still in use, but not those that a later one of the same school has replaced already."""
    rows = (
        Certificate.objects.filter(Q(approved_until__isnull=True) | Q(approved_until__gt=timezone.now()))
        .filter(state=Certificate.State.APPROVED, school__is_active=True)
        .order_by("school_id", "-not_after")
        .distinct("school_id")
        .values_list("school__name", "sha256", "not_after")
    )
    return [("SCHOOL", f"Chứng thư số của {name}", sha256, until) for name, sha256, until in rows]


def _anchors() -> list[tuple[str, str, str, datetime]]:
    rows = TrustAnchor.objects.filter(is_active=True)
    return [("ANCHOR", f"Chứng thư gốc tin cậy {row}", row.sha256, row.not_after) for row in rows]
