"""Time-stamps from a real authority (the openssl program), and the ways in which one fails to convince."""

import base64
import re
import shutil
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.errors import SigningError, TimestampUnavailable
from signing.keys.software import SoftwareKey
from signing.sealing import SealProfile, seal
from signing.timestamp import Authority, check, obtain
from tests.signing.authority import LocalAuthority

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program, which is not here")


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
