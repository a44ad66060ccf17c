"""Time-stamps from a real authority (the openssl program), and the ways in which one fails to convince."""

import base64
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.errors import SigningError, TimestampUnavailable
from signing.keys.software import SoftwareKey
from signing.sealing import SealProfile, seal
from signing.timestamp import Authority, check, obtain

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program, which is not here")

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {cn}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamp]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[tsa]
default_tsa = tsa1
[tsa1]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(*words: str, folder: Path, give: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *words], cwd=folder, input=give, capture_output=True, check=True, timeout=60
    ).stdout


class LocalAuthority:
    """A root, a time-stamp certificate under it, and an answer to each request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        for name, cn in (("ca.cnf", "CA dau thoi gian Mau"), ("tsa.cnf", "Dau thoi gian Mau")):
            (folder / name).write_text(CONFIG.format(cn=cn, folder=folder))
        new = ("-newkey", "rsa:2048", "-nodes")
        out = ("-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", "-x509", *new, *out, "-config", "ca.cnf", "-extensions", "ca", "-days", "30", folder=folder)
        openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-config", "tsa.cnf", folder=folder)
        by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-days", "30")
        ext = ("-extfile", "tsa.cnf", "-extensions", "stamp")
        openssl("x509", "-req", "-in", "tsa.csr", *by, *ext, "-out", "tsa.pem", folder=folder)
        root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        self.authority = Authority("TSA mẫu", "http://tsa.mau", (root.public_bytes(Encoding.DER),))

    def post(self, url: str, body: bytes, content_type: str) -> bytes:
        assert content_type == "application/timestamp-query"
        (self.folder / "query.tsq").write_bytes(body)
        openssl(
            "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr", folder=self.folder
        )
        return (self.folder / "reply.tsr").read_bytes()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority(tmp_path_factory.mktemp("tsa") / "a")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority(tmp_path_factory.mktemp("tsa") / "b")


def test_a_stamp_verifies_now_and_from_the_store(tsa: LocalAuthority) -> None:
    token = obtain(b"noi dung", [tsa.authority], tsa.post)
    assert abs((datetime.now(UTC) - token.at).total_seconds()) < 120
    assert check(token.der, b"noi dung", tsa.authority) == token.at
    with pytest.raises(TimestampUnavailable) as foreign:
        check(token.der, b"noi dung khac", tsa.authority)
    assert foreign.value.code == "TSA_TOKEN_INVALID"


def test_an_answer_to_another_question_or_by_another_authority_is_not_believed(
    tsa: LocalAuthority, other: LocalAuthority
) -> None:
    old: list[bytes] = []

    def replay(url: str, body: bytes, content_type: str) -> bytes:
        old.append(tsa.post(url, body, content_type))
        return old[0]

    obtain(b"mot", [tsa.authority], replay)
    with pytest.raises(TimestampUnavailable):
        obtain(b"mot", [tsa.authority], replay)
    with pytest.raises(TimestampUnavailable):
        obtain(b"mot", [other.authority], tsa.post)


def test_the_next_authority_is_asked_when_one_is_away(tsa: LocalAuthority) -> None:
    def post(url: str, body: bytes, content_type: str) -> bytes:
        if url == "http://vang":
            raise SigningError("SOURCE_AWAY", "không trả lời")
        return tsa.post(url, body, content_type)

    away = Authority("TSA vắng", "http://vang", tsa.authority.roots)
    assert obtain(b"mot", [away, tsa.authority], post).authority == "TSA mẫu"
    with pytest.raises(TimestampUnavailable, match="TSA vắng"):
        obtain(b"mot", [away], post)


def test_a_time_stamped_seal_carries_a_stamp_over_its_own_signature_value(tsa: LocalAuthority) -> None:
    private = rsa.generate_private_key(65537, 2048)
    der = x509.load_pem_x509_certificate((tsa.folder / "ca.pem").read_bytes()).public_bytes(Encoding.DER)
    key = SoftwareKey(certificate=der, chain=(), private_key=private)
    stamped: list[bytes] = []

    def stamper(message: bytes) -> bytes:
        stamped.append(message)
        return obtain(message, [tsa.authority], tsa.post).der

    document = b'<DANH_SACH_HOC_BA id="ds"><HOC_BA/></DANH_SACH_HOC_BA>'
    sealed = seal(document, key=key, profile=SealProfile(kind="XADES_T"), at=datetime.now(UTC), stamper=stamper)
    held = re.search(rb"<xades:EncapsulatedTimeStamp>([^<]+)<", sealed)
    value = re.search(rb"<ds:SignatureValue [^>]*>([^<]+)<", sealed)
    assert held is not None
    assert value is not None
    assert value[1] in stamped[0]
    check(base64.b64decode(held[1]), stamped[0], tsa.authority)
