"""KeyInfo as other programs write it: a key beside the certificate may only say the same, in either engine."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureMethod

import signing
from signing.verification.keyinfo import read_key_info
from signing.verification.outcome import Refusal
from signing.verification.second import _Verifier, verify_again

CURVE = ec.generate_private_key(ec.SECP256R1())
OTHER_CURVE = ec.generate_private_key(ec.SECP256K1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256, P384 = "urn:oid:1.2.840.10045.3.1.7", "urn:oid:1.3.132.0.34"


def certificate(key) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 5)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def point(key=CURVE) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()


def point_of(key, *, compressed: bool = False) -> str:
    form = PublicFormat.CompressedPoint if compressed else PublicFormat.UncompressedPoint
    return base64.b64encode(key.public_key().public_bytes(Encoding.X962, form)).decode()


def curve_value(curve: str = P256, at: str | None = None) -> str:
    return (
        '<e:ECKeyValue xmlns:e="http://www.w3.org/2009/xmldsig11#">'
        f'<e:NamedCurve URI="{curve}"/><e:PublicKey>{point() if at is None else at}</e:PublicKey></e:ECKeyValue>'
    )


def rsa_value(key=RSA) -> str:
    numbers = key.public_key().public_numbers()
    n, e = (base64.b64encode(v.to_bytes((v.bit_length() + 7) // 8, "big")).decode() for v in (numbers.n, numbers.e))
    return f"<RSAKeyValue><Modulus>{n}</Modulus><Exponent>{e}</Exponent></RSAKeyValue>"


def read(value: str, key):
    data = f"<X509Data><X509Certificate>{certificate(key)}</X509Certificate></X509Data>"
    text = f'<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><KeyValue>{value}</KeyValue>{data}</KeyInfo>'
    return read_key_info(etree.fromstring(text))


@pytest.mark.parametrize(("value", "key"), [(curve_value(), CURVE), (rsa_value(), RSA)])
def test_a_key_beside_the_certificate_that_says_the_same_is_let_in(value, key):
    assert read(value, key).certificate.common_name == "A"


@pytest.mark.parametrize(
    ("value", "key", "code"),
    [
        (curve_value(at=point(ec.generate_private_key(ec.SECP256R1()))), CURVE, "KEYINFO_CONTRADICTS"),
        (curve_value(P384), CURVE, "KEYINFO_CONTRADICTS"),
        (curve_value(at="AAAA"), CURVE, "KEYINFO_CONTRADICTS"),
        (curve_value().replace("NamedCurve", "ECParameters"), CURVE, "KEYINFO_UNEXPECTED"),
        (curve_value(at=point_of(CURVE, compressed=True)), CURVE, "KEYINFO_UNEXPECTED"),
        (curve_value("urn:oid:1.3.132.0.10", point_of(OTHER_CURVE)), OTHER_CURVE, "KEYINFO_UNEXPECTED"),
        (curve_value(), RSA, "KEYINFO_CONTRADICTS"),
        (rsa_value(), CURVE, "KEYINFO_CONTRADICTS"),
        ("", CURVE, "KEYINFO_CONTRADICTS"),
        (rsa_value() + rsa_value(), RSA, "KEYINFO_CONTRADICTS"),
        ("<DSAKeyValue/>", RSA, "KEYINFO_UNEXPECTED"),
    ],
)
def test_any_other_key_beside_the_certificate_refuses(value, key, code):
    with pytest.raises(Refusal) as refused:
        read(value, key)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("issuer", "serial", "code"),
    [
        ("CN=A", "5", "OK"),
        ("CN=A, O=B", " 005\n", "OK"),
        ("CN=A", "6", "KEYINFO_CONTRADICTS"),
        ("CN=A", "năm", "KEYINFO_CONTRADICTS"),
        ("CN=B", "5", "KEYINFO_ISSUER_DIFFERS"),
        ("", "5", "KEYINFO_ISSUER_DIFFERS"),
    ],
)
def test_issuer_and_serial_beside_the_certificate_are_its_own(issuer, serial, code):
    data = f"<X509Data><X509Certificate>{certificate(RSA)}</X509Certificate><X509IssuerSerial>"
    data += f"<X509IssuerName>{issuer}</X509IssuerName><X509SerialNumber>{serial}</X509SerialNumber>"
    text = f'<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">{data}</X509IssuerSerial></X509Data></KeyInfo>'
    try:
        found = read_key_info(etree.fromstring(text)).certificate.common_name and "OK"
    except Refusal as refusal:
        found = refusal.code
    assert found == code


def test_the_second_engine_compares_keys_of_pss_signatures_too():
    value = etree.fromstring(f'<KeyValue xmlns="http://www.w3.org/2000/09/xmldsig#">{rsa_value()}</KeyValue>')
    compare = _Verifier()._check_key_value_matches_cert_public_key
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert compare(value, RSA.public_key(), SignatureMethod.SHA256_RSA_MGF1)
    assert not compare(value, other.public_key(), SignatureMethod.SHA256_RSA_MGF1)


def test_both_engines_take_the_issuer_that_came_along_with_the_signature(cast):
    record = cast.record(0, spelling="dss")
    root = cast.pki.root.identity.certificate.public_bytes(Encoding.DER)
    second = verify_again(record, cast.primary, signing.TrustStore.from_certificates([root]), at=cast.now)
    first = signing.verify(record, cast.primary, signing.TrustStore.from_certificates([root]), at=cast.now)
    assert (first.passed, second.passed) == (True, True)
