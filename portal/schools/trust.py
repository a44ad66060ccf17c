"""Whom the province believes: the loaded anchors as a `TrustStore`, made once per process and per set of anchors.

The set is asked for by fingerprints (one small query); only a set that has changed is read and parsed again.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import transaction

from portal.audit import journal
from portal.schools.models import TrustAnchor
from portal.schools.revocation import Witness, witness
from signing.trust import CertificateFacts, TrustStore, read_certificate


def trust_store() -> TrustStore:
    """The anchors and intermediates in use now. An empty set is a store that trusts nobody."""
    fingerprints = TrustAnchor.objects.filter(is_active=True).order_by("sha256").values_list("sha256", flat=True)
    return _store(tuple(fingerprints))


@lru_cache(maxsize=4)
def _store(fingerprints: tuple[str, ...]) -> TrustStore:
    rows = TrustAnchor.objects.filter(sha256__in=fingerprints).values_list("der", flat=True)
    return TrustStore.from_certificates([bytes(der) for der in rows])


def revocation_source(*, now: datetime) -> Witness:
    """What the CRLs and OCSP answers that were fetched and kept say at `now`; without any, every answer is UNKNOWN."""
    return witness(now=now)


@transaction.atomic
def load(*, data: bytes, actor: Any | None, now: datetime) -> TrustAnchor:
    """Load one CA certificate (PEM or DER). Loading it again switches it on. Raises `TrustStoreUnreadable`."""
    facts = read_certificate(data)
    anchor, _ = TrustAnchor.objects.update_or_create(
        sha256=facts.sha256,
        defaults={"is_active": True},
        create_defaults={
            "kind": _kind(facts),
            "der": facts.der,
            "subject": facts.subject[:500],
            "not_after": facts.not_after,
            "loaded_at": now,
            "loaded_by": actor,
        },
    )
    journal.record(
        action="trust.loaded", now=now, actor=actor, subject=("trust_anchor", anchor.pk),
        detail={"sha256": facts.sha256},
    )  # fmt: skip
    return anchor


@transaction.atomic
def switch_off(*, anchor: TrustAnchor, actor: Any, reason: str, now: datetime) -> None:
    """Stop believing an authority; what it signed is refused from now on."""
    TrustAnchor.objects.filter(pk=anchor.pk).update(is_active=False)
    journal.record(
        action="trust.switched_off", now=now, actor=actor, subject=("trust_anchor", anchor.pk), reason=reason,
        detail={"sha256": anchor.sha256},
    )  # fmt: skip


def _kind(facts: CertificateFacts) -> str:
    return TrustAnchor.Kind.ANCHOR if facts.subject == facts.issuer else TrustAnchor.Kind.INTERMEDIATE
