"""Step (9): chain and revocation at signing time. Rule R14.

The path is remembered per certificate and period; revocation is asked for every certificate of the path below the
anchor. No evidence is TRY_LATER, never a pass; a policy may say that revocation is not asked, and the report shows it.
"""

from __future__ import annotations

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
    build_chain,
)
from signing.trust.revoked import STALE
from signing.verification.keyinfo import KeyInfo
from signing.verification.outcome import Refusal

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
    """Evidence relied on (digests), or None when the policy says that revocation is not asked."""
    if source is None:
        if policy.revocation == "off":
            return None
        raise Refusal(
            SubIndication.TRY_LATER,
            "REVOCATION_UNAVAILABLE",
            "Chưa có nguồn kiểm tra thu hồi chứng thư. Hệ thống sẽ kiểm tra lại; nhà trường không phải làm gì.",
        )
    evidence: list[str] = []
    path = chain.certificates
    for depth, (certificate, issuer) in enumerate(pairwise(path)):
        answer = source.status(certificate.der, issuer.der, at=at)
        if answer.state is RevocationState.REVOKED:
            raise _revoked(depth)
        if answer.state is not RevocationState.GOOD:
            raise _not_known(answer)
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
