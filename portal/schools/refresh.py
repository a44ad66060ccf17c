"""Fetching evidence of revocation in the background: lists and OCSP answers, before the ones at hand run out.

Never called from a request or a verification. One asker per source at a time (a row lock, then a lease in
`next_check_at`); no transaction is open while the network is waited for; only what its issuer signed is stored, and
what is stored is never removed.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from portal.schools.conf import trust_conf
from portal.schools.models import (
    Certificate,
    EvidenceSource,
    OcspAnswer,
    RevocationList,
    SeenCertificate,
    TrustAnchor,
)
from portal.schools.revocation import note_sources
from portal.schools.trust import trust_store
from signing import distribution, online
from signing.distribution import Evidence, EvidenceUnusable
from signing.errors import SigningError
from signing.trust import ChainVerdict, build_chain, read_certificate

logger = logging.getLogger(__name__)

_LEASE = timedelta(minutes=5)
_LOCK = 0x0E51
_SOONEST, _LONGEST = timedelta(minutes=10), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one run did."""

    asked: int = 0
    stored: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class SourceAway:
    """A source that does not answer: what to tell people."""

    url: str
    kind: str
    since: datetime
    code: str
    alarming: bool


def refresh(*, now: datetime, until: Callable[[], bool] = lambda: False, ahead: timedelta = timedelta()) -> Refreshed:
    """Ask every source that is due (`ahead`: or will be by then), until told to stop."""
    if not trust_conf().fetch:
        return Refreshed()
    note_authorities(now=now)
    asked = stored = failed = 0
    tried: set[int] = set()
    while not until():
        source = _claim(now, now + ahead, tried)
        if source is None:
            break
        tried.add(source.pk)
        asked += 1
        try:
            stored += _ask(source, now)
        except SigningError as problem:
            failed += 1
            _failed(source, problem.code, now)
    return Refreshed(asked, stored, failed)


def prewarm(*, now: datetime, until: Callable[[], bool] = lambda: False) -> Refreshed:
    """Nightly: learn the sources of every registered certificate, then fetch what would fall due during the day."""
    note_registered(now=now)
    return refresh(now=now, until=until, ahead=timedelta(hours=14))


def note_authorities(*, now: datetime) -> None:
    """Sources of the loaded authorities: a record whose signer is unknown never gets as far as asking about them."""
    _note(TrustAnchor.objects.filter(is_active=True, kind=TrustAnchor.Kind.INTERMEDIATE), now)


def note_registered(*, now: datetime) -> None:
    """Sources of the loaded authorities and of approved certificates, before any record needs them."""
    note_authorities(now=now)
    _note(Certificate.objects.filter(state=Certificate.State.APPROVED, not_after__gt=now), now)


def _note(rows: QuerySet[TrustAnchor] | QuerySet[Certificate], now: datetime) -> None:
    store = trust_store()
    for der in rows.values_list("der", flat=True):
        chain = build_chain(read_certificate(bytes(der)), store, at=now)
        if chain.verdict is ChainVerdict.VALID:
            for one, issuer in zip(chain.certificates, chain.certificates[1:], strict=False):
                note_sources(one.der, issuer.der, with_responder=False, now=now)


def away(*, now: datetime) -> list[SourceAway]:
    """Sources that do not answer, longest first: shown to the department."""
    alarm = timedelta(hours=trust_conf().alarm_after_hours)
    rows = EvidenceSource.objects.filter(failing_since__isnull=False, next_check_at__isnull=False)
    return [
        SourceAway(row.url, row.kind, row.failing_since, row.failure_code, now - row.failing_since >= alarm)
        for row in rows.order_by("failing_since")[:50]
        if row.failing_since is not None
    ]


def _claim(now: datetime, due: datetime, tried: set[int]) -> EvidenceSource | None:
    """One due source, ours for a few minutes; nobody else asks it meanwhile."""
    with transaction.atomic():
        rows = EvidenceSource.objects.select_for_update(skip_locked=True).filter(next_check_at__lte=due)
        source = rows.exclude(pk__in=tried).order_by("next_check_at").first()
        if source is not None:
            EvidenceSource.objects.filter(pk=source.pk).update(next_check_at=now + _LEASE, checked_at=now)
        return source


