"""A seal verifies in programs that are not ours, changes no byte of the document, and is never made by half."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from signxml import SignatureConfiguration, XMLVerifier

from signing.errors import MalformedDocument, TimestampUnavailable
from signing.keys.software import SoftwareKey
from signing.sealing import SealProfile, seal

AT = datetime(2026, 5, 30, 10, 15, 0, tzinfo=UTC)
DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<DANH_SACH_HOC_BA id="dataDanhSach" xmlns:xsi="urn:mau">'
    '<HOC_BA id="a">\n <HO_VA_TEN a="1">Đỗ Mẫu &amp; Thử</HO_VA_TEN></HOC_BA>\n</DANH_SACH_HOC_BA>\n'
).encode()
PROFILES = [
    SealProfile(kind=kind, c14n=c14n, reference=reference)
    for kind in ("XMLDSIG", "XADES_B")
    for c14n in ("exclusive", "inclusive")
    for reference in ("id", "whole")
]


def software_key(kind: str) -> SoftwareKey:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'Sở GDĐT "Mẫu" <thử> & nghiệm')])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(3).not_valid_before(AT).not_valid_after(AT + timedelta(days=400))
    certificate = built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return SoftwareKey(certificate=certificate, chain=(), private_key=key)


@pytest.fixture(scope="module", params=["rsa", "ec"])
def key(request: pytest.FixtureRequest) -> SoftwareKey:
    return software_key(request.param)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.kind}-{p.c14n}-{p.reference}")
def test_a_seal_adds_only_itself_and_verifies_in_signxml(key: SoftwareKey, profile: SealProfile) -> None:
    sealed = seal(DOCUMENT, key=key, profile=profile, at=AT)
    start, end = sealed.index(b"<ds:Signature "), sealed.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    assert sealed[:start] + sealed[end:] == DOCUMENT
    certificate = x509.load_der_x509_certificate(key.certificate)
    XMLVerifier().verify(
        sealed,
        x509_cert=certificate,
        expect_config=SignatureConfiguration(location="./", expect_references=2),
        validate_schema=True,
    )


@pytest.mark.skipif(not shutil.which("xmlsec1"), reason="needs the xmlsec1 program, which is not here")
@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.kind}-{p.c14n}-{p.reference}")
def test_a_seal_verifies_in_xmlsec1(key: SoftwareKey, profile: SealProfile, tmp_path: Path) -> None:
    (tmp_path / "sealed.xml").write_bytes(seal(DOCUMENT, key=key, profile=profile, at=AT))
    pem = x509.load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM)
    (tmp_path / "key.pem").write_bytes(pem)
    ids = ["DANH_SACH_HOC_BA", "SignatureProperties", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
    names = [part for name in ids for part in (f"--id-attr:{'id' if name.startswith('DANH') else 'Id'}", name)]
    command = ["xmlsec1", "--verify", *names, "--pubkey-cert-pem", str(tmp_path / "key.pem")]
    result = subprocess.run([*command, str(tmp_path / "sealed.xml")], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_the_same_document_key_and_time_give_the_same_bytes() -> None:
    key = software_key("rsa")
    assert seal(DOCUMENT, key=key, at=AT) == seal(DOCUMENT, key=key, at=AT)


def test_one_altered_byte_under_the_seal_breaks_it(key: SoftwareKey) -> None:
    sealed = seal(DOCUMENT, key=key, at=AT).replace(b"Th\xe1\xbb\xad</HO_VA_TEN>", b"Thu</HO_VA_TEN>")
    certificate = x509.load_der_x509_certificate(key.certificate)
    with pytest.raises(Exception, match="Digest mismatch"):
        XMLVerifier().verify(
            sealed, x509_cert=certificate, expect_config=SignatureConfiguration(location="./", expect_references=2)
        )


def test_the_signing_time_is_covered_by_the_seal(key: SoftwareKey) -> None:
    sealed = seal(DOCUMENT, key=key, at=AT).replace(b"2026-05-30T10:15:00", b"2026-05-29T10:15:00")
    certificate = x509.load_der_x509_certificate(key.certificate)
    with pytest.raises(Exception, match="Digest mismatch"):
        XMLVerifier().verify(
            sealed, x509_cert=certificate, expect_config=SignatureConfiguration(location="./", expect_references=2)
        )


def test_a_document_is_not_sealed_twice_nor_without_an_id(key: SoftwareKey) -> None:
    with pytest.raises(MalformedDocument) as twice:
        seal(seal(DOCUMENT, key=key, at=AT), key=key, at=AT)
    assert twice.value.code == "SEAL_TWICE"
    with pytest.raises(MalformedDocument) as nameless:
        seal(b"<DANH_SACH_HOC_BA></DANH_SACH_HOC_BA>", key=key, at=AT)
    assert nameless.value.code == "SEAL_NO_ID"
    with pytest.raises(MalformedDocument) as empty:
        seal(b'<DANH_SACH_HOC_BA id="a"/>', key=key, at=AT)
    assert empty.value.code == "SEAL_EMPTY"


def test_a_time_stamped_seal_is_never_made_without_a_time_stamp(key: SoftwareKey) -> None:
    with pytest.raises(TimestampUnavailable) as unset:
        seal(DOCUMENT, key=key, profile=SealProfile(kind="XADES_T"), at=AT)
    assert unset.value.code == "TSA_UNSET"

    def away(message: bytes) -> bytes:
        raise TimestampUnavailable("TSA_AWAY", "nguồn không trả lời")

    with pytest.raises(TimestampUnavailable):
        seal(DOCUMENT, key=key, profile=SealProfile(kind="XADES_T"), at=AT, stamper=away)
