"""Whether an issuer and serial number, where a signature names them, are the certificate's.

Names of issuers are spelt differently by every program: order, blanks, quotes, escapes, types as words or as object
identifiers. So the least is asked: the issuer's own common name stands in what is said. The serial is a number.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from asn1crypto import core
from asn1crypto import x509 as asn1_x509

from signing.trust import CertificateFacts

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,100}\Z")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,80}\Z")
_ESCAPED: Final = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")


def is_serial(said: str | None, certificate: CertificateFacts) -> bool:
    """Whether `said` is the certificate's serial number: a decimal integer, or hex as .NET programs write."""
    text, number = (said or "").strip(), int(certificate.serial, 16)
    if not text.isascii():
        return False
    return (_DECIMAL.match(text) is not None and int(text) == number) or (
        _HEX.match(text) is not None and int(text, 16) == number
    )


def is_issuer(said: str | None, certificate: CertificateFacts) -> bool:
    """Whether `said` can be the name of the certificate's issuer."""
    name = certificate.issuer_name
    if not name:
        return True
    return _plain(name) in _plain(said or "") or name.encode().hex() in (said or "").lower()


def _plain(text: str) -> str:
    unescaped = _ESCAPED.sub(lambda found: _letters(found.group()), text).replace("\\", "").replace('"', "")
    return "".join(unicodedata.normalize("NFKC", unescaped).casefold().split())


def _letters(escaped: str) -> str:
    """RFC 4514 § 2.4: two hex digits for each byte of the letter in UTF-8."""
    return bytes.fromhex(escaped.replace("\\", "")).decode("utf-8", "replace")


class _IssuerSerial(core.Sequence):  # type: ignore[misc]  # RFC 5035 § 5
    _fields = [("issuer", asn1_x509.GeneralNames), ("serial_number", core.Integer)]


def names_certificate(der: bytes, certificate: CertificateFacts) -> bool:
    """Whether the DER of an IssuerSerial names this certificate; False when it cannot be read."""
    try:
        value = _IssuerSerial.load(der, strict=True)
        subject = asn1_x509.Certificate.load(certificate.der)
        issuers = [name.chosen for name in value["issuer"] if name.name == "directory_name"]
        return value["serial_number"].native == subject.serial_number and subject.issuer in issuers
    except (ValueError, TypeError, KeyError):
        return False
