"""What a set of vectors brings beside its files: whom it trusts, what was revoked, and which files lost a signature."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing.sealing import seal
from signing.vectors import run_vectors
from signing.vectors.documents import judge_plain
from tests.signing.test_revocation import DAY, NOW, Issuer

LATER = datetime(2026, 11, 1, tzinfo=UTC)
Judge = Callable[..., list[tuple[str, str]]]


class Key:
    """An end entity's key as the sealing storey wants it."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = der(certificate)
        self.chain = ()
        self._key = key

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def signed(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, text: str = "1") -> bytes:
    return seal(f'<A id="a"><B>{text}</B></A>'.encode(), key=Key(certificate, key), at=NOW)


@pytest.fixture(scope="module")
def honest() -> Issuer:
    return Issuer("CA mẫu")


@pytest.fixture(scope="module")
def stranger() -> Issuer:
    """A forger's own authority, by a name that gives nothing away."""
    return Issuer("Root CA G2")


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Verdict and code of every judged file of a folder made of (path, bytes, expected[, reason])."""

    def judged(
        *files: tuple[str, bytes, str] | tuple[str, bytes, str, str], at: datetime = LATER
    ) -> list[tuple[str, str]]:
        for path, data, *_ in files:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        rows = ["\t".join([path, *words]) for path, _, *words in files]
        (tmp_path / "INDEX.tsv").write_text("\n".join(["path\texpected\treason", *rows, ""]))
        return [(item.got, item.code) for item in run_vectors(tmp_path, at=at)]

    return judged


@pytest.mark.parametrize(
    ("days", "expected"), [(-1, ("invalid", "CERTIFICATE_REVOKED")), (1, ("valid", "OK"))], ids=["before", "after"]
)
def test_a_revocation_that_the_set_tells_holds_for_its_documents(honest, judge, days, expected):
    crl = honest.crl({7: NOW + days * DAY}, at=NOW + 2 * DAY)
    files = [("s/root.crt", der(honest.certificate), "material"), ("s/a.crl", crl, "material")]
    assert judge(("s/a.xml", signed(*honest.issue(7)), "valid"), *files) == [expected]


def test_a_list_for_some_reasons_only_revokes_too(honest, judge):
    """It proves nobody good, and names whom it names."""
    scope = x509.IssuingDistributionPoint(
        None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), False, False
    )
    entry = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(NOW - DAY)
    built = x509.CertificateRevocationListBuilder().issuer_name(honest.name).last_update(NOW - DAY)
    built = built.next_update(NOW + DAY).add_extension(scope, critical=True).add_revoked_certificate(entry.build())
    crl = built.sign(honest.key, hashes.SHA256()).public_bytes(Encoding.DER)
    files = [("s/root.crt", der(honest.certificate), "material"), ("s/a.crl", crl, "material")]
    assert judge(("s/a.xml", signed(*honest.issue(7)), "invalid"), *files) == [("invalid", "CERTIFICATE_REVOKED")]


def test_a_file_named_from_the_root_of_the_disk_stops_no_set(honest, judge, tmp_path):
    files = [(f"{tmp_path}/s/root.crt", der(honest.certificate), "material")]
    assert len(judge(("s/a.xml", signed(*honest.issue(7)), "valid"), *files)) == 1


@pytest.mark.parametrize("prefix", ["chữ", "d·s"])
def test_a_forged_signature_with_a_foreign_prefix_is_judged_as_one(honest, judge, prefix):
    said = '="http://www.w3.org/2000/09/xmldsig#"'
    data = (
        signed(*honest.issue(7)).decode().replace("<B>1", "<B>2").replace("</ds:Signature>", f"</{prefix}:Signature>")
    )
    data = data.replace("<ds:Signature ", f"<{prefix}:Signature xmlns:{prefix}{said} ")
    assert judge(("s/a.xml", data.encode(), "invalid")) == [("invalid", "DIGEST_MISMATCH")]


@pytest.mark.parametrize(
    "data",
    [
        b'<r xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Signature/></r>',
        b'<r><a:SignedInfo xmlns:a="http://www.w3.org/2000/09/xmldsig#"/></r>',
        b"<r><Signature>x</Signature></r>",
    ],
)
def test_what_holds_parts_of_a_signature_does_not_pass_as_a_plain_document(data):
    assert judge_plain(data, None)[:2] == ("unsupported", "SIGNED")


def test_beside_certificates_a_document_without_signature_has_lost_its_own(honest, judge):
    root = ("s/root.crt", der(honest.certificate), "material")
    assert judge(("s/a.xml", b"<r/>", "invalid"), root) == [("unsupported", "SIGNATURE_MISSING")]


def test_a_signed_file_of_any_name_makes_a_signed_set(honest, judge):
    files = [("keys/root.crt", der(honest.certificate), "material"), ("s/a.xsig", signed(*honest.issue(7)), "valid")]
    found = judge(*files, ("s/b.xml", b"<r/>", "invalid"))
    assert found == [("valid", "OK"), ("unsupported", "SIGNATURE_MISSING")]


def test_a_certificate_that_is_judged_vouches_for_nobody(honest, judge):
    """Neither for itself nor for what it signed."""
    alone = Issuer("Người lạ")
    found = judge(
        ("s/root.crt", der(honest.certificate), "material"), ("s/a.crt", der(alone.certificate), "invalid"),
        ("s/a.xml", signed(alone.certificate, alone.key), "invalid"),
    )  # fmt: skip
    assert [got for got, _ in found] == ["unsupported", "unsupported"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("s/attacker/ca.crt", ""), ("s-attacker/ca.crt", ""), ("s/rogue-anchor.crt", ""),
        ("s/ca2.crt", "certificate of the attacker, not trusted"), ("s/ca2.crt", "chứng thư giả mạo"),
    ],
)  # fmt: skip
def test_an_attackers_authority_is_known_by_its_folder_and_by_the_reason_column(honest, stranger, judge, path, reason):
    found = judge(
        ("s/f.xml", signed(*stranger.issue(7)), "invalid"), ("s/g.xml", signed(*honest.issue(7)), "valid"),
        ("s/root.crt", der(honest.certificate), "material"), (path, der(stranger.certificate), "material", reason),
    )  # fmt: skip
    assert found == [("unsupported", "CHAIN_NOT_FOUND"), ("valid", "OK")]


def test_the_folder_that_a_whole_set_lies_in_makes_no_authority_an_attackers(honest, judge):
    files = [("attacks/xsw/root.crt", der(honest.certificate), "material")]
    assert judge(("attacks/xsw/a.xml", signed(*honest.issue(7)), "valid"), *files) == [("valid", "OK")]


@pytest.mark.parametrize(
    "data",
    [
        b'<a xmlns:x="http://www.w3.org/2003/XInclude"><x:include href="file:///etc/passwd"/></a>',
        b'<java class="java.beans.&#88;MLDecoder"/>',
    ],
)
def test_active_content_is_known_however_its_name_is_spelt(data):
    assert judge_plain(data, None)[:2] == ("unsupported", "ACTIVE_CONTENT")


def test_an_authority_that_had_run_out_before_the_signature_vouches_for_nobody(honest, judge):
    old = x509.CertificateBuilder().subject_name(honest.name).issuer_name(honest.name).serial_number(1)
    old = old.public_key(honest.key.public_key()).not_valid_before(NOW - 300 * DAY).not_valid_after(NOW - DAY)
    root = old.add_extension(x509.BasicConstraints(True, None), critical=True).sign(honest.key, hashes.SHA256())
    found = judge(("s/a.xml", signed(*honest.issue(7)), "invalid"), ("s/root.crt", der(root), "material"))
    assert found == [("unsupported", "CHAIN_NOT_FOUND")]


@pytest.mark.parametrize(("at", "code"), [(LATER, "PathBuildingError"), (NOW + 400 * DAY, "ExpiredError")])
def test_a_path_that_cannot_be_decided_is_not_called_broken(honest, stranger, judge, at, code):
    """Issued by someone whom the set does not bring, or expired since: good elsewhere, or in its time."""
    root, crl = ("s/root.crt", der(honest.certificate), "material"), honest.crl({}, at=at - DAY)
    leaf = (honest if code == "ExpiredError" else stranger).issue(7)[0]
    assert judge(root, ("s/a.crl", crl, "material"), ("s/a.crt", der(leaf), "valid"), at=at) == [("unsupported", code)]
