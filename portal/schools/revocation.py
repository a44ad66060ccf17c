"""Revocation as admission asks for it: answers from the lists and OCSP answers that were fetched and kept.

One set of evidence per process, loaded again when rows come; the newest list of each issuer stands ready, older ones
are read when a signing time needs them. A `Witness` (one per batch) remembers what was relied on, and `keep` writes it
once per certificate and evidence. Nothing here fetches: an answer that is missing means that the record waits.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection
from django.db.models import F, Max, Min

from portal.schools.conf import trust_conf
from portal.schools.models import CertificateEvidence, EvidenceSource, OcspAnswer, RevocationList, SeenCertificate
from signing import distribution
from signing.revocation import AHEAD, RevocationCache
from signing.trust import RevocationAnswer, RevocationState

_Range = tuple[datetime, datetime]


@dataclass
class _Evidence:
    """What this process has read of the two tables, and the marks by which it notices that they grew."""

    marks: tuple[int | None, ...]
    cache: RevocationCache = field(default_factory=RevocationCache)
    answers_read: set[str] = field(default_factory=set)
    lists_read: set[tuple[str, datetime]] = field(default_factory=set)
    written: dict[str, _Range] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


_held: list[_Evidence] = []


def witness(*, now: datetime) -> "Witness":
    """A revocation source over everything that is kept, for verdicts reached at `now`.

    One cheap question decides whether rows have come.
    """
    return Witness(_current(), now)


@dataclass(frozen=True, slots=True)
class Mark:
    """The last list and the last answer that are stored; the same mark means that nothing has come."""

    lists: int
    answers: int


@dataclass(frozen=True, slots=True)
class News:
    """What has come: the last list by issuer, the last answer by certificate, named by their SHA-256."""

    lists: Mapping[str, int]
    answers: Mapping[str, int]

    def concerns(self, names: Iterable[str], *, since: Mark) -> bool:
        """Whether there is news of one of these certificates or issuers."""
        return any(self.lists.get(one, 0) > since.lists or self.answers.get(one, 0) > since.answers for one in names)


def mark() -> Mark:
    lists, answers = (model._default_manager.aggregate(last=Max("id")) for model in (RevocationList, OcspAnswer))
    return Mark(lists["last"] or 0, answers["last"] or 0)


def news(*, since: Mark) -> News:
    """Everything that came after the mark."""
    lists = RevocationList.objects.filter(id__gt=since.lists).order_by().values_list("issuer_sha256")
    answers = OcspAnswer.objects.filter(id__gt=since.answers).order_by().values_list("certificate_sha256")
    return News(dict(lists.annotate(last=Max("id"))), dict(answers.annotate(last=Max("id"))))


def _current() -> _Evidence:
    lists = RevocationList.objects.aggregate(first=Min("id"), last=Max("id"))
    answers = OcspAnswer.objects.aggregate(first=Min("id"), last=Max("id"))
    marks = (lists["first"], lists["last"], answers["first"], answers["last"])
    if not _held or _held[0].marks != marks:
        _held[:] = [_load(marks)]
    return _held[0]


def _load(marks: tuple[int | None, ...]) -> _Evidence:
    evidence = _Evidence(marks)
    # One that was dated ahead when it came is not the newest: it would hide what came after it.
    timely = RevocationList.objects.filter(this_update__lte=F("fetched_at") + AHEAD)
    newest = timely.order_by("issuer_sha256", "-this_update").distinct("issuer_sha256")
    for der in newest.values_list("der", flat=True):
        evidence.cache.add_crl(bytes(der))
    return evidence


class Witness:
    """A `signing.trust.RevocationSource` whose answers can be told from each other by the digest of their evidence."""

    def __init__(self, evidence: _Evidence, now: datetime) -> None:
        self._evidence = evidence
        self._freshness = trust_conf().freshness
        self._source = evidence.cache.as_of(now, self._freshness)
        self._told: dict[tuple[bytes, bytes, RevocationAnswer], str] = {}
        self._rows: dict[str, tuple[str, str, RevocationAnswer]] = {}
        self._ranges: dict[str, _Range] = {}
        self._met: dict[bytes, tuple[bytes, bool]] = {}

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        """State of `certificate` at the time `at`; `evidence` names the row of CertificateEvidence relied on."""
        answer = self._ask(certificate, issuer, at)
        unknown = answer.state is RevocationState.UNKNOWN
        if certificate not in self._met or unknown:
            self._met[certificate] = (issuer, unknown)
        if unknown:
            return answer
        digest = self._told.get((certificate, issuer, answer))
        if digest is None:
            digest = self._told[certificate, issuer, answer] = self._describe(certificate, issuer, answer)
        start, end = self._ranges.get(digest, (at, at))
        self._ranges[digest] = (min(start, at), max(end, at))
        return replace(answer, evidence=(digest,))

    @property
    def missing(self) -> frozenset[str]:
        """SHA-256 of every certificate about which nothing is known, and of its issuer: a list or an answer helps."""
        unknown = [(der, issuer) for der, (issuer, is_unknown) in self._met.items() if is_unknown]
        return frozenset(_sha256(one) for pair in unknown for one in pair)

    def keep(self, *, now: datetime) -> None:
        """Write what was relied on and which certificates were met; what stands there already costs nothing."""
        _keep_evidence(self._evidence, self._rows, self._ranges, now)
        _keep_seen(self._evidence, self._met, now)

    def _ask(self, certificate: bytes, issuer: bytes, at: datetime) -> RevocationAnswer:
        evidence = self._evidence
        if evidence.marks[3] is not None:
            _read_answers(evidence, certificate)
        answer = self._source.status(certificate, issuer, at=at)
        if answer.state is RevocationState.UNKNOWN and evidence.marks[1] is not None:
            _read_older_lists(evidence, issuer, at, at - self._freshness.before_signing)
            answer = self._source.status(certificate, issuer, at=at)
        return answer

    def _describe(self, certificate: bytes, issuer: bytes, answer: RevocationAnswer) -> str:
        names = (_sha256(certificate), _sha256(issuer))
        revoked_at = answer.revoked_at.isoformat() if answer.revoked_at else None
        said = [*names, answer.state.value, revoked_at, answer.reason, list(answer.evidence)]
        digest = _sha256(json.dumps(said, separators=(",", ":")).encode())
        self._rows[digest] = (*names, answer)
        return digest


def _read_answers(evidence: _Evidence, certificate: bytes) -> None:
    """Every answer on this certificate, read when it is first met."""
    fingerprint = _sha256(certificate)
    if fingerprint not in evidence.answers_read:
        evidence.answers_read.add(fingerprint)
        for der in OcspAnswer.objects.filter(certificate_sha256=fingerprint).values_list("der", flat=True):
            evidence.cache.add_ocsp(bytes(der))


def _read_older_lists(evidence: _Evidence, issuer: bytes, at: datetime, earliest: datetime) -> None:
    """Those of the signing time: a certificate that has expired since stands on no newer one."""
    key = (_sha256(issuer), at.replace(minute=0, second=0, microsecond=0))
    if key not in evidence.lists_read:
        evidence.lists_read.add(key)
        of_issuer = RevocationList.objects.filter(issuer_sha256=key[0]).order_by("this_update")
        for rows in (of_issuer.filter(next_update__gte=at), of_issuer.filter(this_update__gte=earliest)):
            for der in rows.values_list("der", flat=True)[:2]:
                evidence.cache.add_crl(bytes(der))


def _keep_evidence(
    known: _Evidence, rows: dict[str, tuple[str, str, RevocationAnswer]], ranges: dict[str, _Range], now: datetime
) -> None:
    for digest, (start, end) in ranges.items():
        written = known.written.get(digest)
        if written is not None and written[0] <= start and end <= written[1]:
            continue
        _insert(digest, rows[digest], (start, end), now)
        known.written[digest] = (min(start, written[0]), max(end, written[1])) if written else (start, end)


def _insert(digest: str, row: tuple[str, str, RevocationAnswer], judged: _Range, now: datetime) -> None:
    certificate, issuer, answer = row
    table = CertificateEvidence._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {table} AS e (digest, certificate_sha256, issuer_sha256, state, revoked_at, reason, evidence,
                                      judged_from, judged_until, first_used_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (digest) DO UPDATE
               SET judged_from = LEAST(e.judged_from, excluded.judged_from),
                   judged_until = GREATEST(e.judged_until, excluded.judged_until)
            """,  # noqa: S608 - the table's own name
            [digest, certificate, issuer, answer.state.value, answer.revoked_at, answer.reason[:60],
             list(answer.evidence), judged[0], judged[1], now],
        )  # fmt: skip


