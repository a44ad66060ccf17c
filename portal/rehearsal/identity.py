"""A key with its certificate, and the raw signature values it makes: what a signer holds in a USB token.

Stands outside the portal on purpose: plain `cryptography`, no word of `signing`.
"""

import base64
from dataclasses import dataclass, field
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_SHORT_NAMES = {NameOID.SERIAL_NUMBER: "SERIALNUMBER", NameOID.USER_ID: "UID"}


@dataclass(frozen=True)
class Identity:
    """One signer: `chain` holds the issuers' certificates that some toolkits add to KeyInfo."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @cached_property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @cached_property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode()

    @cached_property
    def chain_base64(self) -> tuple[str, ...]:
        return tuple(base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in self.chain)

    @cached_property
    def subject(self) -> str:
        """The subject as toolkits print it, most specific part first."""
        return self.certificate.subject.rfc4514_string(_SHORT_NAMES)

    @property
    def is_elliptic(self) -> bool:
        return isinstance(self.key, ec.EllipticCurvePrivateKey)

    def sign(self, data: bytes, digest: str = "sha256") -> bytes:
        """The value XMLDSig wants: PKCS#1 v1.5 for RSA, r and s side by side for ECDSA (RFC 4050)."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), HASHES[digest])
        # RFC 6979: the same bytes get the same signature, so that a seed gives the same files.
        encoded = self.key.sign(data, ec.ECDSA(HASHES[digest], deterministic_signing=True))
        size = (self.key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(encoded)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
