"""What an OCSP answer may say, by its form: whether it is understood, of whom it speaks, who may have signed it.

What it is worth at a time, and whether its signer has been revoked, is the business of `signing.revocation`.
"""

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.trust.lists import UNREADABLE

_ARCHIVE_CUTOFF: Final = "1.3.6.1.5.5.7.48.1.6"
_TIME: Final = b"\x18\x0f"  # DER of a GeneralizedTime of 15 characters
_OF_ANSWERS: Final = (x509.OCSPNonce, x509.CRLReason, x509.InvalidityDate)
_OF_DELEGATES: Final = (
    x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName,
    x509.CertificatePolicies, x509.OCSPNoCheck,
)  # fmt: skip


def is_answer_understood(answer: ocsp.OCSPResponse) -> bool:
    """RFC 6960 § 4.4: with a critical extension that is not known here, an answer proves nothing."""
    return all(
        isinstance(extension.value, _OF_ANSWERS) or extension.oid.dotted_string == _ARCHIVE_CUTOFF
        for extension in (*answer.extensions, *answer.single_extensions)
        if extension.critical
    )


def asks_of(answer: ocsp.OCSPResponse, leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """The CertID hashes bind the answer to this issuer: a serial alone is anybody's."""
    try:
        request = ocsp.OCSPRequestBuilder().add_certificate(leaf, authority, answer.hash_algorithm).build()
    except UNREADABLE:
        return False
    same = answer.issuer_name_hash == request.issuer_name_hash and answer.issuer_key_hash == request.issuer_key_hash
    return same and answer.serial_number == leaf.serial_number


def tells_of_expired(answer: ocsp.OCSPResponse, leaf: x509.Certificate) -> bool:
    """RFC 6960 § 4.4.4: whether the responder says that it remembers what it knew of `leaf` beyond its expiry."""
    for extension in answer.single_extensions:
        value = extension.value
        if extension.oid.dotted_string == _ARCHIVE_CUTOFF and isinstance(value, x509.UnrecognizedExtension):
            head, text = value.value[:2], value.value[2:]
            cutoff = datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
            return head == _TIME and cutoff <= leaf.not_valid_after_utc
    return False


def answer_reason(answer: ocsp.OCSPResponse) -> str:
    """Why, where that can be read; a revocation holds without it."""
    try:
        reason = answer.revocation_reason
    except UNREADABLE:
        return ""
    return "" if reason is None else reason.value


def signer_of(answer: ocsp.OCSPResponse, authority: x509.Certificate) -> x509.Certificate | None:
    """RFC 6960 § 4.2.2.2: the issuer itself, or whom it named for this with a certificate of its own; else None."""
    delegates = (one for one in answer.certificates if _is_delegate(one, authority, answer.this_update_utc))
    return next((one for one in (authority, *delegates) if _is_signed_by(answer, one)), None)


def _is_delegate(certificate: x509.Certificate, authority: x509.Certificate, at: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
        extensions = certificate.extensions
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except UNREADABLE:
        return False
    understood = all(isinstance(one.value, _OF_DELEGATES) for one in extensions if one.critical)
    in_time = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    return understood and in_time and ExtendedKeyUsageOID.OCSP_SIGNING in purposes and _may_sign(extensions)


def _may_sign(extensions: x509.Extensions) -> bool:
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature or usage.content_commitment


def _is_signed_by(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    algorithm, public = answer.signature_hash_algorithm, signer.public_key()
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        return False
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
            return True
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
            return True
    except UNREADABLE:
        return False
    return False
