"""Where a certificate says that its revocation can be learnt, the question to ask there, and whether an answer counts.

Reads certificates, CRLs and OCSP answers; fetches nothing and stores nothing. What is not signed by its issuer is
refused here, so that nothing unproved is ever kept as evidence.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing.errors import SigningError
from signing.revocation import RevocationCache, is_ahead
from signing.trust import RevocationState

OCSP_REQUEST_TYPE = "application/ocsp-request"
_WRONG = (ValueError, TypeError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension)


class EvidenceUnusable(SigningError):
    """The bytes prove nothing: CRL_UNREADABLE, CRL_NOT_BY_ISSUER, OCSP_UNREADABLE, OCSP_NOT_BY_ISSUER; or nothing
    yet: EVIDENCE_AHEAD.
    """


@dataclass(frozen=True, slots=True)
class Evidence:
    """A CRL or an OCSP answer that its issuer signed."""

    der: bytes
    sha256: str
    this_update: datetime
    next_update: datetime | None


def list_addresses(certificate: bytes) -> tuple[str, ...]:
    """HTTP addresses of the CRL that would tell of this certificate (RFC 5280 § 4.2.1.13)."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        points = parsed.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (*_WRONG, x509.ExtensionNotFound):
        return ()
    # A point for some reasons only, or of another issuer, cannot prove that a certificate is good.
    whole = [point for point in points if not point.reasons and not point.crl_issuer]
    return _web(name for point in whole for name in point.full_name or ())


def responder_addresses(certificate: bytes) -> tuple[str, ...]:
    """HTTP addresses of the OCSP responder (RFC 5280 § 4.2.2.1)."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        access = parsed.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (*_WRONG, x509.ExtensionNotFound):
        return ()
    return _web(one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)


def ocsp_request(certificate: bytes, issuer: bytes) -> bytes:
    """The question on one certificate, DER. SHA-1 only names the issuer here; every responder knows it (RFC 5019)."""
    leaf, authority = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
    built = ocsp.OCSPRequestBuilder().add_certificate(leaf, authority, hashes.SHA1()).build()  # noqa: S303
    return built.public_bytes(Encoding.DER)


def is_list(data: bytes) -> bool:
    """Whether the bytes are a CRL (PEM or DER) rather than a certificate."""
    try:
        _load_list(data)
    except _WRONG:
        return False
    return True


def read_list(data: bytes, issuer: bytes, *, now: datetime) -> Evidence:
    """A CRL (PEM or DER) that `issuer` (DER) signed, made by `now`. Raises `EvidenceUnusable`."""
    try:
        crl = _load_list(data)
        authority = x509.load_der_x509_certificate(issuer)
        der = crl.public_bytes(Encoding.DER)
    except _WRONG:
        raise EvidenceUnusable("CRL_UNREADABLE", "Không đọc được danh sách thu hồi (CRL).") from None
    cache = RevocationCache()
    if crl.issuer != authority.subject or cache.add_crl(der) is None or not cache.is_signed_by(der, issuer):
        raise EvidenceUnusable("CRL_NOT_BY_ISSUER", "Danh sách thu hồi (CRL) không do đúng cơ quan cấp chứng thư ký.")
    made = crl.last_update_utc
    _refuse_ahead(made, now)
    return Evidence(der, hashlib.sha256(der).hexdigest(), made, crl.next_update_utc)


def read_answer(data: bytes, certificate: bytes, issuer: bytes, *, now: datetime) -> Evidence:
    """An OCSP answer on `certificate`, signed by `issuer` or its delegate, made by `now`. Raises `EvidenceUnusable`."""
    cache = RevocationCache()
    digest = cache.add_ocsp(data)
    if digest is None:
        raise EvidenceUnusable("OCSP_UNREADABLE", "Máy chủ OCSP không trả lời được tình trạng chứng thư.")
    answer = ocsp.load_der_ocsp_response(data)
    made = answer.this_update_utc
    if cache.status(certificate, issuer, at=made, now=made).state is RevocationState.UNKNOWN:
        raise EvidenceUnusable("OCSP_NOT_BY_ISSUER", "Câu trả lời OCSP không do nơi có thẩm quyền ký.")
    _refuse_ahead(made, now)
    return Evidence(data, digest, made, answer.next_update_utc)


def _refuse_ahead(made: datetime, now: datetime) -> None:
    # Kept, it would stand as the newest and hide what later, rightly dated evidence tells.
    if is_ahead(made, now):
        raise EvidenceUnusable(
            "EVIDENCE_AHEAD", "Thông tin thu hồi ghi thời điểm phát hành ở tương lai. Hãy kiểm tra đồng hồ máy chủ."
        )


def _load_list(data: bytes) -> x509.CertificateRevocationList:
    pem = data.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)


def _web(names: object) -> tuple[str, ...]:
    values = [str(name.value) for name in names if isinstance(name, x509.UniformResourceIdentifier)]  # type: ignore[attr-defined]
    return tuple(dict.fromkeys(value for value in values if value.lower().startswith(("http://", "https://"))))
