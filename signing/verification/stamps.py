"""Time-stamps (RFC 3161) among the unsigned properties of a XAdES signature: what each is worth; no reason to pass.

A stamp is VALID when it is over this very signature value, by an authority whose chain leads to a loaded anchor, and no
earlier than the signature claims to be. One that is broken claims a proof that is none: the policy's rule `time_stamp`
names what follows. One by an authority nobody has loaded proves nothing either way. The signing time stays the one that
was signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import rfc3161_client
from rfc3161_client.errors import VerificationError

from signing import timestamp
from signing.algorithms import CANONICALIZATIONS, INCLUSIVE_C14N
from signing.errors import SigningError
from signing.policy import SignaturePolicy
from signing.report import ReportWarning, Stamp, StampStatus
from signing.trust import (
    CertificateFacts,
    Chain,
    ChainVerdict,
    RevocationSource,
    RevocationState,
    TrustStore,
    build_chain,
    read_certificate,
)
from signing.verification.moments import xades
from signing.verification.signers import soft
from signing.verification.structure import ds
from signing.xml import Element, canonical_bytes

log = logging.getLogger("signing.verification")

_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "2.16.840.1.101.3.4.2.1": lambda data: hashlib.sha256(data).digest(),
    "2.16.840.1.101.3.4.2.2": lambda data: hashlib.sha384(data).digest(),
    "2.16.840.1.101.3.4.2.3": lambda data: hashlib.sha512(data).digest(),
}
_DER: Final = (None, "", "http://uri.etsi.org/01903/v1.2.2#DER")
_MOST: Final = 8
_ORDER: Final = (StampStatus.INVALID, StampStatus.NOT_VERIFIABLE, StampStatus.VALID)
_WORDS: Final = {
    "STAMP_UNREADABLE": "dấu thời gian không đọc được",
    "STAMP_SPELLING": "dấu thời gian viết theo cách cổng không kiểm tra được",
    "STAMP_HASH": "dấu thời gian dùng thuật toán băm không được chấp nhận",
    "STAMP_OTHER_CONTENT": "dấu thời gian không phải của chữ ký này",
    "STAMP_CERTIFICATE_MISSING": "dấu thời gian không kèm chứng thư của nơi cấp",
    "STAMP_AUTHORITY_UNKNOWN": "chưa nạp chứng thư gốc của nơi cấp dấu thời gian",
    "STAMP_CERTIFICATE_INVALID": "chứng thư của nơi cấp dấu thời gian không hợp lệ",
    "STAMP_CERTIFICATE_REVOKED": "chứng thư của nơi cấp dấu thời gian đã bị thu hồi",
    "STAMP_REVOCATION_UNKNOWN": "chưa biết tình trạng thu hồi của nơi cấp dấu thời gian",
    "STAMP_SIGNATURE": "chữ ký trên dấu thời gian không đúng",
    "STAMP_BEFORE_SIGNING": "dấu thời gian có trước thời điểm ký",
    "STAMP_IN_FUTURE": "dấu thời gian ở tương lai",
    "OK": "dấu thời gian hợp lệ",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """By what stamps are judged: trust, the verdict's own time, and where revocations are learnt."""

    policy: SignaturePolicy
    trust: TrustStore
    at: datetime
    revocation: RevocationSource | None = None


class _Doubt(Exception):
    """Why a stamp is not VALID."""

    def __init__(self, status: StampStatus, code: str, at: datetime | None = None, by: str = "") -> None:
        super().__init__(code)
        self.stamp = Stamp(status, code, at, by)


def check_stamps(signature: Element, signed_at: datetime, judge: Judge) -> Stamp | None:
    """The worst of the signature's time-stamps; None when it has none. Never raises for what the stamps contain."""
    found = []
    for number, (element, token) in enumerate(_tokens(signature)):
        try:
            if number == _MOST:
                raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_SPELLING")
            found.append(_check(signature, element, token, signed_at, judge))
        except _Doubt as doubt:
            found.append(doubt.stamp)
        except Exception as error:  # R19: whatever the token's ASN.1 brings up, it is no proof
            log.warning("time-stamp ended in %s", type(error).__name__)
            found.append(Stamp(StampStatus.INVALID, "STAMP_UNREADABLE"))
        if number == _MOST:
            break
    return min(found, key=lambda stamp: _ORDER.index(stamp.status), default=None)


def describe(stamp: Stamp) -> str:
    """One phrase for people."""
    when = f" ({stamp.at.isoformat()}, {stamp.by})" if stamp.at is not None and stamp.by else ""
    return _WORDS[stamp.code] + when


def warning(stamp: Stamp, policy: SignaturePolicy) -> ReportWarning | None:
    """A broken stamp, as severe as the policy has it. Raises `Refusal`."""
    if stamp.status is not StampStatus.INVALID:
        return None
    message = f"Chữ ký kèm dấu thời gian (time-stamp) không hợp lệ: {_WORDS[stamp.code]}. Hãy ký lại hoặc bỏ dấu đó."
    return soft(policy, "time_stamp", "TIME_STAMP_INVALID", message)


