"""Revocation judged at the signing time from CRLs and OCSP answers; what is not signed by the issuer proves nothing."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.distribution import EvidenceUnusable, read_answer, read_list
from signing.revocation import Freshness, RevocationCache
from signing.trust.revoked import STALE, RevocationState

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Issuer:
    """An authority `name` with a key, that issues certificates, lists and answers."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._certificate(self.name, self.key, 1, ca=True)

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, *, ca: bool, ocsp_signing: bool = False,
        extension: tuple[x509.ExtensionType, bool] | None = None,
    ) -> x509.Certificate:  # fmt: skip
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        built = built.serial_number(serial).not_valid_before(NOW - 300 * DAY).not_valid_after(NOW + 300 * DAY)
        built = built.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if ocsp_signing:
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        if extension is not None:
            built = built.add_extension(*extension)
        return built.sign(self.key, hashes.SHA256())

    def issue(
        self, serial: int, *, ocsp_signing: bool = False, extension: tuple[x509.ExtensionType, bool] | None = None
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Người mẫu {serial}")])
        return self._certificate(subject, key, serial, ca=False, ocsp_signing=ocsp_signing, extension=extension), key

    def crl(
        self, revoked: dict[int, datetime], *, at: datetime, days: int = 7, by: "Issuer | None" = None,
        reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
    ) -> bytes:  # fmt: skip
        built = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        built = built.last_update(at).next_update(at + days * DAY)
        for serial, moment in revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            built = built.add_revoked_certificate(entry.add_extension(x509.CRLReason(reason), critical=False).build())
        return built.sign((by or self).key, hashes.SHA256()).public_bytes(Encoding.DER)

    def answer(
        self,
        leaf: x509.Certificate,
        status: ocsp.OCSPCertStatus,
        *,
        at: datetime,
        days: int = 1,
        revoked_at: datetime | None = None,
        by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
        reason: x509.ReasonFlags | None = None,
        extension: tuple[x509.ExtensionType, bool] | None = None,
    ) -> bytes:
        certificate, key = by or (self.certificate, self.key)
        built = ocsp.OCSPResponseBuilder().add_response(
            cert=leaf,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=at,
            next_update=at + days * DAY,
            revocation_time=revoked_at,
            revocation_reason=reason,
        )
        built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate).certificates([certificate])
        if extension is not None:
            built = built.add_extension(*extension)
        return built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("CA mẫu")


@pytest.fixture(scope="module")
def leaf(issuer: Issuer) -> x509.Certificate:
    return issuer.issue(77)[0]


# What is not about freshness is asked with a bound that no evidence here exceeds.
PATIENT = Freshness(max_age=60 * DAY, before_signing=60 * DAY)


def state(
    cache: RevocationCache, leaf: x509.Certificate, issuer: Issuer, at: datetime, now: datetime | None = None,
    freshness: Freshness = PATIENT,
) -> RevocationState:  # fmt: skip
    certificates = (leaf.public_bytes(Encoding.DER), issuer.certificate.public_bytes(Encoding.DER))
    return cache.as_of(now or at, freshness).status(*certificates, at=at).state


def test_without_evidence_the_answer_is_unknown(issuer: Issuer, leaf: x509.Certificate) -> None:
    assert state(RevocationCache(), leaf, issuer, NOW) is RevocationState.UNKNOWN


def test_a_list_speaks_until_its_next_update_and_not_after(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({}, at=NOW))
    assert state(cache, leaf, issuer, NOW + 6 * DAY) is RevocationState.GOOD
    assert state(cache, leaf, issuer, NOW + 8 * DAY) is RevocationState.UNKNOWN
    # A list made after the signing time tells of everything that was revoked before it.
    assert state(cache, leaf, issuer, NOW - 30 * DAY, now=NOW) is RevocationState.GOOD


def test_revocation_counts_from_its_moment_on(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({77: NOW - 10 * DAY}, at=NOW))
    assert state(cache, leaf, issuer, NOW - 11 * DAY, now=NOW) is RevocationState.GOOD
    assert state(cache, leaf, issuer, NOW - 9 * DAY) is RevocationState.REVOKED


