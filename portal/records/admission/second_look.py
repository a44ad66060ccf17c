"""The second engine's look at a share of the records: chosen by the record's own digest, not by us.

A disagreement is an alarm, not a verdict: the record is neither admitted nor refused, it is held for an officer.
"""

from datetime import datetime

from portal.records.admission.wording import finding
from portal.records.profiles import Finding, Severity
from signing.policy import SignaturePolicy
from signing.report import Report
from signing.trust import RevocationSource, TrustStore
from signing.verification.second import agrees, verify_again

ENGINES_DISAGREE = "ENGINES_DISAGREE"


def is_chosen(sha256: bytes, share: float) -> bool:
    """Whether the record with this digest belongs to the share (0 to 1) that is looked at twice."""
    return int.from_bytes(sha256[:8], "big") < int(share * (1 << 64))


def look_again(
    data: bytes,
    first: Report,
    policy: SignaturePolicy,
    trust: TrustStore,
    *,
    at: datetime,
    revocation: RevocationSource | None,
) -> Report | None:
    """The second engine's report when it contradicts the first one's; None when both agree."""
    second = verify_again(data, policy, trust, at=at, revocation=revocation)
    return None if agrees(first, second) else second


def about_disagreement(first: Report, second: Report) -> Finding:
    """What the school and the department are told; no error of the school's."""
    return finding(
        ENGINES_DISAGREE,
        "Hai bộ kiểm tra chữ ký độc lập cho kết quả khác nhau, nên học bạ được giữ lại để Sở xem.",
        "Trường chưa cần làm gì; Sở sẽ kiểm tra và trả lời.",
        severity=Severity.WARNING,
        title="Chữ ký",
        rule=f"{first.engine}: {first.code}; {second.engine}: {second.code}"[:120],
    )


def about_refusal(reason: str) -> Finding:
    """What the school is told when an officer has found a held record bad."""
    return finding(
        "HELD_REFUSED",
        f"Sở đã xem học bạ bị giữ và từ chối: {reason[:400]}",
        "Xuất lại tệp từ phần mềm của trường, ký lại rồi gửi lại.",
        title="Chữ ký",
    )