def _keep_seen(known: _Evidence, met: dict[bytes, tuple[bytes, bool]], now: datetime) -> None:
    new = {der: told for der, told in met.items() if _mark(der, told) not in known.seen}
    if not new:
        return
    rows = [
        SeenCertificate(sha256=_sha256(der), der=der, issuer_sha256=_sha256(issuer), first_seen_at=now)
        for der, (issuer, _) in new.items()
    ]
    # A row may be there that only knows the certificate as an issuer, or as the holder of a claim.
    SeenCertificate.objects.bulk_create(
        sorted(rows, key=lambda row: row.sha256),
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["der", "issuer_sha256"],
    )
    issuers = {_sha256(issuer): issuer for issuer, _ in new.values() if issuer not in new}
    above = [
        SeenCertificate(sha256=fingerprint, der=der, issuer_sha256="", first_seen_at=now)
        for fingerprint, der in sorted(issuers.items())
    ]
    SeenCertificate.objects.bulk_create(above, ignore_conflicts=True)
    for der, (issuer, waits) in new.items():
        note_sources(der, issuer, with_responder=waits, now=now)
    known.seen.update(_mark(der, told) for der, told in new.items())


def _mark(der: bytes, told: tuple[bytes, bool]) -> str:
    return f"{_sha256(der)}{'?' if told[1] else ''}"


def note_sources(certificate: bytes, issuer: bytes, *, with_responder: bool, now: datetime) -> None:
    """Remember where this certificate's revocation can be learnt, so that the refresh will ask there.

    Lists serve thousands of certificates at once; the responder is asked only where there is no list or none arrived.
    """
    lists = distribution.list_addresses(certificate)
    rows = list(_sources(EvidenceSource.Kind.CRL, lists, _sha256(issuer), "", now))
    if with_responder or not lists:
        addresses = distribution.responder_addresses(certificate)
        rows += _sources(EvidenceSource.Kind.OCSP, addresses, _sha256(issuer), _sha256(certificate), now)
    if rows:
        EvidenceSource.objects.bulk_create(rows, ignore_conflicts=True)


def _sources(
    kind: str, addresses: Iterable[str], issuer: str, certificate: str, now: datetime
) -> Iterable[EvidenceSource]:
    for url in addresses:
        if len(url) <= 500:
            yield EvidenceSource(
                kind=kind, url=url, issuer_sha256=issuer, certificate_sha256=certificate, next_check_at=now
            )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