def test_a_revocation_outweighs_an_older_list_that_does_not_know_of_it(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({}, at=NOW - DAY))
    cache.add_crl(issuer.crl({77: NOW - 2 * DAY}, at=NOW))
    assert state(cache, leaf, issuer, NOW) is RevocationState.REVOKED


def test_a_list_by_somebody_else_proves_nothing(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({}, at=NOW, by=Issuer("CA mẫu")))
    assert state(cache, leaf, issuer, NOW) is RevocationState.UNKNOWN


def test_a_delta_or_broken_list_is_not_taken(issuer: Issuer) -> None:
    built = x509.CertificateRevocationListBuilder().issuer_name(issuer.name).last_update(NOW).next_update(NOW + DAY)
    delta = built.add_extension(x509.DeltaCRLIndicator(1), critical=True).sign(issuer.key, hashes.SHA256())
    cache = RevocationCache()
    assert cache.add_crl(delta.public_bytes(Encoding.DER)) is None
    assert cache.add_crl(b"khong phai CRL") is None
    assert cache.add_ocsp(b"khong phai OCSP") is None


def test_an_ocsp_answer_by_the_issuer_or_its_delegate_is_believed(issuer: Issuer, leaf: x509.Certificate) -> None:
    direct, delegated = RevocationCache(), RevocationCache()
    direct.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW))
    assert state(direct, leaf, issuer, NOW) is RevocationState.GOOD
    assert state(direct, leaf, issuer, NOW + 2 * DAY) is RevocationState.UNKNOWN
    delegate = issuer.issue(900, ocsp_signing=True)
    revoked = issuer.answer(leaf, ocsp.OCSPCertStatus.REVOKED, at=NOW, revoked_at=NOW - DAY, by=delegate)
    delegated.add_ocsp(revoked)
    assert state(delegated, leaf, issuer, NOW) is RevocationState.REVOKED
    assert state(delegated, leaf, issuer, NOW - 2 * DAY, now=NOW) is RevocationState.GOOD


def test_an_ocsp_answer_by_an_ordinary_certificate_or_on_another_issuer_proves_nothing(
    issuer: Issuer, leaf: x509.Certificate
) -> None:
    cache = RevocationCache()
    cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW, by=issuer.issue(901)))
    other = Issuer("CA khác")
    cache.add_ocsp(other.answer(other.issue(77)[0], ocsp.OCSPCertStatus.GOOD, at=NOW))
    assert state(cache, leaf, issuer, NOW) is RevocationState.UNKNOWN


def test_a_list_older_than_a_day_brings_no_verdict_and_a_newer_one_does(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache, bound = RevocationCache(), Freshness()
    cache.add_crl(issuer.crl({}, at=NOW - 25 * HOUR))  # in force for six more days by its own word
    certificates = (leaf.public_bytes(Encoding.DER), issuer.certificate.public_bytes(Encoding.DER))
    told = cache.as_of(NOW).status(*certificates, at=NOW - 26 * HOUR)
    assert (told.state, told.detail) == (RevocationState.UNKNOWN, STALE)
    assert state(cache, leaf, issuer, NOW - 26 * HOUR, NOW - 2 * HOUR, bound) is RevocationState.GOOD
    cache.add_crl(issuer.crl({}, at=NOW - HOUR))
    assert state(cache, leaf, issuer, NOW - 26 * HOUR, NOW, bound) is RevocationState.GOOD


def test_a_list_that_has_run_out_when_the_verdict_is_reached_proves_nothing(
    issuer: Issuer, leaf: x509.Certificate
) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({}, at=NOW, days=1))
    assert state(cache, leaf, issuer, NOW, NOW + 2 * DAY) is RevocationState.UNKNOWN


