"""Time-stamps beside incoming XAdES signatures: verified, reported, and as severe as the policy says when broken."""

from __future__ import annotations

import base64
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import signing
from signing.keys.software import SoftwareKey
from signing.policy import Severity
from signing.presets import LIST_POLICY
from signing.report import StampStatus, SubIndication
from signing.sealing import SealProfile, seal
from signing.timestamp import obtain
from signing.trust import RevocationAnswer, RevocationState
from tests.signing.authority import LocalAuthority

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program, which is not here")

POLICY = replace(LIST_POLICY, revocation="off")
TOKEN = re.compile(rb"(<xades:EncapsulatedTimeStamp>)([^<]+)(<)")
DOCUMENT = b'<DANH_SACH_HOC_BA id="dataDanhSach"><HOC_BA/></DANH_SACH_HOC_BA>'


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority(tmp_path_factory.mktemp("tsa") / "a")


@pytest.fixture(scope="module")
def trust(cast, tsa: LocalAuthority) -> signing.TrustStore:
    held = [item.der for item in (*cast.trust.anchors, *cast.trust.intermediates)]
    return signing.TrustStore.from_certificates([*held, tsa.root])


def sealed_by(cast, tsa: LocalAuthority, *, at: datetime | None = None, c14n: str = "exclusive") -> bytes:
    department = cast.pki.department
    der = department.certificate.public_bytes(Encoding.DER)
    key = SoftwareKey(certificate=der, chain=(), private_key=department.key)
    return seal(
        DOCUMENT, key=key, profile=SealProfile(kind="XADES_T", c14n=c14n), at=at or datetime.now(UTC),
        stamper=lambda message: obtain(message, [tsa.authority], tsa.post).der,
    )  # fmt: skip


def another(cast, tsa: LocalAuthority) -> bytes:
    """The same document, signed at another second: another signature value."""
    return sealed_by(cast, tsa, at=datetime.now(UTC) - timedelta(minutes=1))


@pytest.fixture(scope="module")
def sealed(cast, tsa: LocalAuthority) -> bytes:
    return sealed_by(cast, tsa)


def report_on(data: bytes, trust: signing.TrustStore, **more) -> signing.Report:
    options = {"policy": POLICY, "at": datetime.now(UTC), **more}
    return signing.verify(data, options.pop("policy"), trust, **options)


def with_token(sealed: bytes, token: bytes) -> bytes:
    return TOKEN.sub(lambda match: match[1] + token + match[3], sealed)


@pytest.mark.parametrize("c14n", ["exclusive", "inclusive"])
def test_a_time_stamp_by_a_loaded_authority_is_valid_and_its_time_reported(cast, tsa, trust, c14n):
    report = report_on(sealed_by(cast, tsa, c14n=c14n), trust)
    [signature] = report.signatures
    assert report.passed
    assert signature.stamp.status is StampStatus.VALID
    assert abs(signature.stamp.at - datetime.now(UTC)) < timedelta(minutes=2)
    said = signature.to_json()
    assert (said["time_stamp"], said["time_stamp_by"]) == ("VALID", "Dau thoi gian Mau")
    assert "dấu thời gian hợp lệ" in next(step.detail for step in signature.steps if step.number == 7)


def test_every_stamp_is_looked_at_though_the_signatures_build_is_known(cast, tsa, trust, sealed):
    assert report_on(sealed, trust).signatures[0].stamp.status is StampStatus.VALID
    other = TOKEN.search(another(cast, tsa))[2]
    assert report_on(with_token(sealed, other), trust).signatures[0].stamp.status is StampStatus.INVALID
    assert report_on(sealed, trust).signatures[0].stamp.status is StampStatus.VALID


def test_a_stamp_by_an_authority_that_nobody_has_loaded_proves_nothing_and_harms_nothing(cast, sealed):
    report = report_on(sealed, cast.trust)
    [signature] = report.signatures
    assert report.passed
    assert (signature.stamp.status, signature.stamp.code) == (StampStatus.NOT_VERIFIABLE, "STAMP_AUTHORITY_UNKNOWN")
    assert not signature.warnings


