"""A sealing key in a hardware security module, reached through PKCS#11.

The key never leaves the module; this process only asks it to sign. A session that was lost is opened once more; a PIN
that was wrong is never tried again by itself, because three tries lock most tokens. The PIN is asked for when a session
opens and kept in no attribute, message or traceback of ours.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pkcs11
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import exceptions as fault

from signing.errors import KeyUnavailable

# DigestInfo prefix of SHA-256 is added by the module itself: the mechanism hashes and signs.
_RSA = pkcs11.Mechanism.SHA256_RSA_PKCS
_ECDSA = pkcs11.Mechanism.ECDSA  # over a digest: few modules offer the combined mechanism

# Faults after which a new session may work: the module restarted, the process forked, the token came back.
_LOST = (
    fault.SessionHandleInvalid,
    fault.SessionClosed,
    fault.KeyHandleInvalid,
    fault.ObjectHandleInvalid,
    fault.UserNotLoggedIn,
    fault.DeviceError,
    fault.DeviceRemoved,
    fault.TokenNotPresent,
    fault.GeneralError,
    fault.OperationActive,
)


@dataclass(frozen=True, slots=True)
class HsmPlace:
    """Where the key is: the module's library, the token's label, and the key's label on it."""

    module: str
    token_label: str
    key_label: str


class HsmKey:
    """A `SealingKey` in a PKCS#11 token. Safe to share between threads and to use again after a fork."""

    def __init__(
        self, place: HsmPlace, certificate: bytes, pin: Callable[[], str], chain: tuple[bytes, ...] = ()
    ) -> None:
        """`pin` is called once per session; it reads the PIN from where the operator put it, and keeps nothing."""
        self._place = place
        self._certificate = certificate
        self._chain = chain
        self._pin = pin
        self._lock = threading.Lock()
        self._session: Any = None
        self._key: Any = None
        self._process = os.getpid()
        self._refused_pin = False
        self._public = x509.load_der_x509_certificate(certificate).public_key()
        self._is_rsa = isinstance(self._public, rsa.RSAPublicKey)

    def __repr__(self) -> str:
        return f"HsmKey(token={self._place.token_label!r}, key={self._place.key_label!r})"

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        return self._certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuers' certificates, DER, nearest first."""
        return self._chain

    def sign(self, data: bytes) -> bytes:
        """RSA PKCS#1 v1.5 with SHA-256, or ECDSA r‖s over SHA-256 of `data`. Raises `KeyUnavailable` with its cause."""
        with self._lock:
            for again in (True, False):
                try:
                    return self._checked(self._sign_once(data), data)
                except _LOST as error:
                    self._forget()
                    if not again:
                        raise _unavailable(error, self._place) from None
                except fault.PKCS11Error as error:
                    self._forget()
                    raise _unavailable(error, self._place) from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the session; the next `sign` opens another."""
        with self._lock:
            self._forget()

    def accept_new_pin(self) -> None:
        """An operator says that the PIN was put right: it may be tried again."""
        with self._lock:
            self._refused_pin = False

    def _sign_once(self, data: bytes) -> bytes:
        key = self._opened_key()
        if self._is_rsa:
            return bytes(key.sign(data, mechanism=_RSA))
        digest = hashes.Hash(hashes.SHA256())
        digest.update(data)
        return bytes(key.sign(digest.finalize(), mechanism=_ECDSA))

    def _checked(self, value: bytes, data: bytes) -> bytes:
        """A label that names another key than the certificate's must not make seals that nobody can verify."""
        try:
            if isinstance(self._public, rsa.RSAPublicKey):
                self._public.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
                return value
            size = len(value) // 2
            if isinstance(self._public, ec.EllipticCurvePublicKey) and size == (self._public.key_size + 7) // 8:
                r, s = int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
                self._public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
                return value
        except (InvalidSignature, ValueError):
            pass
        self._forget()
        raise KeyUnavailable(
            "HSM_SIGNATURE",
            f"Khoá «{self._place.key_label}» trên thiết bị «{self._place.token_label}» không ký khớp với chứng thư đã "
            "khai báo: kiểm tra nhãn khoá và tệp chứng thư.",
        )

    def _opened_key(self) -> Any:
        if self._process != os.getpid():
            # A forked child has its parent's handles but no session of its own: start over in this process.
            self._session = self._key = None
            self._process = os.getpid()
            _library(self._place.module).reinitialize()
        if self._key is None:
            if self._refused_pin:
                raise KeyUnavailable(
                    "HSM_PIN_REFUSED_BEFORE",
                    "Mã PIN của thiết bị ký đã bị từ chối; hệ thống không tự thử lại để tránh khoá thiết bị. "
                    "Sửa mã PIN rồi xác nhận để thử lại.",
                )
            self._open()
        return self._key

    def _open(self) -> None:
        library = _library(self._place.module)
        token = library.get_token(token_label=self._place.token_label)
        try:
            self._session = token.open(user_pin=self._pin())
        except fault.UserAlreadyLoggedIn:
            self._session = token.open()
        except (fault.PinIncorrect, fault.PinLocked, fault.PinInvalid, fault.PinLenRange):
            self._refused_pin = True
            raise
        self._key = self._session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._place.key_label)

    def _forget(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None and self._process == os.getpid():
            try:
                session.close()
            except fault.PKCS11Error:
                # The session is gone already, which is what was asked for.
                return


def _library(module: str) -> Any:
    try:
        return pkcs11.lib(module)
    except (fault.PKCS11Error, RuntimeError, OSError) as error:
        raise KeyUnavailable(
            "HSM_MODULE", f"Không nạp được thư viện PKCS#11 {module}: kiểm tra đã cài trình điều khiển thiết bị ký."
        ) from error


def _unavailable(error: fault.PKCS11Error, place: HsmPlace) -> KeyUnavailable:
    match error:
        case fault.PinIncorrect() | fault.PinInvalid() | fault.PinLenRange():
            return KeyUnavailable("HSM_PIN_INCORRECT", f"Sai mã PIN của thiết bị ký «{place.token_label}».")
        case fault.PinLocked():
            return KeyUnavailable(
                "HSM_PIN_LOCKED", f"Thiết bị ký «{place.token_label}» đã bị khoá mã PIN: liên hệ nơi cấp để mở khoá."
            )
        case fault.NoSuchToken() | fault.TokenNotPresent() | fault.DeviceRemoved():
            return KeyUnavailable(
                "HSM_TOKEN_ABSENT",
                f"Không thấy thiết bị ký «{place.token_label}»: kiểm tra thiết bị đã cắm và có điện.",
            )
        case fault.NoSuchKey() | fault.MultipleObjectsReturned():
            return KeyUnavailable(
                "HSM_KEY_ABSENT", f"Không thấy đúng một khoá «{place.key_label}» trên thiết bị «{place.token_label}»."
            )
        case _:
            return KeyUnavailable(
                "HSM_FAILED", f"Thiết bị ký «{place.token_label}» không ký được ({type(error).__name__}); sẽ thử lại."
            )
