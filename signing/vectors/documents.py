"""Judges signed and plain documents of a vector set.

The policy asks for the shape of our transaction list with any root: one signature as a child of the root, over the
whole root, with a covered signing time and a certificate that leads to the set's own. Other layouts are *unsupported*.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Final

from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy, SignatureSlot, SignerKind
from signing.trust import TrustStore
from signing.verification import verify
from signing.xml import LIST_LIMITS, canonical_bytes, parse

ENVELOPED_POLICY: Final = SignaturePolicy(
    name="enveloped",
    root="*",
    slots=(SignatureSlot("SIGNER", "Signature", ".", signer=SignerKind.ORGANISATION),),
    revocation="off",
)
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"
_SIGNATURE: Final = re.compile(rb"<(?:[\w.-]+:)?Signature[\s>]")
# The file is broken, tampered with, or a hostile construct; every other code says that it lies outside the policy.
_BROKEN: Final = frozenset(
    {
        "DIGEST_MISMATCH", "SIGNATURE_WRONG", "VALUE_MALFORMED", "DIGEST_MALFORMED", "NOT_WELL_FORMED", "ENCODING",
        "NAMESPACE_UNDECLARED", "SIGNED_INFO", "ID_NOT_UNIQUE", "CERTIFICATE_EXPIRED", "CERTIFICATE_NOT_YET_VALID",
        "CERTIFICATE_REVOKED", "KEYINFO_CONTRADICTS", "XADES_CERTIFICATE_DIFFERS", "TIME_MALFORMED", "UNFORESEEN",
    }
)  # fmt: skip


def looks_signed(data: bytes) -> bool:
    """Whether bytes seem to hold an XML signature; only chooses how a set is judged."""
    return b"http://www.w3.org/2000/09/xmldsig#" in data and _SIGNATURE.search(data) is not None


def plain_text(data: bytes) -> bytes:
    """The document itself, where a set keeps it in Base64 as it stood on the wire."""
    if data.lstrip(_SPACE).startswith(b"<"):
        return data
    try:
        decoded = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return data
    return decoded if decoded.lstrip(_SPACE).startswith(b"<") else data


def judge_document(data: bytes, trust: TrustStore, at: datetime) -> tuple[str, str, str]:
    """Verdict, code and reason of one signed document."""
    data = plain_text(data)
    if not data.lstrip(_SPACE).startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return "unsupported", "NOT_XML", "no XML document"
    report = verify(data, ENVELOPED_POLICY, trust, at=at)
    if report.passed:
        return "valid", "OK", ""
    return ("invalid" if report.code in _BROKEN else "unsupported"), report.code, report.message


def judge_plain(data: bytes, expected_form: tuple[bool, bytes] | None) -> tuple[str, str, str]:
    """Verdict on a document without signature: the gate, and its canonical form where the set gives it."""
    try:
        document = parse(data, limits=LIST_LIMITS)
    except MalformedDocument as error:
        got = "invalid" if error.code in _BROKEN and data.lstrip(_SPACE).startswith(b"<") else "unsupported"
        return got, error.code, error.message
    if expected_form is not None:
        exclusive, expected = expected_form
        if canonical_bytes(document.root, exclusive=exclusive) != expected:
            return "unsupported", "CANONICAL_OTHER", "canonical form of another node set or method"
    return "valid", "OK", ""
