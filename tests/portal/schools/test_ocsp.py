"""OCSP answers: asked where there is no list, kept, and a revocation told by one outweighs a list."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from portal.schools import refresh
from portal.schools.models import EvidenceSource, OcspAnswer, RevocationList, TrustAnchor
from portal.schools.revocation import witness
from signing import distribution
from signing.trust import RevocationState

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Authority:
    """A CA whose certificates name a responder and no list."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA chỉ có OCSP")])
        self.certificate = self.issue(self.name, self.key, ca=True)
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.revoked_at: datetime | None = None

    def issue(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool = False) -> x509.Certificate:
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number())
        built = built.not_valid_before(NOW - 300 * DAY).not_valid_after(NOW + 300 * DAY)
        built = built.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        address = x509.UniformResourceIdentifier(f"{self.base}/ocsp")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, address)
        return built.add_extension(x509.AuthorityInformationAccess([access]), critical=False).sign(
            self.key, hashes.SHA256()
        )

    def answer(self, leaf: x509.Certificate, at: datetime) -> bytes:
        revoked = self.revoked_at is not None
        built = ocsp.OCSPResponseBuilder().add_response(
            cert=leaf,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=at,
            next_update=at + DAY,
            revocation_time=self.revoked_at,
            revocation_reason=None,
        )
        built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
        return built.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def authority(db, server):
    made = Authority(server.base)
    TrustAnchor.objects.create(
        kind="ANCHOR", der=made.der, sha256=_sha256(made.der), subject="CA", not_after=NOW + DAY, loaded_at=NOW
    )
    return made


@pytest.fixture
def leaf(authority):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Người mẫu")])
    return authority.issue(name, ec.generate_private_key(ec.SECP256R1()))


def ask(leaf, authority, at=NOW, now=NOW):
    found = witness(now=now)
    answer = found.status(leaf.public_bytes(Encoding.DER), authority.der, at=at)
    found.keep(now=now)
    return answer


def test_a_certificate_without_a_list_is_asked_about_at_its_responder(authority, leaf, server):
    assert ask(leaf, authority).state is RevocationState.UNKNOWN
    [source] = EvidenceSource.objects.all()
    assert (source.kind, source.certificate_sha256) == ("OCSP", _sha256(leaf.public_bytes(Encoding.DER)))
    questions = []
    server.answers["/ocsp"] = lambda body: questions.append(body) or authority.answer(leaf, NOW)
    assert refresh.refresh(now=NOW).stored == 1
    assert ocsp.load_der_ocsp_request(questions[0]).serial_number == leaf.serial_number
    good = ask(leaf, authority)
    assert good.state is RevocationState.GOOD
    assert len(good.evidence) == 1
    source.refresh_from_db()
    assert NOW < source.next_check_at < NOW + DAY


def test_a_later_answer_that_tells_of_a_revocation_counts_from_its_moment(authority, leaf, server):
    ask(leaf, authority)
    server.answers["/ocsp"] = lambda body: authority.answer(leaf, NOW)
    refresh.refresh(now=NOW)
    assert ask(leaf, authority).state is RevocationState.GOOD
    authority.revoked_at = NOW - 3 * DAY
    server.answers["/ocsp"] = lambda body: authority.answer(leaf, NOW + DAY)
    refresh.refresh(now=NOW + DAY)
    assert OcspAnswer.objects.count() == 2
    assert ask(leaf, authority).state is RevocationState.REVOKED
    assert ask(leaf, authority, at=NOW - 4 * DAY).state is RevocationState.GOOD


def test_an_answer_by_somebody_else_is_never_stored(authority, leaf, server):
    ask(leaf, authority)
    server.answers["/ocsp"] = lambda body: Authority(server.base).answer(leaf, NOW)
    assert refresh.refresh(now=NOW).failed == 1
    assert EvidenceSource.objects.get().failure_code == "OCSP_NOT_BY_ISSUER"
    assert not OcspAnswer.objects.exists()


def test_nothing_is_asked_about_a_certificate_that_has_expired(authority, leaf, server):
    ask(leaf, authority)
    late = NOW + 400 * DAY
    assert refresh.refresh(now=late).stored == 0
    assert EvidenceSource.objects.get().next_check_at is None
    assert server.asked == []


def test_bytes_that_are_no_evidence_raise_only_the_named_error(authority, leaf):
    der = leaf.public_bytes(Encoding.DER)
    for data in (b"", b"x", b"\x30\x80", authority.der):
        with pytest.raises(distribution.EvidenceUnusable):
            distribution.read_list(data, authority.der, now=NOW)
        with pytest.raises(distribution.EvidenceUnusable):
            distribution.read_answer(data, der, authority.der, now=NOW)
        assert distribution.list_addresses(data) == ()
        assert not distribution.is_list(data)
    assert not RevocationList.objects.exists()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
