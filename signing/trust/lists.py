"""What a revocation list may say, by its form: whether it is whole, of whom it speaks, what an entry says.

Whether its issuer signed it, and what it is worth at a time, is the business of `signing.revocation`. Lists come from
outside: whatever in them cannot be read proves nothing, and never hides a revocation that can.
"""

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

# All that reading foreign ASN.1 brings up; the library's own errors have no common base.
UNREADABLE: Final = (
    ValueError, TypeError, KeyError, AttributeError, OverflowError, UnsupportedAlgorithm, InvalidSignature,
    x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip
Name = tuple[tuple[tuple[str, str], ...], ...]
_CRITICAL: Final = bytes.fromhex("0101ff")  # DER of `critical TRUE`


def name_of(name: x509.Name) -> Name:
    """RFC 5280 § 7.1: case, blanks and the kind of string make no other name."""
    return tuple(
        tuple(sorted((part.oid.dotted_string, " ".join(str(part.value).casefold().split())) for part in level))
        for level in name.rdns
    )


def is_whole(crl: x509.CertificateRevocationList) -> bool:
    """Neither a delta, nor indirect, nor for some reasons only: such a list cannot prove that a certificate is good."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return False
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                return False
        elif extension.critical:
            return False
    return True


def is_understood(crl: x509.CertificateRevocationList) -> bool:
    """RFC 5280 § 5.3: with a critical extension of an entry that is not known, a list does not say who is good."""
    if crl.tbs_certlist_bytes.count(_CRITICAL) <= sum(extension.critical for extension in crl.extensions):
        return True
    try:
        return not any(
            extension.critical and not isinstance(extension.value, x509.CRLReason | x509.InvalidityDate)
            for entry in crl
            for extension in entry.extensions
        )
    except UNREADABLE:
        return False


def covers(crl: x509.CertificateRevocationList, leaf: x509.Certificate) -> bool:
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    of_authority = is_authority(leaf)
    if (scope.only_contains_ca_certs and not of_authority) or (scope.only_contains_user_certs and of_authority):
        return False
    if not scope.full_name:
        return scope.relative_name is None
    return bool(set(scope.full_name) & set(_distribution_names(leaf)))


def _distribution_names(leaf: x509.Certificate) -> list[x509.GeneralName]:
    try:
        points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [name for point in points for name in point.full_name or ()]


def is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def may_sign_lists(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def entry_of(crl: x509.CertificateRevocationList, serial: int) -> x509.RevokedCertificate | None:
    if serial >= 0:
        return crl.get_revoked_certificate_by_serial_number(serial)
    return next((entry for entry in crl if entry.serial_number == serial), None)  # not looked up by the library


def reason_of(entry: x509.RevokedCertificate) -> str:
    """Why, where that can be read; a revocation holds without it."""
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except UNREADABLE:
        return ""
