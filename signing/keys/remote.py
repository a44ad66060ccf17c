"""A sealing key held by a remote signing service that speaks the Cloud Signature Consortium API, version 2.

Only digests travel, never a document. Each seal is authorised for exactly one digest (`credentials/authorize`), so that
an authorisation that leaks signs nothing else. This file knows the conversation; `signing.online` carries it.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from signing.errors import KeyUnavailable

# CSC API v2, § 11: algorithms are named by object identifiers.
OID_SHA256 = "2.16.840.1.101.3.4.2.1"
OID_RSA_SHA256 = "1.2.840.113549.1.1.11"
OID_ECDSA_SHA256 = "1.2.840.10045.4.3.2"


class Transport(Protocol):
    """One call of the service: a method name such as `credentials/list` and its JSON object.

    Raises `KeyUnavailable` when the service cannot be reached or answers with an error.
    """

    def call(self, method: str, body: Mapping[str, object]) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Credential:
    """What the service says of one key."""

    identifier: str
    certificates: tuple[bytes, ...]
    is_enabled: bool
    sign_algorithms: tuple[str, ...]
    multisign: int


def list_credentials(transport: Transport) -> list[str]:
    """Identifiers of the keys that this account may use."""
    answer = transport.call("credentials/list", {})
    return [str(identifier) for identifier in _field(answer, "credentialIDs", list)]


def describe(transport: Transport, identifier: str) -> Credential:
    """The key's certificates (DER, the signer's first), state and algorithms."""
    request = {"credentialID": identifier, "certificates": "chain", "certInfo": False, "authInfo": True}
    answer = transport.call("credentials/info", request)
    key, cert = _field(answer, "key", dict), _field(answer, "cert", dict)
    encoded = _field(cert, "certificates", list)
    if not encoded:
        raise KeyUnavailable("REMOTE_NO_CERTIFICATE", "Dịch vụ ký từ xa không trả về chứng thư của khoá.")
    multisign = answer.get("multisign", 1)
    return Credential(
        identifier=identifier,
        certificates=tuple(_decode(text) for text in encoded),
        is_enabled=key.get("status") == "enabled" and cert.get("status", "valid") == "valid",
        sign_algorithms=tuple(str(oid) for oid in _field(key, "algo", list)),
        multisign=multisign if isinstance(multisign, int) else 1,
    )


class RemoteKey:
    """A `SealingKey` at a remote signing service; `secrets` gives the authorisation data (PIN, OTP) for each seal."""

    def __init__(
        self, transport: Transport, identifier: str, secrets: Callable[[], Sequence[Mapping[str, str]]] = tuple
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self._credential = describe(transport, identifier)
        if not self._credential.is_enabled:
            raise KeyUnavailable(
                "REMOTE_DISABLED", "Khoá ở dịch vụ ký từ xa đang bị khoá hoặc hết hiệu lực: liên hệ nhà cung cấp."
            )
        self._public = _public_key(self.certificate)
        self._algorithm = self._choose_algorithm()

    def __repr__(self) -> str:
        return f"RemoteKey({self._credential.identifier!r})"

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        return self._credential.certificates[0]

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuers' certificates, DER, nearest first."""
        return self._credential.certificates[1:]

    def sign(self, data: bytes) -> bytes:
        """RSA PKCS#1 v1.5 with SHA-256, or ECDSA r‖s over SHA-256 of `data`. Raises `KeyUnavailable` with its cause."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        authorised = self._transport.call(
            "credentials/authorize",
            {
                "credentialID": self._credential.identifier,
                "numSignatures": 1,
                "hashes": [digest],
                "hashAlgorithmOID": OID_SHA256,
                "authData": [dict(secret) for secret in self._secrets()],
            },
        )
        answer = self._transport.call(
            "signatures/signHash",
            {
                "credentialID": self._credential.identifier,
                "SAD": _field(authorised, "SAD", str),
                "hashes": [digest],
                "hashAlgorithmOID": OID_SHA256,
                "signAlgo": self._algorithm,
            },
        )
        values = _field(answer, "signatures", list)
        if len(values) != 1:
            raise KeyUnavailable("REMOTE_ANSWER", "Dịch vụ ký từ xa trả về số chữ ký khác với yêu cầu.")
        return self._checked(_decode(values[0]), data)

    def close(self) -> None:
        """Nothing to let go of: every seal is authorised by itself."""

    def _choose_algorithm(self) -> str:
        wanted = OID_RSA_SHA256 if isinstance(self._public, rsa.RSAPublicKey) else OID_ECDSA_SHA256
        if wanted not in self._credential.sign_algorithms:
            raise KeyUnavailable("REMOTE_ALGORITHM", "Khoá ở dịch vụ ký từ xa không ký được bằng SHA-256.")
        return wanted

    def _checked(self, value: bytes, data: bytes) -> bytes:
        """The value as XMLDSig wants it, once it verifies: a service that signs something else must not pass unseen."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        public = self._public
        try:
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
                return value
            public.verify(value, data, ec.ECDSA(hashes.SHA256()))
            size = (public.key_size + 7) // 8
            r, s = decode_dss_signature(value)
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        except (InvalidSignature, ValueError):
            pass
        raise KeyUnavailable("REMOTE_SIGNATURE", "Chữ ký nhận từ dịch vụ ký từ xa không khớp chứng thư: không dùng.")


def _public_key(certificate: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnavailable(
            "REMOTE_ANSWER", "Dịch vụ ký từ xa trả về chứng thư không đọc được: liên hệ nhà cung cấp."
        ) from None
    if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise KeyUnavailable("REMOTE_ALGORITHM", "Khoá ở dịch vụ ký từ xa không phải khoá RSA hay ECDSA.")
    return public


def _field(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    value = answer.get(name)
    if not isinstance(value, kind):
        raise KeyUnavailable("REMOTE_ANSWER", f"Dịch vụ ký từ xa trả lời thiếu trường «{name}».")
    return value


def _decode(text: object) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise KeyUnavailable("REMOTE_ANSWER", "Dịch vụ ký từ xa trả lời dữ liệu không đọc được.")