def test_evidence_from_long_before_the_signature_proves_nothing(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache, strict = RevocationCache(), Freshness(max_age=3 * DAY, before_signing=timedelta(0))
    cache.add_crl(issuer.crl({}, at=NOW))
    assert state(cache, leaf, issuer, NOW + HOUR, NOW + 2 * HOUR, strict) is RevocationState.UNKNOWN
    assert state(cache, leaf, issuer, NOW - HOUR, NOW + 2 * HOUR, strict) is RevocationState.GOOD


def test_of_an_expired_certificate_the_evidence_of_its_signing_time_is_enough(
    issuer: Issuer, leaf: x509.Certificate
) -> None:
    cache, years_later = RevocationCache(), NOW + 2000 * DAY
    cache.add_crl(issuer.crl({}, at=NOW))
    assert state(cache, leaf, issuer, NOW - HOUR, years_later, Freshness()) is RevocationState.GOOD
    assert state(cache, leaf, issuer, NOW + 3 * DAY, years_later, Freshness()) is RevocationState.UNKNOWN


def test_a_list_about_authorities_holds_as_long_as_it_says(issuer: Issuer) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({}, at=NOW, days=180))
    assert (
        state(cache, issuer.certificate, issuer, NOW + 90 * DAY, NOW + 100 * DAY, Freshness()) is RevocationState.GOOD
    )
    assert (
        state(cache, issuer.certificate, issuer, NOW + 90 * DAY, NOW + 181 * DAY, Freshness())
        is RevocationState.UNKNOWN
    )


def test_a_revocation_is_believed_however_old_the_list_is(issuer: Issuer, leaf: x509.Certificate) -> None:
    cache = RevocationCache()
    cache.add_crl(issuer.crl({77: NOW - DAY}, at=NOW))
    assert state(cache, leaf, issuer, NOW, NOW + 100 * DAY, Freshness()) is RevocationState.REVOKED


@pytest.mark.parametrize("kind", ["list", "answer"])
def test_evidence_dated_ahead_of_the_verdict_clears_nobody_yet(
    issuer: Issuer, leaf: x509.Certificate, kind: str
) -> None:
    """Its maker's clock runs ahead: until that day anything may be revoked that it cannot know of."""
    ahead, cache = NOW + 200 * DAY, RevocationCache()
    if kind == "list":
        cache.add_crl(issuer.crl({}, at=ahead))
    else:
        cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=ahead))
    assert state(cache, leaf, issuer, NOW, now=NOW) is RevocationState.UNKNOWN
    assert state(cache, leaf, issuer, NOW, now=ahead - timedelta(minutes=6)) is RevocationState.UNKNOWN
    assert state(cache, leaf, issuer, NOW, now=ahead - timedelta(minutes=4)) is RevocationState.GOOD


def test_evidence_dated_ahead_is_not_taken_from_its_source(issuer: Issuer, leaf: x509.Certificate) -> None:
    der = issuer.certificate.public_bytes(Encoding.DER)
    listed, answer = issuer.crl({}, at=NOW), issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW)
    for read in (partial(read_list, listed, der), partial(read_answer, answer, leaf.public_bytes(Encoding.DER), der)):
        with pytest.raises(EvidenceUnusable) as refused:
            read(now=NOW - HOUR)
        assert refused.value.code == "EVIDENCE_AHEAD"
        assert read(now=NOW).this_update == NOW


HOLD, CEASED = x509.ReasonFlags.certificate_hold, x509.ReasonFlags.cessation_of_operation


@pytest.mark.parametrize("kind", ["list", "answer"])
def test_a_hold_ends_where_newer_evidence_tells_of_it_no_more(
    issuer: Issuer, leaf: x509.Certificate, kind: str
) -> None:
    held, told, lifted = NOW - 10 * DAY, NOW - 8 * DAY, NOW - 2 * DAY

    def tell(cache: RevocationCache, at: datetime, reason: x509.ReasonFlags | None) -> None:
        if kind == "list":
            cache.add_crl(issuer.crl({77: held} if reason else {}, at=at, days=30, reason=reason or HOLD))
        else:
            status = ocsp.OCSPCertStatus.REVOKED if reason else ocsp.OCSPCertStatus.GOOD
            moment = held if reason else None
            cache.add_ocsp(issuer.answer(leaf, status, at=at, days=30, revoked_at=moment, reason=reason))

    cache = RevocationCache()
    tell(cache, told, HOLD)
    assert state(cache, leaf, issuer, NOW) is RevocationState.REVOKED
    tell(cache, lifted, None)
    assert state(cache, leaf, issuer, NOW) is RevocationState.GOOD
    assert state(cache, leaf, issuer, held - HOUR, now=NOW) is RevocationState.GOOD
    for within in (held, told + HOUR, lifted - HOUR):
        assert state(cache, leaf, issuer, within, now=NOW) is RevocationState.REVOKED
    tell(cache, NOW - HOUR, HOLD)  # laid on again, or never lifted: what is newest counts
    assert state(cache, leaf, issuer, NOW) is RevocationState.REVOKED

    final = RevocationCache()
    tell(final, told, CEASED)
    tell(final, lifted, None)
    assert state(final, leaf, issuer, NOW) is RevocationState.REVOKED


