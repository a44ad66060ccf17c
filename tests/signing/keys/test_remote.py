"""The remote key against a small real server that speaks the Cloud Signature Consortium API over HTTP."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from signing.errors import KeyUnavailable
from signing.keys.remote import RemoteKey, list_credentials
from signing.online import Link, RemoteSigningService
from tests.signing.keys.signing_server import TOKEN, SigningServer, serving


@pytest.fixture
def server() -> Iterator[SigningServer]:
    with serving(SigningServer()) as running:
        yield running


def service(server: SigningServer, token: str = TOKEN) -> RemoteSigningService:
    return RemoteSigningService(server.url, token, Link(connect_seconds=2, read_seconds=5))


def pin(value: str = "4821") -> list[dict[str, str]]:
    return [{"id": "PIN", "value": value}]


def test_a_seal_is_authorised_for_its_own_digest_and_verifies(server: SigningServer) -> None:
    assert list_credentials(service(server)) == ["so-gddt"]
    key = RemoteKey(service(server), "so-gddt", pin)
    server.key.public_key().verify(key.sign(b"goi"), b"goi", padding.PKCS1v15(), hashes.SHA256())
    assert server.calls == ["credentials/list", "credentials/info", "credentials/authorize", "signatures/signHash"]
    assert key.certificate == server.certificate


def test_a_wrong_pin_is_refused_by_name_and_stands_in_no_message(server: SigningServer) -> None:
    key = RemoteKey(service(server), "so-gddt", lambda: pin("9137"))
    with pytest.raises(KeyUnavailable) as refused:
        key.sign(b"goi")
    assert refused.value.code == "REMOTE_PIN_INCORRECT"
    assert "9137" not in str(refused.value)


def test_a_service_that_signs_something_else_is_not_believed(server: SigningServer) -> None:
    server.signs_wrongly = True
    with pytest.raises(KeyUnavailable) as refused:
        RemoteKey(service(server), "so-gddt", pin).sign(b"goi")
    assert refused.value.code == "REMOTE_SIGNATURE"


def test_a_disabled_key_and_a_refused_token_are_named(server: SigningServer) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        list_credentials(service(server, token="cu"))
    assert refused.value.code == "REMOTE_REFUSED"
    server.status = "disabled"
    with pytest.raises(KeyUnavailable) as disabled:
        RemoteKey(service(server), "so-gddt", pin)
    assert disabled.value.code == "REMOTE_DISABLED"


def test_a_service_that_is_away_is_tried_later(server: SigningServer) -> None:
    key = RemoteKey(service(server), "so-gddt", pin)
    server.shutdown()
    server.server_close()
    with pytest.raises(KeyUnavailable) as away:
        key.sign(b"goi")
    assert away.value.code == "REMOTE_AWAY"
