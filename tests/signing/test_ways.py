"""An authority with several certificates: which of them is found first decides nothing about its signers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from signing.presets import FIRST_LAYOUT
from signing.trust import (
    ChainVerdict,
    RevocationAnswer,
    RevocationState,
    TrustStore,
    another_way,
    build_chain,
    read_certificate,
)
from signing.verification.evidence import check_revocation
from signing.verification.outcome import Refusal

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD, REVOKED, UNKNOWN = RevocationState.GOOD, RevocationState.REVOKED, RevocationState.UNKNOWN
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("One", "Two", "Middle", "Signer")}


def certificate(subject: str, issuer: str) -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    public = KEYS[subject].public_key()
    built = x509.CertificateBuilder(name(issuer), name(subject), public, x509.random_serial_number())
    built = built.not_valid_before(NOW - timedelta(days=300)).not_valid_after(NOW + timedelta(days=300))
    built = built.add_extension(x509.BasicConstraints(ca=subject != "Signer", path_length=None), critical=True)
    return built.sign(KEYS[issuer], hashes.SHA256()).public_bytes(Encoding.DER)


ROOTS = [certificate(name, name) for name in ("One", "Two")]
CROSSED = [certificate("Middle", name) for name in ("One", "Two")]
SIGNER = certificate("Signer", "Middle")


@dataclass
class Told:
    """A source that knows the states of some certificates; all others are good."""

    states: dict[bytes, RevocationState]
    asked: list[bytes] = field(default_factory=list)

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        self.asked.append(certificate)
        return RevocationAnswer(self.states.get(certificate, GOOD))


def ask(files: list[bytes], source: Told) -> str:
    chain = build_chain(read_certificate(SIGNER), TrustStore.from_certificates([*ROOTS, *files]), at=NOW)
    assert chain.verdict is ChainVerdict.VALID
    try:
        check_revocation(chain, source, FIRST_LAYOUT, NOW)
    except Refusal as refused:
        return refused.code
    return "GOOD"


@pytest.mark.parametrize("files", [CROSSED, CROSSED[::-1]])
@pytest.mark.parametrize("bad", CROSSED)
@pytest.mark.parametrize("state", [REVOKED, UNKNOWN])
def test_one_certificate_of_a_crossed_authority_stops_nothing_while_the_other_is_good(files, bad, state):
    assert ask(files, Told({bad: state})) == "GOOD"


@pytest.mark.parametrize("files", [CROSSED, CROSSED[::-1]])
def test_without_a_good_way_the_signature_waits_or_is_refused(files):
    one, two = CROSSED
    assert ask(files, Told({one: REVOKED, two: REVOKED})) == "ISSUER_REVOKED"
    assert ask(files, Told({one: REVOKED, two: UNKNOWN})) == "REVOCATION_UNKNOWN"
    assert ask([one], Told({one: REVOKED})) == "ISSUER_REVOKED"


def test_the_signers_own_certificate_has_no_other_way():
    source = Told({SIGNER: REVOKED})
    assert ask(CROSSED, source) == "CERTIFICATE_REVOKED"
    assert source.asked == [SIGNER]


def test_the_ways_that_are_asked_about_are_few():
    many = [certificate("Middle", "One") for _ in range(30)]
    source = Told(dict.fromkeys(many, REVOKED))
    assert ask(many, source) == "ISSUER_REVOKED"
    assert len(source.asked) <= 8


def test_a_way_that_there_is_not_is_looked_for_once(monkeypatch):
    store = TrustStore.from_certificates([*ROOTS, CROSSED[0]])
    chain = build_chain(read_certificate(SIGNER), store, at=NOW)
    avoiding = frozenset({read_certificate(CROSSED[0]).sha256})
    assert another_way(chain, at=NOW, avoiding=avoiding) is None
    monkeypatch.setattr("signing.trust.chains._validate", None)
    assert another_way(chain, at=NOW + timedelta(hours=1), avoiding=avoiding) is None
