"""SigningCertificate of XAdES: digest, issuer and serial name the certificate that signed; who spells it otherwise."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import DIGEST_URIS, DS, XADES
from signing.trust import CertificateFacts, read_certificate
from signing.verification.moments import SigningTime
from signing.verification.outcome import Refusal
from signing.verification.properties import check_signing_certificate

WHEN = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def facts(cast) -> CertificateFacts:
    return read_certificate(cast.pki.department.certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def issuer(cast) -> CertificateFacts:
    return read_certificate(cast.pki.root.identity.certificate.public_bytes(Encoding.DER))


def cert(of: CertificateFacts, beside: str = "", digest: str = "sha256", uri: str | None = None) -> str:
    value = base64.b64encode(hashlib.new(digest, of.der).digest()).decode()
    method = f'<d:DigestMethod Algorithm="{uri or DIGEST_URIS[digest]}"/>'
    return f"<x:Cert><x:CertDigest>{method}<d:DigestValue>{value}</d:DigestValue></x:CertDigest>{beside}</x:Cert>"


def named(issuer: str, serial: object) -> str:
    name = f"<d:X509IssuerName>{issuer}</d:X509IssuerName>"
    return f"<x:IssuerSerial>{name}<d:X509SerialNumber>{serial}</d:X509SerialNumber></x:IssuerSerial>"


class IssuerSerial(core.Sequence):
    _fields = [("issuer", asn1_x509.GeneralNames), ("serial", core.Integer)]


def named_in_der(of: CertificateFacts, serial: int) -> str:
    name = asn1_x509.GeneralName("directory_name", asn1_x509.Certificate.load(of.der).issuer)
    der = IssuerSerial({"issuer": asn1_x509.GeneralNames([name]), "serial": serial}).dump()
    return f"<x:IssuerSerialV2>{base64.b64encode(der).decode()}</x:IssuerSerialV2>"


def outcome(facts: CertificateFacts, *certs: str, tag: str = "SigningCertificate") -> str:
    inner = f"<x:SignedSignatureProperties><x:{tag}>{''.join(certs)}</x:{tag}></x:SignedSignatureProperties>"
    signed = etree.fromstring(f'<x:SignedProperties xmlns:x="{XADES}" xmlns:d="{DS}">{inner}</x:SignedProperties>')
    try:
        check_signing_certificate(SigningTime(WHEN, (), signed), facts)
    except Refusal as refusal:
        return refusal.code
    return "OK"


@pytest.mark.parametrize("tag", ["SigningCertificate", "SigningCertificateV2"])
def test_the_digest_decides_and_an_unknown_one_is_not_called_another_certificate(facts, issuer, tag):
    assert [outcome(facts, cert(facts, digest=name), tag=tag) for name in ("sha1", "sha256", "sha512")] == ["OK"] * 3
    assert outcome(facts, cert(facts), cert(issuer), tag=tag) == "OK"
    assert outcome(facts, cert(issuer), tag=tag) == "XADES_CERTIFICATE_DIFFERS"
    assert outcome(facts, tag=tag) == "XADES_CERTIFICATE_DIFFERS"
    assert outcome(facts, cert(issuer), cert(facts), tag=tag) == "XADES_CERTIFICATE_ORDER"
    for name, uri in (("md5", None), ("sha224", "http://www.w3.org/2001/04/xmldsig-more#sha224"), ("sha256", "urn:x")):
        assert outcome(facts, cert(facts, digest=name, uri=uri), tag=tag) == "XADES_DIGEST_UNSUPPORTED"


def test_issuer_and_serial_do_not_contradict_the_certificate(facts):
    name, serial = facts.issuer, int(facts.serial, 16)
    for said in (
        name,
        ", ".join(reversed(name.split(","))),
        f'CN="{facts.issuer_name}"',
        f"2.5.4.3={facts.issuer_name}",
    ):
        assert outcome(facts, cert(facts, named(said, serial))) == "OK"
    escaped = "".join(f"\\{byte:02X}" for byte in facts.issuer_name.encode())
    assert outcome(facts, cert(facts, named(f"CN={escaped}", f"\n00{serial} "))) == "OK"
    assert outcome(facts, cert(facts, named(name, facts.serial.upper()))) == "OK"
    for other in (named("CN=CA khác", serial), named("", serial), named(name, serial + 1), named(name, "một")):
        assert outcome(facts, cert(facts, other)) == "XADES_ISSUER_DIFFERS"


def test_issuer_and_serial_in_der_do_not_contradict_the_certificate_either(facts, issuer, cast):
    of = read_certificate(cast.pki.public_issuer.identity.certificate.public_bytes(Encoding.DER))
    other = (
        facts
        if facts.issuer != of.issuer
        else read_certificate(cast.pki.organisation(cast.province.schools[0]).certificate.public_bytes(Encoding.DER))
    )
    serial, v2 = int(facts.serial, 16), "SigningCertificateV2"
    assert outcome(facts, cert(facts, named_in_der(facts, serial)), tag=v2) == "OK"
    wrong = [named_in_der(facts, serial + 1), "<x:IssuerSerialV2>AAAA</x:IssuerSerialV2>", "<x:IssuerSerialV2/>"]
    if of.issuer != other.issuer:
        wrong.append(named_in_der(of if facts is other else other, serial))
    for beside in wrong:
        assert outcome(facts, cert(facts, beside), tag=v2) == "XADES_ISSUER_DIFFERS"
