"""Step (9): chain and revocation at signing time. Rule R14.

The path is remembered per certificate and period; revocation is asked for every certificate of the path below the
anchor. No evidence is TRY_LATER, never a pass; a policy may say that revocation is not asked, and the report shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from signing.policy import SignaturePolicy
from signing.report import SubIndication
from signing.trust import (
    Chain,
    ChainVerdict,
    RevocationAnswer,
    RevocationSource,
    RevocationState,
    TrustStore,
    another_way,
    build_chain,
)
from signing.trust.revoked import STALE
from signing.verification.keyinfo import KeyInfo
from signing.verification.outcome import Refusal

# How many paths are asked about before a signature is refused for the certificate of an authority.
_MOST_WAYS: Final = 4
_REFUSALS: Final = {
    ChainVerdict.NOT_FOUND: (
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
        "CHAIN_NOT_FOUND",
        "Chứng thư không do cơ quan cấp chứng thư được tin cậy cấp. Hãy ký bằng chứng thư hợp lệ, "
        "hoặc đề nghị Sở nạp chứng thư gốc của nhà cung cấp.",
    ),
    ChainVerdict.INVALID: (
        SubIndication.CHAIN_CONSTRAINTS_FAILURE,
        "CHAIN_INVALID",
        "Chuỗi chứng thư của người ký không hợp lệ. Hãy liên hệ nhà cung cấp chứng thư.",
    ),
    ChainVerdict.UNDECIDED: (
        SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
        "CHAIN_UNDECIDED",
        "Không kiểm tra được chuỗi chứng thư của người ký vì một chứng thư trong đó viết sai cấu trúc. Hãy liên hệ "
        "nhà cung cấp chứng thư.",
    ),
    ChainVerdict.EXPIRED: (
        SubIndication.EXPIRED,
        "CERTIFICATE_EXPIRED",
        "Chứng thư đã hết hạn tại thời điểm ký. Hãy gia hạn chứng thư rồi ký lại.",
    ),
    ChainVerdict.NOT_YET_VALID: (
        SubIndication.NOT_YET_VALID,
        "CERTIFICATE_NOT_YET_VALID",
        "Chứng thư chưa có hiệu lực tại thời điểm ký. Hãy kiểm tra đồng hồ máy ký rồi ký lại.",
    ),
}


def check_chain(info: KeyInfo, trust: TrustStore, at: datetime) -> Chain:
    """The path to a trust anchor, valid at signing time."""
    chain = build_chain(info.certificate, trust, at=at, extra=info.others)
    refusal = _REFUSALS.get(chain.verdict)
    if refusal is not None:
        raise Refusal(*refusal)
    return chain


def check_revocation(
    chain: Chain, source: RevocationSource | None, policy: SignaturePolicy, at: datetime
) -> tuple[str, ...] | None:
    """Evidence relied on (digests), or None when the policy says that revocation is not asked.

    An authority may have several certificates (renewed, or crossed by another root). Which of them the path led
    through is chance: one that is revoked or unknown stops nothing while another way is good.
    """
    if source is None:
        if policy.revocation == "off":
            return None
        raise Refusal(
            SubIndication.TRY_LATER,
            "REVOCATION_UNAVAILABLE",
            "Chưa có nguồn kiểm tra thu hồi chứng thư. Hệ thống sẽ kiểm tra lại; nhà trường không phải làm gì.",
        )
    refusals: list[Refusal] = []
    avoiding: frozenset[str] = frozenset()
    way: Chain | None = chain
    while way is not None and len(refusals) < _MOST_WAYS:
        told = _ask_along(way, source, at)
        if not isinstance(told, _Stopped):
            return told
        refusals.append(told.refusal)
        if told.authority is None:
            break
        avoiding |= {told.authority}
        way = another_way(chain, at=at, avoiding=avoiding)
    # What is only not known yet may still turn out well.
    raise next((one for one in refusals if one.sub is SubIndication.TRY_LATER), refusals[0])


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Why a path is no good, and which authority's certificate (SHA-256) is the cause; None for the signer's own."""

    refusal: Refusal
    authority: str | None


def _ask_along(chain: Chain, source: RevocationSource, at: datetime) -> tuple[str, ...] | _Stopped:
    evidence: list[str] = []
    for depth, (certificate, issuer) in enumerate(pairwise(chain.certificates)):
        answer = source.status(certificate.der, issuer.der, at=at)
        if answer.state is not RevocationState.GOOD:
            refusal = _revoked(depth) if answer.state is RevocationState.REVOKED else _not_known(answer)
            return _Stopped(refusal, certificate.sha256 if depth else None)
        evidence.extend(answer.evidence)
    return tuple(evidence)


def _not_known(answer: RevocationAnswer) -> Refusal:
    if answer.detail == STALE:
        return Refusal(
            SubIndication.TRY_LATER,
            "REVOCATION_STALE",
            "Thông tin thu hồi chứng thư hiện có đã cũ hơn giới hạn cho phép. Hệ thống sẽ lấy thông tin mới và "
            "kiểm tra lại; nhà trường không phải làm gì.",
        )
    return Refusal(
        SubIndication.TRY_LATER,
        "REVOCATION_UNKNOWN",
        "Chưa lấy được tình trạng thu hồi của chứng thư. Hệ thống sẽ kiểm tra lại; nhà trường không phải làm gì.",
    )


def _revoked(depth: int) -> Refusal:
    if depth == 0:
        return Refusal(
            SubIndication.REVOKED,
            "CERTIFICATE_REVOKED",
            "Chứng thư đã bị thu hồi trước thời điểm ký. Hãy ký lại bằng chứng thư còn hiệu lực.",
        )
    return Refusal(
        SubIndication.CHAIN_CONSTRAINTS_FAILURE,
        "ISSUER_REVOKED",
        "Chứng thư của cơ quan cấp đã bị thu hồi trước thời điểm ký. Hãy liên hệ nhà cung cấp chứng thư.",
    )
