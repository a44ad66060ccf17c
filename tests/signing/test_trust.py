"""The trust store of an inspector or administrator: what counts as a root, and what is said of a file that is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from signing.errors import TrustStoreUnreadable
from signing.trust import ChainVerdict, TrustStore, build_chain, read_certificate

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def certificate(
    common_name: str, issuer: str, *, public=KEY, authority: bool | None = True, usage: str | None = None,
    since: datetime = datetime(2008, 1, 1, tzinfo=UTC), until: datetime = datetime(2040, 1, 1, tzinfo=UTC),
) -> bytes:  # fmt: skip
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder(name(issuer), name(common_name), public.public_key(), x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if usage is not None:
        uses = dict.fromkeys(USES, False) | {usage: True}
        builder = builder.add_extension(x509.KeyUsage(**uses), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def with_sha1(der: bytes, key: rsa.RSAPrivateKey = KEY) -> bytes:
    """The same certificate as an authority of before 2015 would have signed it."""
    old = asn1_x509.Certificate.load(der)
    for place in (old["signature_algorithm"], old["tbs_certificate"]["signature"]):
        place["algorithm"] = "sha1_rsa"
    body = old["tbs_certificate"].dump(force=True)
    old["signature_value"] = key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    return old.dump(force=True)


def test_an_old_root_that_signed_itself_with_sha1_is_still_a_root():
    store = TrustStore.from_certificates([with_sha1(certificate("Old Root", "Old Root"))])
    assert [item.common_name for item in store.anchors] == ["Old Root"]
    leaf = read_certificate(certificate("Signer", "Old Root", public=OTHER, authority=False))
    assert build_chain(leaf, store, at=NOW).verdict is ChainVerdict.VALID


def test_below_a_root_sha1_makes_no_chain():
    store = TrustStore.from_certificates([certificate("Root", "Root")])
    leaf = read_certificate(with_sha1(certificate("Signer", "Root", public=OTHER, authority=False)))
    assert build_chain(leaf, store, at=NOW).verdict is not ChainVerdict.VALID


def test_who_only_bears_the_name_of_its_issuer_is_no_root():
    forged = with_sha1(certificate("Root", "Root"), key=OTHER)
    assert TrustStore.from_certificates([forged]).anchors == ()


def test_a_folder_holds_bundles_and_der_and_what_desktops_leave_behind(tmp_path):
    one, two = (x509.load_der_x509_certificate(certificate(name, name)) for name in ("One", "Two"))
    bundle = b"Subject: One\r\n" + one.public_bytes(Encoding.PEM) + b"\n# and\n" + two.public_bytes(Encoding.PEM)
    (tmp_path / "bundle.pem").write_bytes(bundle)
    (tmp_path / "three.DER").write_bytes(certificate("Three", "Three"))
    (tmp_path / "._bundle.pem").write_bytes(b"\0\5\x16\7")
    (tmp_path / "list.crl").write_bytes(b"no certificate")
    (tmp_path / "folder.pem").mkdir()
    assert sorted(item.common_name for item in TrustStore.from_directory(tmp_path).anchors) == ["One", "Three", "Two"]


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_certificate_is_named(tmp_path, content):
    (tmp_path / "root.pem").write_bytes(certificate("Root", "Root"))
    (tmp_path / "strange.crt").write_bytes(content)
    with pytest.raises(TrustStoreUnreadable) as refused:
        TrustStore.from_directory(tmp_path)
    assert refused.value.code == "CERTIFICATE_UNREADABLE"
    assert "strange.crt" in refused.value.message


@pytest.mark.parametrize("forbids", [{"authority": False}, {"authority": None, "usage": "digital_signature"},
                                     {"usage": "crl_sign"}])  # fmt: skip
def test_an_anchor_that_may_not_issue_is_good_for_itself_alone(forbids):
    """Somebody laid a person's own certificate among the roots: its holder must not become an authority."""
    person = certificate("Person", "Person", **forbids)
    below = read_certificate(certificate("Another", "Person", public=OTHER, authority=False))
    for store in (TrustStore.from_certificates([person]), TrustStore.from_certificates([], anchors=[person])):
        assert build_chain(below, store, at=NOW).verdict is ChainVerdict.NOT_FOUND
        own = build_chain(read_certificate(person), store, at=NOW)
        assert (own.verdict, len(own.certificates)) == (ChainVerdict.VALID, 1)


@pytest.mark.parametrize("says", [{"authority": None}, {"authority": None, "usage": "key_cert_sign"}, {}])
def test_a_root_that_forbids_itself_nothing_issues_as_before(says):
    store = TrustStore.from_certificates([certificate("Root", "Root", **says)])
    leaf = read_certificate(certificate("Signer", "Root", public=OTHER, authority=False))
    assert build_chain(leaf, store, at=NOW).verdict is ChainVerdict.VALID


@pytest.mark.parametrize("window", [{"since": NOW + timedelta(hours=10)}, {"until": NOW + timedelta(hours=10)}])
def test_a_failure_in_the_morning_is_none_of_the_afternoon(window):
    """The intermediate begins, or ends, within the day: whatever was asked first decides nothing else."""
    files = [certificate("Root", "Root"), certificate("Middle", "Root", **window)]
    leaf = read_certificate(certificate("Signer", "Middle", public=OTHER, authority=False))
    hours = [NOW + timedelta(hours=hour) for hour in (8, 15)]
    alone = [build_chain(leaf, TrustStore.from_certificates(files), at=hour).verdict for hour in hours]
    assert sorted(verdict is ChainVerdict.VALID for verdict in alone) == [False, True]
    for order in (1, -1):
        store = TrustStore.from_certificates(files)
        assert [build_chain(leaf, store, at=hour).verdict for hour in hours[::order]] == alone[::order]
