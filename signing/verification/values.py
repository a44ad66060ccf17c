"""Step (6), second half: the signature value, with the public key of the certificate (R10).

The algorithm must fit the key, and the value must have exactly the key's length; no HMAC, no key from anywhere else.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signing.algorithms import AlgorithmPolicy, KeyKind, Padding, SignatureMethod
from signing.report import SubIndication
from signing.trust import CertificateFacts
from signing.verification.outcome import Refusal

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - admitted only by a dated policy setting
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PKCS1: Final = padding.PKCS1v15()


def check_key(certificate: CertificateFacts, method: SignatureMethod, policy: AlgorithmPolicy) -> None:
    """The key is of the algorithm's kind and strong enough."""
    if certificate.public_key is None or certificate.key_kind != method.key:
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "KEY_MISMATCH",
            f"Thuật toán {method.name} không hợp với khoá {certificate.key_kind} của chứng thư. Hãy ký lại.",
        )
    if not policy.admits_key(certificate.key_kind, certificate.key_bits):
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "KEY_WEAK",
            f"Khoá {certificate.key_kind} {certificate.key_bits} bit quá yếu. Hãy xin chứng thư mới (RSA từ 2048 bit).",
        )


def check_value(certificate: CertificateFacts, method: SignatureMethod, data: bytes, value: bytes) -> None:
    """The value is this key's signature over `data`. Raises `Refusal` SIG_CRYPTO_FAILURE."""
    key = certificate.public_key
    digest = _HASHES[method.digest]
    try:
        if isinstance(key, rsa.RSAPublicKey) and method.key is KeyKind.RSA:
            if len(value) != (key.key_size + 7) // 8:
                raise _wrong()
            key.verify(value, data, _padding(method, digest), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and method.key is KeyKind.EC:
            key.verify(_der(value, (key.key_size + 7) // 8), data, ec.ECDSA(digest))
        else:
            raise _wrong()
    except (InvalidSignature, ValueError):
        raise _wrong() from None


def _wrong() -> Refusal:
    return Refusal(
        SubIndication.SIG_CRYPTO_FAILURE,
        "SIGNATURE_WRONG",
        "Giá trị chữ ký không đúng với chứng thư kèm theo. Hãy ký lại.",
    )


def _padding(method: SignatureMethod, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if method.padding is Padding.PSS:
        # RFC 6931 § 2.3.10: MGF1 with the same digest, salt as long as the digest.
        return padding.PSS(padding.MGF1(digest), digest.digest_size)
    return _PKCS1


def _der(value: bytes, size: int) -> bytes:
    # XML signature carries r‖s, each exactly the size of the curve's order.
    if len(value) != 2 * size:
        raise _wrong()
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))
