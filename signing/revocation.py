"""Revocation from evidence already at hand: CRLs and OCSP answers, each believed only when its issuer signed it.

`RevocationCache.as_of` gives the `RevocationSource` of the house. It never reaches for the network: `signing.online`
fetches in the background and adds what it got. Evidence is judged for the signing time: a later list still tells of an
earlier revocation, and one that has run out by then proves nothing. It also must be fresh when the verdict is reached:
after a list or an answer older than `Freshness` allows, anything may have been revoked. What is dated ahead of the
verdict clears nobody yet.
"""

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp

from signing.trust.answers import answer_reason, asks_of, is_answer_understood, signer_of, tells_of_expired
from signing.trust.lists import (
    UNREADABLE,
    Name,
    covers,
    entry_of,
    is_authority,
    is_understood,
    is_whole,
    may_sign_lists,
    name_of,
    reason_of,
)  # fmt: skip
from signing.trust.revoked import STALE, RevocationAnswer, RevocationState

# RFC 6960 § 4.2.2.2.1 and RFC 5280 § 5.1.2.5: without nextUpdate the answer speaks for its own moment only.
_WITHOUT_NEXT = timedelta(hours=24)
# How far the clock of whoever made the evidence may run before ours.
AHEAD = timedelta(minutes=5)
_HOLD = x509.ReasonFlags.certificate_hold.value
# What ends a responder's work, but casts no doubt on what it said before.
_RETIRED = frozenset(
    reason.value
    for reason in (
        x509.ReasonFlags.affiliation_changed, x509.ReasonFlags.superseded, x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.certificate_hold,
    )
)  # fmt: skip
_EVER = datetime.min.replace(tzinfo=UTC)
_MOST_ANSWERS = 50_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old evidence may be. For a signer's certificate; an authority's holds as long as its issuer says.

    `max_age`: since it was produced, when the verdict is reached. `before_signing`: how long before the signature it
    may have been produced. Of a certificate that has expired since, nothing newer can be told: only the second asks.
    """

    max_age: timedelta = timedelta(hours=24)
    before_signing: timedelta = timedelta(hours=24)


_BOUND = Freshness()


@dataclass(frozen=True, slots=True)
class _List:
    """A CRL whose form is usable; whether its issuer signed it is asked per issuer."""

    crl: x509.CertificateRevocationList
    sha256: str
    start: datetime
    end: datetime
    # whether a certificate that it does not name is good; if not, it only tells of revocations
    clears: bool = True


@dataclass(frozen=True, slots=True)
class _Single:
    """An OCSP answer on one certificate."""

    answer: ocsp.OCSPResponse
    sha256: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class _Good:
    """One proof that a certificate was not revoked: for signatures from `since` to `until`, produced at `made`."""

    since: datetime
    until: datetime
    made: datetime
    answer: RevocationAnswer
    # the revocation that it tells of; None when it tells of none
    before: datetime | None = None

    def speaks_of(self, at: datetime) -> bool:
        return self.since <= at <= self.until and (self.before is None or at < self.before)


@dataclass(frozen=True, slots=True)
class _Told:
    """A revocation, and when the evidence that tells of it was produced."""

    answer: RevocationAnswer
    at: datetime
    made: datetime


@dataclass(slots=True)
class _Known:
    """All that the evidence says of one certificate: revocations, and the times for which it was shown to be good."""

    generation: int
    is_authority: bool
    not_after: datetime
    revoked: list[_Told] = field(default_factory=list)
    good: list[_Good] = field(default_factory=list)

    def revocation(self, at: datetime, now: datetime) -> RevocationAnswer | None:
        """The earliest revocation that stands at the time `at`, as known at `now`."""
        for told in self.revoked:
            if told.at <= at and not self._is_lifted(told, min(at, now + AHEAD)):
                return told.answer
        return None

    def _is_lifted(self, told: _Told, by: datetime) -> bool:
        # RFC 5280 § 5.3.1: only a hold ends. It ended at the latest when newer evidence no longer told of it; nobody
        # says when before, so that a signature of the time between stays refused.
        return told.answer.reason == _HOLD and any(
            proof.before is None and told.made < proof.made <= by for proof in self.good
        )

    def proves(self, proof: _Good, at: datetime, now: datetime, freshness: Freshness) -> bool:
        """Whether `proof` answers at `now` for a signature of the time `at`, of which it speaks."""
        current = self.not_after < now or proof.until >= now
        if self.is_authority or not current:
            return current
        fresh = self.not_after < now or proof.made >= now - freshness.max_age
        return fresh and proof.made >= at - freshness.before_signing


@dataclass(frozen=True, slots=True)
class RevocationView:
    """A `RevocationSource`: what the evidence of a cache is worth at the moment of a verdict."""

    cache: "RevocationCache"
    now: datetime
    freshness: Freshness

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        """State of `certificate` (DER), issued by `issuer` (DER), at the time `at`. Never raises."""
        return self.cache.status(certificate, issuer, at=at, now=self.now, freshness=self.freshness)


class RevocationCache:
    """Evidence added so far, and what it says. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lists: dict[Name, list[_List]] = defaultdict(list)
        self._singles: dict[int, list[_Single]] = defaultdict(list)
        self._known: set[str] = set()
        self._signed: dict[tuple[str, str], bool] = {}
        self._signers: dict[tuple[str, str], x509.Certificate | None] = {}
        self._answers: dict[tuple[bytes, bytes], _Known] = {}
        self._lock = threading.Lock()

    def add_crl(self, data: bytes) -> str | None:
        """Add a CRL (DER or PEM); its SHA-256, or None when it is of a form that proves nothing here."""
        try:
            pem = data.lstrip().startswith(b"-----BEGIN")
            crl = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
            if not is_whole(crl):
                return None
            digest, start = hashlib.sha256(data).hexdigest(), crl.last_update_utc
            entry = _List(crl, digest, start, crl.next_update_utc or start + _WITHOUT_NEXT, is_understood(crl))
            issuer = name_of(crl.issuer)
        except UNREADABLE:
            return None
        with self._lock:
            if digest not in self._known:
                self._known.add(digest)
                self._lists[issuer].append(entry)
                self._lists[issuer].sort(key=lambda item: item.start)
        return digest

    def add_ocsp(self, data: bytes) -> str | None:
        """Add an OCSP answer (DER); its SHA-256, or None when it answers nothing."""
        try:
            answer = ocsp.load_der_ocsp_response(data)
            if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or not is_answer_understood(answer):
                return None
            digest, start = hashlib.sha256(data).hexdigest(), answer.this_update_utc
            entry = _Single(answer, digest, start, answer.next_update_utc or start + _WITHOUT_NEXT)
            serial = answer.serial_number
        except UNREADABLE:
            return None
        with self._lock:
            if digest not in self._known:
                self._known.add(digest)
                self._singles[serial].append(entry)
        return digest

    def is_signed_by(self, crl: bytes, issuer: bytes) -> bool:
        """Whether a CRL that was added (DER) is signed by `issuer` (DER), which may sign lists."""
        digest = hashlib.sha256(crl).hexdigest()
        with self._lock:
            entries = [item for items in self._lists.values() for item in items if item.sha256 == digest]
        return bool(entries) and self._is_signed(entries[0], x509.load_der_x509_certificate(issuer), issuer)

    def as_of(self, now: datetime, freshness: Freshness = _BOUND) -> RevocationView:
        """The source to hand to a verification that reaches its verdict at `now`."""
        return RevocationView(self, now, freshness)

    def status(
        self, certificate: bytes, issuer: bytes, *, at: datetime, now: datetime, freshness: Freshness = _BOUND
    ) -> RevocationAnswer:
        """State of `certificate` (DER), issued by `issuer` (DER), at the time `at`, as known at `now`. Never raises.

        What is known of a certificate is worked out once and holds until evidence is added: asking costs a look-up.
        """
        known = self._known_of(certificate, issuer)
        if known is None:
            return RevocationAnswer(RevocationState.UNKNOWN, detail="CERTIFICATE_UNREADABLE")
        # A revocation told by anyone entitled to tell it outweighs every list that does not know of it yet.
        revocation = known.revocation(at, now)
        if revocation is not None:
            return revocation
        spoken = [proof for proof in known.good if proof.speaks_of(at) and not is_ahead(proof.made, now)]
        for proof in spoken:
            if known.proves(proof, at, now, freshness):
                return proof.answer
        return RevocationAnswer(RevocationState.UNKNOWN, detail=STALE if spoken else "NO_EVIDENCE_FOR_THAT_TIME")

    def _known_of(self, certificate: bytes, issuer: bytes) -> "_Known | None":
        key = (certificate, issuer)
        with self._lock:
            generation, known = len(self._known), self._answers.get(key)
        if known is not None and known.generation == generation:
            return known
        try:
            leaf, authority = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
            known = _Known(generation, is_authority(leaf), leaf.not_valid_after_utc)
        except UNREADABLE:
            return None
        self._by_lists(leaf, authority, issuer, known)
        self._by_singles(leaf, authority, issuer, known)
        known.revoked.sort(key=lambda told: told.at)
        with self._lock:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = known
        return known

    def _by_lists(self, leaf: x509.Certificate, authority: x509.Certificate, issuer: bytes, known: "_Known") -> None:
        with self._lock:
            lists = list(reversed(self._lists.get(name_of(leaf.issuer), ())))
        for item in lists:
            try:
                if not covers(item.crl, leaf) or not self._is_signed(item, authority, issuer):
                    continue
                entry = entry_of(item.crl, leaf.serial_number)
                revoked_at = None if entry is None else entry.revocation_date_utc
            except UNREADABLE:
                continue  # what cannot be read proves nothing, and stops no other evidence
            # A list made later is as good, as long as the certificate had not expired and fallen off it.
            start = _EVER if leaf.not_valid_after_utc >= item.start else item.start
            if item.clears:
                known.good.append(_Good(start, item.end, item.start, _good(item.sha256), revoked_at))
            if entry is not None and revoked_at is not None:
                known.revoked.append(_revoked(revoked_at, reason_of(entry), item))

    def _by_singles(self, leaf: x509.Certificate, authority: x509.Certificate, issuer: bytes, known: "_Known") -> None:
        with self._lock:
            singles = list(self._singles.get(leaf.serial_number, ()))
        for item in singles:
            try:
                if not asks_of(item.answer, leaf, authority) or not self._is_answered(item, authority, issuer):
                    continue
                status, revoked_at = item.answer.certificate_status, item.answer.revocation_time_utc
                remembers = leaf.not_valid_after_utc >= item.start or tells_of_expired(item.answer, leaf)
            except UNREADABLE:
                continue
            if status is ocsp.OCSPCertStatus.REVOKED and revoked_at is not None:
                known.revoked.append(_revoked(revoked_at, answer_reason(item.answer), item))
                known.good.append(_Good(_EVER, item.end, item.start, _good(item.sha256), revoked_at))
            elif status is ocsp.OCSPCertStatus.GOOD:
                # Of a certificate that has expired a responder may have forgotten all, like a list.
                known.good.append(_Good(_EVER if remembers else item.start, item.end, item.start, _good(item.sha256)))

    def _is_signed(self, item: _List, authority: x509.Certificate, issuer: bytes) -> bool:
        key = (item.sha256, hashlib.sha256(issuer).hexdigest())
        if key not in self._signed:
            public = authority.public_key()
            if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not may_sign_lists(authority):
                self._signed[key] = False
            else:
                try:
                    self._signed[key] = item.crl.is_signature_valid(public)
                except UNREADABLE:
                    self._signed[key] = False
        return self._signed[key]

    def _is_answered(self, item: _Single, authority: x509.Certificate, issuer: bytes) -> bool:
        key = (item.sha256, hashlib.sha256(issuer).hexdigest())
        if key not in self._signers:
            self._signers[key] = signer_of(item.answer, authority)
        signer = self._signers[key]
        if signer is None or signer == authority:
            return signer is not None
        # A delegate may be revoked itself: what the lists at hand say of it counts. (Its own answers would not.)
        delegate = _Known(0, False, signer.not_valid_after_utc)
        self._by_lists(signer, authority, issuer, delegate)
        compromised = any(told.answer.reason not in _RETIRED for told in delegate.revoked)
        return not compromised and delegate.revocation(item.start, item.start) is None


def is_ahead(made: datetime, now: datetime) -> bool:
    """Whether evidence is dated later than the clocks of two machines may differ."""
    return made > now + AHEAD


def _good(evidence: str) -> RevocationAnswer:
    return RevocationAnswer(RevocationState.GOOD, evidence=(evidence,))


def _revoked(at: datetime, reason: str, item: _List | _Single) -> _Told:
    answer = RevocationAnswer(RevocationState.REVOKED, revoked_at=at, reason=reason, evidence=(item.sha256,))
    return _Told(answer, at, item.start)
