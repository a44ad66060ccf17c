"""Judges signed and plain documents of a vector set.

A record or a list of records is judged as the command `verify` would. Of any other document the policy asks for the
shape of our transaction list with any root: one signature as a child of the root, over the whole root, with a covered
signing time and a certificate that leads to the set's own. Other layouts are *unsupported*.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy, SignatureSlot, SignerKind
from signing.presets import LIST_POLICY, guess_policy
from signing.report import Report
from signing.trust import RevocationSource, TrustStore
from signing.verification import verify
from signing.xml import LIST_LIMITS, Document, Element, canonical_bytes, cut, local_name, parse, parse_list

ENVELOPED_POLICY: Final = SignaturePolicy(
    name="enveloped",
    root="*",
    slots=(SignatureSlot("SIGNER", "Signature", ".", signer=SignerKind.ORGANISATION),),
    revocation="off",
)
_XMLDSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"
_SIGNATURE: Final = re.compile(rb"<(?:[^<>\s:]+:)?Signature[\s/>]")
_RECORD: Final = re.compile(rb"<(?:[\w.-]+:)?(?:HOC_BA|DANH_SACH_HOC_BA)[\s/>]")
_ROOT: Final = re.compile(rb"<[^!?]")
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE)
# The file is broken or tampered with, beyond doubt; every other code says that it lies outside the policy. (A time
# without zone or a certificate past its date may well be right elsewhere.)
_BROKEN: Final = frozenset(
    {
        "DIGEST_MISMATCH", "SIGNATURE_WRONG", "VALUE_MALFORMED", "DIGEST_MALFORMED", "NOT_WELL_FORMED", "ENCODING",
        "NAMESPACE_UNDECLARED", "SIGNED_INFO", "ID_NOT_UNIQUE", "KEYINFO_CONTRADICTS", "XADES_CERTIFICATE_DIFFERS",
        "CERTIFICATE_REVOKED",
    }
)  # fmt: skip
# Names that make other programs fetch, include or run something; plain documents of ours have no use for them.
_ACTIVE: Final = (
    b"http://www.w3.org/2001/XInclude", b"http://www.w3.org/2003/XInclude", b"http://www.w3.org/1999/XSL/Transform",
    b"schemaLocation", b"SchemaLocation",
    b"http://www.w3.org/1999/xlink", b"XMLDecoder", b"http://schemas.microsoft.com/winfx/",
)  # fmt: skip


def is_record(data: bytes) -> bool:
    """Whether the root seems to be a record or a list of records; such a file is never judged without signatures."""
    root = _ROOT.search(data)
    return root is not None and _RECORD.match(data, root.start()) is not None


def looks_signed(data: bytes) -> bool:
    """Whether bytes seem to hold an XML signature; only chooses how a set is judged."""
    return _XMLDSIG.encode() in data and _SIGNATURE.search(data) is not None


def plain_text(data: bytes) -> bytes:
    """The document itself, where a set keeps it in Base64 as it stood on the wire."""
    if data.lstrip(_SPACE).startswith(b"<"):
        return data
    try:
        decoded = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return data
    return decoded if decoded.lstrip(_SPACE).startswith(b"<") else data


def judge_document(
    data: bytes, trust: TrustStore, at: datetime, revocation: RevocationSource | None = None
) -> tuple[str, str, str]:
    """Verdict, code and reason of one signed document; `revocation` is what the set tells of its certificates."""
    data = plain_text(data)
    if not data.lstrip(_SPACE).startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return "unsupported", "NOT_XML", "no XML document"
    if is_record(data):
        return _judge_records(data, trust, at, revocation)
    report = _verified(data, ENVELOPED_POLICY, trust, at, revocation)
    return ("valid", "OK", "") if report.passed else _refused(data, report.code, report.message)


def _verified(
    document: bytes | Document,
    policy: SignaturePolicy,
    trust: TrustStore,
    at: datetime,
    revocation: RevocationSource | None,
) -> Report:
    """As `verify` says; but an anchor that a mere file makes one counts only inside its own validity.

    (RFC 5280 § 6.1 does not ask for that. An administrator's anchor is his decision; a file of a set is nobody's.)
    """
    report = verify(document, policy, trust, at=at, revocation=revocation)
    times = [item.signing_time for item in report.signatures if item.signing_time is not None]
    in_force = tuple(anchor for anchor in trust.anchors if all(anchor.valid_at(time) for time in times))
    if not report.passed or in_force == trust.anchors:
        return report
    return verify(document, policy, TrustStore(in_force, trust.intermediates), at=at, revocation=revocation)


def _judge_records(
    data: bytes, trust: TrustStore, at: datetime, revocation: RevocationSource | None
) -> tuple[str, str, str]:
    """One record, or every record of a list and then the list's own seal: the first fault decides."""
    try:
        for piece, policy in _records(data):
            document = parse_list(piece) if policy is LIST_POLICY else piece
            report = _verified(document, replace(policy, revocation="off"), trust, at, revocation)
            if not report.passed:
                return _refused(data, report.code, report.message)
    except MalformedDocument as error:
        return _refused(data, error.code, error.message)
    return "valid", "OK", ""


def _records(data: bytes) -> list[tuple[bytes, SignaturePolicy]]:
    policy = guess_policy(data)
    if policy is not LIST_POLICY:
        return [(data, policy)]
    parts = cut(data, limits=LIST_LIMITS)
    records = [data[one.start : one.end] for one in parts.cuts]
    # Last, so that a forged record is told as such; a list without its own signature is not what the policy asks.
    return [*((record, guess_policy(record)) for record in records), (data, LIST_POLICY)]


def _refused(data: bytes, code: str, message: str) -> tuple[str, str, str]:
    """`ENCODING` breaks a file only where it claims to be UTF-8: we read no other, which proves nothing against it."""
    body = data.lstrip(_SPACE)
    foreign = code == "ENCODING" and (
        not body.startswith(b"<") or body.startswith(b"<\0") or _DECLARED.search(data[:300]) is not None
    )
    return ("invalid" if code in _BROKEN and not foreign else "unsupported"), code, message


def judge_plain(data: bytes, expected_form: tuple[bool, bytes] | None) -> tuple[str, str, str]:
    """Verdict on a document without signature: the gate, and its canonical form where the set gives it."""
    try:
        document = parse(data, limits=LIST_LIMITS)
    except MalformedDocument as error:
        return _refused(data, error.code, error.message)
    if any(map(_is_of_a_signature, document.root.iter())):
        return "unsupported", "SIGNED", "holds parts of a signature that the set does not account for"
    # Names may be spelt with character references: the canonical form has none left.
    spelt = canonical_bytes(document.root, exclusive=False)
    if any(name in text for name in _ACTIVE for text in (data, spelt)):
        return "unsupported", "ACTIVE_CONTENT", "asks a reader to include, transform or fetch something"
    if expected_form is not None:
        exclusive, expected = expected_form
        if canonical_bytes(document.root, exclusive=exclusive) != expected:
            return "unsupported", "CANONICAL_OTHER", "canonical form of another node set or method"
    return "valid", "OK", ""


def _is_of_a_signature(element: Element) -> bool:
    """An `Object` alone holds what others sign, and says nothing by itself."""
    name = local_name(element)
    return name == "Signature" or (name != "Object" and str(element.tag).startswith(f"{{{_XMLDSIG}}}"))