def broken_tokens(cast, tsa: LocalAuthority, sealed: bytes):
    token = base64.b64decode(TOKEN.search(sealed)[2])
    yield "STAMP_OTHER_CONTENT", TOKEN.search(another(cast, tsa))[2]
    yield "STAMP_SIGNATURE", base64.b64encode(token[:-3] + bytes([token[-3] ^ 1]) + token[-2:])
    yield "STAMP_UNREADABLE", base64.b64encode(token[:200])
    yield "STAMP_UNREADABLE", b"khong phai Base64"
    yield "STAMP_UNREADABLE", b"AAAA"


def test_a_broken_stamp_is_a_warning_or_a_refusal_as_the_policy_says(cast, tsa, trust, sealed):
    strict = replace(POLICY, severities={**POLICY.severities, "time_stamp": Severity.ERROR})
    for code, token in broken_tokens(cast, tsa, sealed):
        data = with_token(sealed, token)
        report = report_on(data, trust)
        assert report.passed
        assert (report.signatures[0].stamp.status, report.signatures[0].stamp.code) == (StampStatus.INVALID, code)
        assert [warning.code for warning in report.warnings] == ["TIME_STAMP_INVALID"]
        refused = report_on(data, trust, policy=strict)
        assert (refused.code, refused.sub_indication) == ("TIME_STAMP_INVALID", SubIndication.SIG_CONSTRAINTS_FAILURE)
        assert refused.signatures[0].stamp.status is StampStatus.INVALID


def test_the_worst_of_several_stamps_counts(cast, tsa, trust, sealed):
    whole = re.search(rb"<xades:SignatureTimeStamp>.*</xades:SignatureTimeStamp>", sealed)[0]
    other = re.search(rb"<xades:SignatureTimeStamp>.*</xades:SignatureTimeStamp>", another(cast, tsa))[0]
    assert report_on(sealed.replace(whole, whole + whole), trust).signatures[0].stamp.status is StampStatus.VALID
    assert report_on(sealed.replace(whole, whole + other), trust).signatures[0].stamp.status is StampStatus.INVALID


def test_a_stamp_made_before_the_signature_or_after_the_verdict_is_broken(cast, tsa, trust):
    later = datetime.now(UTC) + timedelta(minutes=20)
    ahead = report_on(sealed_by(cast, tsa, at=later), trust, at=later)
    assert ahead.signatures[0].stamp.code == "STAMP_BEFORE_SIGNING"
    earlier = datetime.now(UTC) - timedelta(minutes=20)
    behind = report_on(sealed_by(cast, tsa, at=earlier), trust, at=earlier)
    assert behind.signatures[0].stamp.code == "STAMP_IN_FUTURE"


def test_a_spelling_that_is_not_understood_is_not_verifiable(trust, sealed):
    cases = (
        sealed.replace(b"<xades:EncapsulatedTimeStamp>", b'<xades:EncapsulatedTimeStamp Encoding="urn:x">'),
        sealed.replace(b"<xades:SignatureTimeStamp>", b'<xades:SignatureTimeStamp><xades:Include URI="#a"/>'),
        re.sub(rb"(<xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm=)\"[^\"]+", rb'\1"urn:x', sealed),
        TOKEN.sub(b"<", sealed).replace(b"</xades:EncapsulatedTimeStamp>", b""),
    )
    for data in cases:
        assert data != sealed
        report = report_on(data, trust)
        assert report.passed, report.message
        assert report.signatures[0].stamp.status is StampStatus.NOT_VERIFIABLE


class Revocations:
    """Says of the time-stamp certificate what the test wants, and that all others are good."""

    def __init__(self, tsa: LocalAuthority, state: RevocationState) -> None:
        self.root, self.state = tsa.root, state

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        return RevocationAnswer(self.state if issuer == self.root else RevocationState.GOOD)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (RevocationState.GOOD, StampStatus.VALID),
        (RevocationState.REVOKED, StampStatus.INVALID),
        (RevocationState.UNKNOWN, StampStatus.NOT_VERIFIABLE),
    ],
)
def test_the_authoritys_certificate_may_not_have_been_revoked(tsa, trust, sealed, state, status):
    report = report_on(sealed, trust, revocation=Revocations(tsa, state))
    assert report.passed
    assert report.signatures[0].stamp.status is status
