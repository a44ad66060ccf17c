"""A sealing key in a PKCS#12 file: simple to run, refused in production unless the setting allows it.

The key is read once per process; the pass-phrase is forgotten as soon as the file is open.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from signing.errors import KeyUnavailable


@dataclass(frozen=True, slots=True)
class SoftwareKey:
    """A `SealingKey` whose private key is in this process's memory."""

    certificate: bytes
    chain: tuple[bytes, ...]
    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """RSA PKCS#1 v1.5 or ECDSA (as r‖s, each of the curve's size) over SHA-256 of `data`."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private_key.sign(data, ec.ECDSA(hashes.SHA256())))
        size = (self.private_key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def close(self) -> None:
        """Nothing to let go of."""


def open_pkcs12(path: Path, passphrase: bytes) -> SoftwareKey:
    """The key of a PKCS#12 file.

    Raises `KeyUnavailable` with a stable code when the file is missing, the pass-phrase wrong, or the key of
    another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeyUnavailable(
            "KEY_FILE_UNREADABLE", f"Không đọc được tệp khoá {path.name}: {error.strerror}."
        ) from error
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(content, passphrase)
    except ValueError as error:
        raise KeyUnavailable(
            "KEY_PASSPHRASE", f"Không mở được tệp khoá {path.name}: sai mật khẩu hoặc tệp hỏng."
        ) from error
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyUnavailable("KEY_KIND", f"Tệp khoá {path.name} không chứa khoá RSA hoặc ECDSA kèm chứng thư.")
    return SoftwareKey(
        certificate=certificate.public_bytes(Encoding.DER),
        chain=tuple(issuer.public_bytes(Encoding.DER) for issuer in chain),
        private_key=key,
    )
