"""What a certificate says, read once: names, numbers, key, usage.

Vietnamese authorities write a person's 12-digit number as `CCCD:…` into the subject's serialNumber or UID, an
organisation's tax code as `MST:…`; both spellings, bare or prefixed, are read. Nothing is judged here.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from signing.errors import TrustStoreUnreadable

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_PERSON: Final = re.compile(r"(?:CCCD|CMND|CMT|SDDCN|DDCN|PNOVN|PID)\s*[:\-]?\s*(\d{12})\Z", re.IGNORECASE)
_BARE_PERSON: Final = re.compile(r"\d{12}\Z")
_ORGANISATION: Final = re.compile(
    r"(?:MST|MNS|MDV|MADONVI|QHNS|VATVN)\s*[:\-]?\s*([0-9A-Za-z][0-9A-Za-z.\-]{2,31})\Z", re.IGNORECASE
)
_MAX_DER: Final = 64 * 1024
# Purposes that make a certificate unfit for signing documents when they are its only ones.
_OTHER_PURPOSES: Final = frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"})


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Everything the house wants to know about one certificate. Times are aware UTC."""

    der: bytes = field(repr=False)
    sha256: str
    serial: str
    subject: str
    issuer: str
    common_name: str
    cccd: str | None
    organisation_id: str | None
    not_before: datetime
    not_after: datetime
    key_kind: str
    key_bits: int
    issuer_name: str = ""
    is_authority: bool = False
    may_issue: bool = True
    may_sign: bool = True
    is_self_signed: bool = False
    public_key: PublicKey | None = field(default=None, repr=False, compare=False)

    def valid_at(self, moment: datetime) -> bool:
        """Whether the moment lies inside the certificate's own validity."""
        return self.not_before <= moment <= self.not_after


def read_certificate(data: bytes) -> CertificateFacts:
    """Facts of one certificate, PEM or DER. Cached per process by the bytes.

    Raises `TrustStoreUnreadable` (CERTIFICATE_UNREADABLE) when it cannot be read.
    """
    if data.lstrip().startswith(b"-----BEGIN"):
        try:
            data = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
        except ValueError:
            raise _unreadable() from None
    return _read_der(data)


@lru_cache(maxsize=20_000)
def _read_der(der: bytes) -> CertificateFacts:
    if len(der) > _MAX_DER:
        raise _unreadable()
    try:
        with warnings.catch_warnings():
            # Odd serial numbers are told by warning; they are no reason to trust or distrust here.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return _facts(x509.load_der_x509_certificate(der), der)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, UnsupportedAlgorithm,
            x509.UnsupportedGeneralNameType, x509.InvalidVersion, x509.DuplicateExtension):  # fmt: skip
        raise _unreadable() from None


def _unreadable() -> TrustStoreUnreadable:
    return TrustStoreUnreadable(
        "CERTIFICATE_UNREADABLE", "Không đọc được chứng thư số. Hãy xuất lại tệp chứng thư (PEM hoặc DER) rồi gửi lại."
    )


def _facts(certificate: x509.Certificate, der: bytes) -> CertificateFacts:
    kind, bits, key = _key(certificate)
    numbers = _texts(certificate.subject, NameOID.SERIAL_NUMBER) + _texts(certificate.subject, NameOID.USER_ID)
    return CertificateFacts(
        der=der,
        sha256=hashlib.sha256(der).hexdigest(),
        serial=format(certificate.serial_number, "x"),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        common_name=next(iter(_texts(certificate.subject, NameOID.COMMON_NAME)), ""),
        cccd=_person_number(numbers),
        organisation_id=_organisation_number(numbers),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_kind=kind,
        key_bits=bits,
        issuer_name=next(iter(_texts(certificate.issuer, NameOID.COMMON_NAME)), ""),
        is_authority=_is_authority(certificate),
        may_issue=_may_issue(certificate),
        may_sign=_may_sign(certificate),
        is_self_signed=_is_self_signed(certificate),
        public_key=key,
    )


def _texts(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(item.value).strip() for item in name.get_attributes_for_oid(oid)]


def _person_number(values: list[str]) -> str | None:
    found = {match.group(1) for value in values if (match := _PERSON.search(value))}
    found = found or {value for value in values if _BARE_PERSON.match(value)}
    # Two different numbers in one subject name nobody.
    return found.pop() if len(found) == 1 else None


def _organisation_number(values: list[str]) -> str | None:
    found = {match.group(1) for value in values if (match := _ORGANISATION.match(value))}
    return found.pop() if len(found) == 1 else None


def _key(certificate: x509.Certificate) -> tuple[str, int, PublicKey | None]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size, key
    if isinstance(key, ec.EllipticCurvePublicKey):
        # Only the NIST curves: others have the size but not the scrutiny.
        kind = "EC" if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1) else f"EC:{key.curve.name}"
        return kind, key.key_size, key
    return type(key).__name__.replace("PublicKey", "").lstrip("_"), getattr(key, "key_size", 0), None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_issue(certificate: x509.Certificate) -> bool:
    """Whether it forbids itself nothing: roots of old say neither what they are nor what their key is for."""
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return _is_old_root(certificate)
    return True


def _is_old_root(certificate: x509.Certificate) -> bool:
    """Roots of before 2015, in use to this day, signed themselves with SHA-1, which the library no longer checks.

    Nothing rests on that signature: trust in a root is the administrator's word. Below a root SHA-1 is refused.
    """
    key = certificate.public_key()
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.RSA_WITH_SHA1 or not isinstance(
        key, rsa.RSAPublicKey
    ):
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _may_sign(certificate: x509.Certificate) -> bool:
    """RFC 5280 § 4.2.1.3, § 4.2.1.12: digitalSignature or contentCommitment; not only a server or time-stamper."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.content_commitment):
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not {purpose.dotted_string for purpose in purposes} <= _OTHER_PURPOSES
