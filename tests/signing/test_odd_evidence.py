"""Evidence as nobody should write it: it proves nothing, hides no revocation, and never stops the asking."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from signing.revocation import RevocationCache
from signing.trust.revoked import RevocationState
from tests.signing.test_revocation import DAY, NOW, Issuer

GOOD, REVOKED, UNKNOWN = RevocationState.GOOD, RevocationState.REVOKED, RevocationState.UNKNOWN
Extension = tuple[x509.ExtensionType, bool]


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("CA mẫu")


@pytest.fixture(scope="module")
def leaf(issuer: Issuer) -> x509.Certificate:
    return issuer.issue(77)[0]


def odd(oid: str, value: bytes = b"\x05\x00") -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def crl(
    issuer: Issuer, *extensions: Extension, entries: dict[int, list[Extension]] | None = None,
    name: x509.Name | None = None,
) -> bytes:  # fmt: skip
    built = x509.CertificateRevocationListBuilder().issuer_name(name or issuer.name)
    built = built.last_update(NOW).next_update(NOW + 7 * DAY)
    for value, critical in extensions:
        built = built.add_extension(value, critical)
    for serial, own in (entries or {}).items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
        for value, critical in own:
            entry = entry.add_extension(value, critical)
        built = built.add_revoked_certificate(entry.build())
    return built.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def state(issuer: Issuer, leaf: x509.Certificate, *lists: bytes, answers: tuple[bytes, ...] = ()) -> RevocationState:
    cache = RevocationCache()
    for data in lists:
        cache.add_crl(data)
    for data in answers:
        cache.add_ocsp(data)
    pair = leaf.public_bytes(Encoding.DER), issuer.certificate.public_bytes(Encoding.DER)
    return cache.as_of(NOW + timedelta(hours=1)).status(*pair, at=NOW).state


@pytest.mark.parametrize(
    "reason",
    [odd("2.5.29.21", b"\xff"), odd("2.5.29.21", b"\x0a\x01\x07"), odd("2.5.29.24", b"\x18\x01x"), odd("1.2.3")],
)
@pytest.mark.parametrize("critical", [True, False])
def test_a_revocation_holds_though_its_reason_cannot_be_read(issuer, leaf, reason, critical):
    assert state(issuer, leaf, crl(issuer, entries={77: [(reason, critical)]})) is REVOKED


def test_a_list_with_a_critical_entry_extension_that_nobody_knows_clears_nobody(issuer, leaf):
    known = crl(issuer, (x509.CRLNumber(1), False), entries={78: [(x509.CRLReason(x509.ReasonFlags.superseded), True)]})
    assert state(issuer, leaf, known) is GOOD
    assert state(issuer, leaf, crl(issuer, entries={78: [(odd("1.2.3"), False)]})) is GOOD
    assert state(issuer, leaf, crl(issuer, entries={78: [(odd("1.2.3"), True)]})) is UNKNOWN
    assert state(issuer, leaf, crl(issuer, (odd("1.2.3"), True))) is UNKNOWN


def test_the_issuers_name_may_be_written_in_another_kind_of_string(issuer, leaf):
    kind = x509.name._ASN1Type.BMPString
    other = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca  MẪU ", _type=kind)])
    assert state(issuer, leaf, crl(issuer, name=other)) is GOOD
    another = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CAmẫu")])
    assert state(issuer, leaf, crl(issuer, name=another)) is UNKNOWN


def unknown_algorithm(answer: bytes) -> bytes:
    """ecdsa-with-SHA256 becomes an algorithm that there is not."""
    return answer.replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a864ece3d040302"))


def test_an_answer_that_cannot_be_read_stops_no_other_evidence(issuer, leaf):
    good = issuer.answer(leaf, ocsp.OCSPCertStatus.GOOD, at=NOW)
    odd_one = unknown_algorithm(good)
    assert odd_one != good
    assert state(issuer, leaf, answers=(odd_one,)) is UNKNOWN
    assert state(issuer, leaf, answers=(odd_one, good)) is GOOD
    assert state(issuer, leaf, crl(issuer, entries={77: []}), answers=(odd_one, good)) is REVOKED


@pytest.mark.parametrize("seed", range(4))
def test_no_mutated_evidence_raises_or_clears_a_revoked_certificate(issuer, leaf, seed):
    chance = random.Random(seed)
    revoked = issuer.answer(leaf, ocsp.OCSPCertStatus.REVOKED, at=NOW, revoked_at=NOW - DAY)
    pieces = [crl(issuer, entries={77: [(x509.CRLReason(x509.ReasonFlags.key_compromise), False)]}), revoked]
    for _ in range(1500):
        data = bytearray(chance.choice(pieces))
        for _ in range(chance.choice((1, 1, 3))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x30, 0x80, 0xFF, chance.randrange(256)))
        assert state(issuer, leaf, bytes(data), answers=(bytes(data),)) is not GOOD
