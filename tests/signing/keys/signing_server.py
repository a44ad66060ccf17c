"""A small real server that speaks the Cloud Signature Consortium API, version 2, over HTTP; it holds one key."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from signing.keys.remote import OID_RSA_SHA256, OID_SHA256

TOKEN = "the-ngan-han"
# A private key and its certificate (DER).
Held = tuple[rsa.RSAPrivateKey, bytes]
Server = TypeVar("Server", bound=ThreadingHTTPServer)


def _own() -> Held:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sở GDĐT tỉnh Mẫu")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return key, built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class SigningServer(ThreadingHTTPServer):
    """Holds one RSA key `so-gddt`, wants its PIN (4821), and authorises one digest at a time."""

    daemon_threads = True

    def __init__(self, held: Held | None = None, *, pin: str = "4821", port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Conversation)
        self.key, self.certificate = held or _own()
        self.pin = pin
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
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
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
        if body["authData"] != [{"id": "PIN", "value": self.server.pin}]:
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


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server answers inside the block, and its port is closed after it."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)