def _ask(source: EvidenceSource, now: datetime) -> int:
    issuer = _certificate(source.issuer_sha256)
    if source.kind == EvidenceSource.Kind.CRL:
        limit = trust_conf().max_list_bytes
        found = distribution.read_list(online.fetch(source.url, trust_conf().link, limit=limit), issuer, now=now)
        new = keep_list(found, issuer, source=source.url, now=now)
    else:
        certificate = _certificate(source.certificate_sha256)
        if read_certificate(certificate).not_after <= now:
            EvidenceSource.objects.filter(pk=source.pk).update(next_check_at=None)  # nothing new can be told
            return 0
        question = distribution.ocsp_request(certificate, issuer)
        data = online.post(source.url, question, distribution.OCSP_REQUEST_TYPE, trust_conf().link, limit=1 << 20)
        found = distribution.read_answer(data, certificate, issuer, now=now)
        new = _keep_answer(found, source, now)
    if found.next_update is not None and found.next_update <= now:
        # Kept, for it may prove something of the past; but the source gives nothing for today.
        raise EvidenceUnusable("EVIDENCE_STALE", "Nguồn trả về danh sách đã hết hạn.")
    EvidenceSource.objects.filter(pk=source.pk).update(
        succeeded_at=now, failing_since=None, failures=0, failure_code="", next_check_at=_next(found, now)
    )
    return int(new)


def _next(found: Evidence, now: datetime) -> datetime:
    """Well before it runs out or is too old for a verdict, and at the latest when the setting says; not in a hurry."""
    latest = now + trust_conf().longest_wait
    if found.next_update is None:
        latest = min(latest, now + timedelta(hours=12))
    else:
        margin = min(timedelta(hours=12), (found.next_update - found.this_update) / 4)
        latest = min(latest, found.next_update - margin)
    ageing = found.this_update + trust_conf().freshness.max_age * 3 / 4
    # A list that was old already when it came is looked for hourly: verdicts wait for a newer one.
    latest = min(latest, ageing if ageing > now else now + _LONGEST)
    return max(latest, now + _SOONEST)


def _failed(source: EvidenceSource, code: str, now: datetime) -> None:
    logger.warning("evidence_source_away source=%s code=%s failures=%s", source.pk, code, source.failures + 1)
    wait = min(timedelta(minutes=1) * 2 ** min(source.failures, 6), _LONGEST)
    EvidenceSource.objects.filter(pk=source.pk).update(
        failures=F("failures") + 1,
        failure_code=code[:40],
        failing_since=source.failing_since or now,
        next_check_at=now + wait,
    )


def keep_list(found: Evidence, issuer: bytes, *, source: str, now: datetime) -> bool:
    """Store a list that its issuer signed; False when it is there already."""
    with _in_turn():
        _, created = RevocationList.objects.get_or_create(
            sha256=found.sha256,
            defaults={
                "issuer_sha256": hashlib.sha256(issuer).hexdigest(),
                "der": found.der,
                "this_update": found.this_update,
                "next_update": found.next_update,
                "fetched_at": now,
                "source": source[:500],
            },
        )
    return created


def _keep_answer(found: Evidence, source: EvidenceSource, now: datetime) -> bool:
    with _in_turn():
        _, created = OcspAnswer.objects.get_or_create(
            sha256=found.sha256,
            defaults={
                "certificate_sha256": source.certificate_sha256,
                "issuer_sha256": source.issuer_sha256,
                "der": found.der,
                "this_update": found.this_update,
                "next_update": found.next_update,
                "fetched_at": now,
                "source": source.url,
            },
        )
    return created


@contextmanager
def _in_turn() -> Iterator[None]:
    """One writer of evidence at a time, until it has committed: then numbers become visible in their order, and
    whoever has noted the last one (`revocation.mark`) has seen them all."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def load_list(*, data: bytes, source: str, now: datetime) -> bool:
    """A list that came as a file. Raises `EvidenceUnusable` when no known authority signed it."""
    for issuer in _authorities():
        try:
            found = distribution.read_list(data, issuer, now=now)
        except EvidenceUnusable as problem:
            if problem.code != "CRL_NOT_BY_ISSUER":
                raise
            continue
        return keep_list(found, issuer, source=source, now=now)
    raise EvidenceUnusable("CRL_NOT_BY_ISSUER", "Danh sách thu hồi không do cơ quan cấp chứng thư nào đã nạp ký.")


def _authorities() -> Iterator[bytes]:
    for der in TrustAnchor.objects.filter(is_active=True).values_list("der", flat=True):
        yield bytes(der)
    issuers = SeenCertificate.objects.values("issuer_sha256")
    known = SeenCertificate.objects.exclude(der=b"").filter(Q(issuer_sha256="") | Q(sha256__in=issuers))
    for der in known.values_list("der", flat=True):
        yield bytes(der)


def _certificate(fingerprint: str) -> bytes:
    """A certificate that a source belongs to, wherever it is kept."""
    for model in (TrustAnchor, SeenCertificate, Certificate):
        der = model._default_manager.filter(sha256=fingerprint).values_list("der", flat=True).first()
        if der is not None:
            return bytes(der)
    raise EvidenceUnusable("ISSUER_UNKNOWN", "Không còn giữ chứng thư của nơi cấp này.")
