"""Every reason of EN 319 102-1 that the verifier knows is reached, and its indication is the standard's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

import signing
from portal.rehearsal.spelling import SPELLINGS
from portal.rehearsal.volumes import SMALL_LAYOUT, small_record
from signing.keys.software import SoftwareKey
from signing.presets import LIST_POLICY
from signing.report import Indication, StepStatus, SubIndication, indication_of
from signing.sealing import seal
from signing.trust import RevocationAnswer, RevocationState
from signing.verification import BindingProblem


class Revoked:
    def status(self, _certificate, _issuer, *, at):
        return RevocationAnswer(RevocationState.REVOKED, revoked_at=at)


class Stranger:
    def check(self, **_):
        return [BindingProblem("SIGNER_UNKNOWN", "error", "Người ký không có trong danh sách.")]


@pytest.fixture(scope="module")
def small(cast):
    def make(at: datetime = datetime(2026, 5, 30, tzinfo=UTC)) -> bytes:
        return small_record(SPELLINGS[0], cast.pki, cast.province.schools[0], at=at)

    return make


def verdict(cast, data: bytes, **more):
    options = {"policy": SMALL_LAYOUT, "trust": cast.trust, "at": cast.now, **more}
    return signing.verify(data, options.pop("policy"), options.pop("trust"), **options)


def spoilt(data: bytes, tag: bytes) -> bytes:
    """Another character right behind the start tag."""
    place = data.index(b"<" + tag + b">") + len(tag) + 2
    return data[:place] + (b"B" if data[place : place + 1] == b"A" else b"A") + data[place + 1 :]


def sealed_with_a_malformed_certificate(cast) -> signing.Report:
    """A loaded authority issued it, but one extension, which nobody needed so far, is no ASN.1 of its kind."""
    key = rsa.generate_private_key(65537, 2048)
    authority = cast.pki.public_issuer.identity
    built = x509.CertificateBuilder().issuer_name(authority.certificate.subject).serial_number(11)
    built = built.subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Trường Mẫu")]))
    built = built.not_valid_before(cast.now - timedelta(days=9)).not_valid_after(cast.now + timedelta(days=9))
    attributes = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.9"), b"\x30\x05\x01")
    built = built.public_key(key.public_key()).add_extension(attributes, critical=False)
    der = built.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)
    sealed = seal(
        b'<DANH_SACH_HOC_BA id="d"><HOC_BA/></DANH_SACH_HOC_BA>',
        key=SoftwareKey(certificate=der, chain=(), private_key=key), at=cast.now,
    )  # fmt: skip
    return signing.verify(sealed, replace(LIST_POLICY, revocation="off"), cast.trust, at=cast.now)


def reports(cast, small):
    good = small()
    yield None, verdict(cast, good)
    yield SubIndication.FORMAT_FAILURE, verdict(cast, good[:-9])
    yield SubIndication.HASH_FAILURE, verdict(cast, good.replace(b"<LOP>3A", b"<LOP>3B"))
    yield SubIndication.SIG_CRYPTO_FAILURE, verdict(cast, spoilt(good, b"SignatureValue"))
    yield SubIndication.REVOKED, verdict(cast, good, revocation=Revoked())
    yield SubIndication.NOT_YET_VALID, verdict(cast, small(datetime(2019, 1, 1, tzinfo=UTC)))
    late = datetime(2039, 1, 1, tzinfo=UTC)
    yield SubIndication.EXPIRED, verdict(cast, small(late), at=datetime(2039, 2, 1, tzinfo=UTC))
    yield SubIndication.SIG_CONSTRAINTS_FAILURE, verdict(cast, small(late))
    yield SubIndication.CHAIN_CONSTRAINTS_FAILURE, verdict(cast, good, binding=Stranger())
    yield SubIndication.CRYPTO_CONSTRAINTS_FAILURE, verdict(cast, good.replace(b"more#rsa-sha256", b"more#hmac-sha256"))
    start, end = good.index(b"<KeyInfo>"), good.index(b"</KeyInfo>") + len(b"</KeyInfo>")
    yield SubIndication.NO_SIGNING_CERTIFICATE_FOUND, verdict(cast, good[:start] + good[end:])
    yield SubIndication.NO_CERTIFICATE_CHAIN_FOUND, verdict(cast, good, trust=signing.TrustStore(()))
    yield SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, sealed_with_a_malformed_certificate(cast)
    yield SubIndication.SIGNED_DATA_NOT_FOUND, verdict(cast, good.replace(b'URI="#data"', b'URI="#other"'))
    yield SubIndication.TRY_LATER, verdict(cast, good, policy=replace(SMALL_LAYOUT, revocation="required"))


def test_every_sub_indication_is_reached(cast, small):
    reached = set()
    for expected, report in reports(cast, small):
        assert report.sub_indication == expected, report.message
        assert report.indication is indication_of(expected)
        assert report.passed == (expected is None)
        assert report.message
        assert bool(report.covered) == report.passed
        reached.add(expected)
    assert reached - {None} == set(SubIndication)


def test_a_chain_that_cannot_be_judged_is_no_forgery_and_no_pass(cast):
    report = sealed_with_a_malformed_certificate(cast)
    assert (report.code, report.indication) == ("CHAIN_UNDECIDED", Indication.INDETERMINATE)
    assert report.refused
    assert StepStatus.PASSED not in {step.status for step in report.signatures[0].steps if step.number == 9}


def test_only_proofs_of_forgery_are_total_failures():
    failed = {sub.value for sub in SubIndication if indication_of(sub) is Indication.TOTAL_FAILED}
    assert failed == {"FORMAT_FAILURE", "HASH_FAILURE", "SIG_CRYPTO_FAILURE", "REVOKED", "EXPIRED", "NOT_YET_VALID"}