def _tokens(signature: Element) -> Iterator[tuple[Element, Element]]:
    """Each SignatureTimeStamp by exact steps, with each token in it (or itself, when it holds none)."""
    steps = ("QualifyingProperties", "UnsignedProperties", "UnsignedSignatureProperties", "SignatureTimeStamp")
    level = list(signature.iterchildren(ds("Object")))
    for step in steps:
        level = [child for parent in level for child in parent.iterchildren(xades(step))]
    for element in level:
        held = list(element.iterchildren(xades("EncapsulatedTimeStamp")))
        yield from ((element, token) for token in held or [element])


def _check(signature: Element, element: Element, token: Element, signed_at: datetime, judge: Judge) -> Stamp:
    message = _stamped(signature, element)
    answer = _read(token)
    try:
        info = answer.tst_info
        at, imprint = info.gen_time.astimezone(UTC), info.message_imprint
        digest = _HASHES.get(imprint.hash_algorithm.dotted_string)
    except (ValueError, TypeError, OverflowError):
        raise _Doubt(StampStatus.INVALID, "STAMP_UNREADABLE") from None
    if digest is None:
        raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_HASH", at)
    if imprint.message != digest(message):
        raise _Doubt(StampStatus.INVALID, "STAMP_OTHER_CONTENT", at)
    chain = _authority(answer, at, judge)
    by = chain.certificates[0].common_name
    try:
        timestamp.verify(answer, message, [item.der for item in chain.certificates])
    except (VerificationError, ValueError):
        raise _Doubt(StampStatus.INVALID, "STAMP_SIGNATURE", at, by) from None
    _check_revocation(chain, at, judge)
    if at < signed_at - judge.policy.max_future:
        raise _Doubt(StampStatus.INVALID, "STAMP_BEFORE_SIGNING", at, by)
    if at > judge.at + judge.policy.max_future:
        raise _Doubt(StampStatus.INVALID, "STAMP_IN_FUTURE", at, by)
    return Stamp(StampStatus.VALID, "OK", at, by)


def _stamped(signature: Element, element: Element) -> bytes:
    """XAdES (EN 319 132-1 § 5.3): the canonical SignatureValue; inclusive C14N 1.0 when nothing else is named."""
    uri = INCLUSIVE_C14N
    for child in element.iterchildren():
        if child.tag == ds("CanonicalizationMethod") and len(child) == 0:
            uri = child.get("Algorithm", "")
        elif child.tag != xades("EncapsulatedTimeStamp"):
            raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_SPELLING")
    known = CANONICALIZATIONS.get(uri)
    values = list(signature.iterchildren(ds("SignatureValue")))
    if known is None or len(values) != 1:
        raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_SPELLING")
    return canonical_bytes(values[0], exclusive=known.exclusive)


def _read(token: Element) -> rfc3161_client.TimeStampResponse:
    if token.tag != xades("EncapsulatedTimeStamp") or len(token) or token.get("Encoding") not in _DER:
        raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_SPELLING")
    try:
        return timestamp.read(base64.b64decode("".join((token.text or "").split()), validate=True))
    except (ValueError, binascii.Error):
        raise _Doubt(StampStatus.INVALID, "STAMP_UNREADABLE") from None


def _authority(answer: rfc3161_client.TimeStampResponse, at: datetime, judge: Judge) -> Chain:
    """The chain of the certificate that the token's only signer names, as of the stamp's time."""
    try:
        signers, held = answer.signed_data.signer_infos, answer.signed_data.certificates
        facts = [read_certificate(bytes(item)) for item in sorted(held)]
    except (ValueError, TypeError, SigningError):
        raise _Doubt(StampStatus.INVALID, "STAMP_UNREADABLE", at) from None
    signer = next(iter(signers), None)
    named = [item for item in facts if signer is not None and _is_of(item, signer.issuer.rfc4514_string(), signer)]
    if len(signers) != 1 or len(named) != 1:
        raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_CERTIFICATE_MISSING", at)
    chain = build_chain(named[0], judge.trust, at=at, extra=[item for item in facts if item is not named[0]])
    if chain.verdict is ChainVerdict.NOT_FOUND:
        raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_AUTHORITY_UNKNOWN", at, named[0].common_name)
    if chain.verdict is not ChainVerdict.VALID:
        raise _Doubt(StampStatus.INVALID, "STAMP_CERTIFICATE_INVALID", at, named[0].common_name)
    return chain


def _is_of(facts: CertificateFacts, issuer: str, signer: rfc3161_client.SignerInfo) -> bool:
    return facts.issuer == issuer and facts.serial == format(signer.serial_number, "x")


def _check_revocation(chain: Chain, at: datetime, judge: Judge) -> None:
    """As of the stamp's time, where revocation is asked at all."""
    if judge.revocation is None:
        return
    by = chain.certificates[0].common_name
    for certificate, issuer in pairwise(chain.certificates):
        state = judge.revocation.status(certificate.der, issuer.der, at=at).state
        if state is RevocationState.REVOKED:
            raise _Doubt(StampStatus.INVALID, "STAMP_CERTIFICATE_REVOKED", at, by)
        if state is not RevocationState.GOOD:
            raise _Doubt(StampStatus.NOT_VERIFIABLE, "STAMP_REVOCATION_UNKNOWN", at, by)
