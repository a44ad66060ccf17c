"""The remote key against a small real server that speaks the Cloud Signature Consortium API over HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from signing.errors import KeyUnavailable
from signing.keys.remote import OID_RSA_SHA256, OID_SHA256, RemoteKey, list_credentials
from signing.online import Link, RemoteSigningService


class SigningServer(ThreadingHTTPServer):
    """Holds one RSA key `so-gddt`, wants PIN 4821, and authorises one digest at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sở GDĐT tỉnh Mẫu")])
        now = datetime.now(UTC)
        built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        built = built.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self.certificate = built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        self.authorised: dict[str, str] = {}
        self.status = "enabled"
        self.signs_wrongly = False
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Conversation(BaseHTTPRequestHandler):
    server: SigningServer

    def log_message(self, *args: object) -> None:
        return

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.removeprefix("/csc/v2/")
        self.server.calls.append(method)
        if self.headers["Authorization"] != "Bearer the-ngan-han":
            self.answer(401, {"error": "invalid_token"})
            return
        getattr(self, method.replace("/", "_"))(body)

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def credentials_list(self, body: dict[str, Any]) -> None:
        self.answer(200, {"credentialIDs": ["so-gddt"]})

    def credentials_info(self, body: dict[str, Any]) -> None:
        certificate = base64.b64encode(self.server.certificate).decode()
        key = {"status": self.server.status, "algo": [OID_RSA_SHA256], "len": 2048}
        self.answer(200, {"key": key, "cert": {"status": "valid", "certificates": [certificate]}, "multisign": 1})

    def credentials_authorize(self, body: dict[str, Any]) -> None:
        if body["authData"] != [{"id": "PIN", "value": "4821"}]:
            self.answer(400, {"error": "invalid_pin"})
            return
        self.server.authorised["sad-1"] = body["hashes"][0]
        self.answer(200, {"SAD": "sad-1", "expiresIn": 60})

    def signatures_signHash(self, body: dict[str, Any]) -> None:
        digest = body["hashes"][0]
        if self.server.authorised.pop(body["SAD"], None) != digest or body["hashAlgorithmOID"] != OID_SHA256:
            self.answer(400, {"error": "invalid_request"})
            return
        raw = bytes(32) if self.server.signs_wrongly else base64.b64decode(digest)
        value = self.server.key.sign(raw, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
        self.answer(200, {"signatures": [base64.b64encode(value).decode()]})


@pytest.fixture
def server() -> Iterator[SigningServer]:
    with SigningServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join(5)


def service(server: SigningServer, token: str = "the-ngan-han") -> RemoteSigningService:
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
    assert refused.value.code == "REMOTE_REFUSED"
    assert "invalid_pin" in refused.value.message
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