def with_archive_cutoff(answer: bytes, cutoff: datetime, issuer: Issuer) -> bytes:
    """The same answer, of a responder that remembers what has expired since `cutoff`."""
    whole = asn1_ocsp.OCSPResponse.load(answer)
    basic = whole["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    data["responses"][0]["single_extensions"] = [{"extn_id": "archive_cutoff", "extn_value": cutoff}]
    signature = issuer.key.sign(data.dump(force=True), ec.ECDSA(hashes.SHA256()))
    basic["signature"] = signature
    whole["response_bytes"]["response"] = basic
    return bytes(whole.dump(force=True))


def test_a_good_answer_after_expiry_says_nothing_of_before_unless_the_responder_remembers(
    issuer: Issuer, leaf: x509.Certificate
) -> None:
    asked, late = NOW + 290 * DAY, NOW + 310 * DAY  # it expires between them
    cache = RevocationCache()
    cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=late))
    assert state(cache, leaf, issuer, asked, now=late) is RevocationState.UNKNOWN
    cache.add_crl(issuer.crl({}, at=late))
    assert state(cache, leaf, issuer, asked, now=late) is RevocationState.UNKNOWN
    for cutoff, expected in ((NOW + 305 * DAY, RevocationState.UNKNOWN), (NOW, RevocationState.GOOD)):
        remembering = RevocationCache()
        good = issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=late)
        assert remembering.add_ocsp(with_archive_cutoff(good, cutoff, issuer)) is not None
        assert state(remembering, leaf, issuer, asked, now=late) is expected
    cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.REVOKED, at=late, revoked_at=NOW + 295 * DAY))
    assert state(cache, leaf, issuer, asked, now=late) is RevocationState.GOOD
    assert state(cache, leaf, issuer, NOW + 296 * DAY, now=late) is RevocationState.REVOKED


UNKNOWN_CRITICAL = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
NOT_FOR_SIGNING = (
    x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=True, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    ), True,
)  # fmt: skip


@pytest.mark.parametrize("extension", [UNKNOWN_CRITICAL, NOT_FOR_SIGNING])
def test_a_delegate_that_is_not_understood_or_not_for_signing_answers_nothing(
    issuer: Issuer, leaf: x509.Certificate, extension: tuple[x509.ExtensionType, bool]
) -> None:
    cache = RevocationCache()
    delegate = issuer.issue(902, ocsp_signing=True, extension=extension)
    cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW, by=delegate))
    assert state(cache, leaf, issuer, NOW) is RevocationState.UNKNOWN


def test_an_answer_with_a_critical_extension_that_nobody_knows_proves_nothing(
    issuer: Issuer, leaf: x509.Certificate
) -> None:
    cache = RevocationCache()
    nonce = (x509.OCSPNonce(b"x" * 16), True)
    assert cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW, extension=UNKNOWN_CRITICAL)) is None
    assert cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW, extension=nonce)) is not None


def test_a_delegate_that_a_list_at_hand_revokes_answers_nothing(issuer: Issuer, leaf: x509.Certificate) -> None:
    delegate = issuer.issue(903, ocsp_signing=True)
    old = NOW - 20 * DAY  # its list has run out and clears nobody

    def with_list(reason: x509.ReasonFlags, revoked_at: datetime) -> RevocationState:
        cache = RevocationCache()
        cache.add_ocsp(issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW, by=delegate))
        assert state(cache, leaf, issuer, NOW) is RevocationState.GOOD
        cache.add_crl(issuer.crl({903: revoked_at}, at=old, reason=reason))
        return state(cache, leaf, issuer, NOW)

    assert with_list(CEASED, NOW - 30 * DAY) is RevocationState.UNKNOWN
    assert with_list(CEASED, NOW + DAY) is RevocationState.GOOD  # what it said before it ceased stands
    assert with_list(x509.ReasonFlags.key_compromise, NOW + DAY) is RevocationState.UNKNOWN
