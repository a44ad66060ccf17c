"""Key holders that fail in each of their calls, or answer nonsense: named, never a traceback, never a bad seal."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing.errors import KeyUnavailable
from signing.keys.remote import OID_ECDSA_SHA256, OID_RSA_SHA256, RemoteKey, list_credentials
from signing.online import Link, RemoteSigningService

RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sở GDĐT tỉnh Mẫu")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 5)
    built = built.not_valid_before(start).not_valid_after(start + timedelta(days=900))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return built.sign(key, algorithm).public_bytes(Encoding.DER)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Service:
    """Answers as told; `changes` overwrite parts of the right answers."""

    def __init__(self, **changes: Any) -> None:
        self.answers: dict[str, Any] = {
            "credentials/list": {"credentialIDs": ["a"]},
            "credentials/info": {
                "key": {"status": "enabled", "algo": [OID_RSA_SHA256, OID_ECDSA_SHA256]},
                "cert": {"status": "valid", "certificates": [text(certificate(RSA))]},
                "multisign": 1,
            },
            "credentials/authorize": {"SAD": "x"},
            "signatures/signHash": {"signatures": [text(RSA.sign(b"a", padding.PKCS1v15(), hashes.SHA256()))]},
        }
        for place, value in changes.items():
            method, *steps = place.split("__")
            at = self.answers
            for step in [method.replace("_", "/"), *steps][:-1]:
                at = at[step]
            at[[method.replace("_", "/"), *steps][-1]] = value

    def call(self, method: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        return self.answers[method]


def code_of(service: Service) -> str:
    try:
        list_credentials(service)
        RemoteKey(service, "a").sign(b"a")
    except KeyUnavailable as error:
        return error.code
    return "OK"


def test_a_service_that_answers_rightly_is_used():
    assert code_of(Service()) == "OK"
    assert code_of(Service(credentials_info__multisign="many")) == "OK"


NONSENSE = (None, [], {}, "", "x", 0, True, [None], [[]], ["!"], ["AAAA"], ["None"], {"a": "b"}, [1], "\0", -1.5)
PARTS = (
    "credentials_list__credentialIDs", "credentials_info__key", "credentials_info__key__status",
    "credentials_info__key__algo", "credentials_info__cert", "credentials_info__cert__status",
    "credentials_info__cert__certificates", "credentials_info__multisign", "credentials_authorize__SAD",
    "signatures_signHash__signatures",
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_a_service_that_answers_nonsense_is_named(part, nonsense):
    code = code_of(Service(**{part: nonsense}))
    assert code == "OK" or code.startswith("REMOTE_")
    if part in ("credentials_info__cert__certificates", "signatures_signHash__signatures"):
        assert code != "OK"


@pytest.mark.parametrize("whole", [{}, {"error": None}, {"key": None, "cert": None}])
@pytest.mark.parametrize("method", ["credentials_info", "credentials_authorize", "signatures_signHash"])
def test_an_answer_without_its_fields_is_named(method, whole):
    assert code_of(Service(**{method: whole})) == "REMOTE_ANSWER"


def test_a_key_of_another_kind_or_another_keys_signature_is_named():
    other = {"credentials_info__cert__certificates": [text(certificate(ed25519.Ed25519PrivateKey.generate()))]}
    assert code_of(Service(**other)) == "REMOTE_ALGORITHM"
    assert code_of(Service(credentials_info__cert__certificates=[text(certificate(CURVE))])) == "REMOTE_SIGNATURE"
    assert code_of(Service(credentials_info__cert__certificates=[text(certificate(OTHER))])) == "REMOTE_SIGNATURE"


pkcs11 = pytest.importorskip("pkcs11", reason="needs python-pkcs11, which is not here")
fault = pkcs11.exceptions
FAULTS = sorted(
    {item for item in vars(fault).values() if isinstance(item, type) and issubclass(item, fault.PKCS11Error)},
    key=lambda item: item.__name__,
)


class Module:
    """A PKCS#11 module, token, session and key in one; the call `at` fails `times` times."""

    def __init__(self, at: str, error: type[Exception], times: int, key: Any = RSA) -> None:
        self.at, self.error, self.times, self.key = at, error, times, key
        self.opened = 0

    def _step(self, name: str) -> None:
        if name == self.at and self.times:
            self.times -= 1
            raise self.error

    def get_token(self, token_label: str) -> Module:
        self._step("get_token")
        return self

    def open(self, user_pin: str | None = None) -> Module:
        self._step("open")
        self.opened += user_pin is not None
        return self

    def get_key(self, object_class: object, label: str) -> Module:
        self._step("get_key")
        return self

    def sign(self, data: bytes, mechanism: object) -> bytes:
        self._step("sign")
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(data.ljust(32)[:32], ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def close(self) -> None:
        self._step("close")

    def reinitialize(self) -> None:
        self._step("reinitialize")


def hsm(monkeypatch: pytest.MonkeyPatch, module: Module, der: bytes) -> Any:
    from signing.keys import hsm as holder

    monkeypatch.setattr(holder, "_library", lambda _: module)
    return holder.HsmKey(holder.HsmPlace("m.so", "t", "k"), der, lambda: "1234")


def outcome(key: Any) -> str:
    try:
        value = key.sign(b"a")
    except KeyUnavailable as error:
        return str(error)
    RSA.public_key().verify(value, b"a", padding.PKCS1v15(), hashes.SHA256())
    return "OK"


@pytest.mark.parametrize("at", ["get_token", "open", "get_key", "sign", "close", "reinitialize"])
@pytest.mark.parametrize("times", [1, 9])
def test_each_fault_in_each_call_of_a_module_is_named_and_got_over(monkeypatch, at, times):
    der = certificate(RSA)
    assert len(FAULTS) > 40
    for error in FAULTS:
        module = Module(at, error, times)
        key = hsm(monkeypatch, module, der)
        if at == "reinitialize":
            key._process = -1  # as after a fork
        said = [outcome(key), outcome(key)]
        assert all(item == "OK" or (item.startswith("HSM_") and "1234" not in item) for item in said), (error, said)
        key.close()
        module.times = 0
        key.accept_new_pin()
        assert key.sign(b"a")


@pytest.mark.parametrize(("key", "other"), [(RSA, OTHER), (RSA, CURVE), (CURVE, RSA)])
def test_a_label_of_another_key_than_the_certificates_makes_no_seal(monkeypatch, key, other):
    assert hsm(monkeypatch, Module("", ValueError, 0, key), certificate(key)).sign(b"a")
    with pytest.raises(KeyUnavailable) as refused:
        hsm(monkeypatch, Module("", ValueError, 0, other), certificate(key)).sign(b"a")
    assert refused.value.code == "HSM_SIGNATURE"


class Echo(BaseHTTPRequestHandler):
    """Says what it was given, whatever is asked."""

    said: ClassVar[bytes] = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.said)))
        self.end_headers()
        with suppress(OSError):  # the other side may have heard enough
            self.wfile.write(self.said)

    def log_message(self, *args: object) -> None:
        return


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "REMOTE_AWAY"),
        (b"<html>", "REMOTE_AWAY"),
        (b"\xff\xfe\x00", "REMOTE_AWAY"),
        (b"[]", "REMOTE_ANSWER"),
        (b"null", "REMOTE_ANSWER"),
        (b'{"credentialIDs": "a"}', "REMOTE_ANSWER"),
        (b"[" * 200_000, "REMOTE_AWAY"),
        (b'{"a": "' + b"x" * 3_000_000 + b'", "credentialIDs": []}', "REMOTE_AWAY"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_whatever_comes_over_the_line_is_bounded_and_named(said, code):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Said", (Echo,), {"said": said}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        line = RemoteSigningService(f"http://127.0.0.1:{server.server_address[1]}", "x", Link(2, 5))
        with pytest.raises(KeyUnavailable) as refused:
            list_credentials(line)
        assert refused.value.code == code
    finally:
        server.shutdown()
        server.server_close()
