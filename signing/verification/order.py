"""Steps (7) and (10): signing times that can be, and the order in which people signed.

The time is claimed by the signer; it may not lie in the future nor before any such signature could exist. That one
signed before another who must come first is a soft rule of the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from signing.policy import SignaturePolicy, SignatureSlot
from signing.report import ReportWarning, SubIndication
from signing.verification.outcome import Refusal
from signing.verification.placement import Placed
from signing.verification.signers import soft
from signing.xml import child_text

_VIETNAM: Final = timezone(timedelta(hours=7))


def check_moment(signed_at: datetime, policy: SignaturePolicy, at: datetime) -> None:
    """(7) The claimed time is possible as seen from `at`."""
    if signed_at > at + policy.max_future:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "TIME_IN_FUTURE",
            "Thời điểm ký ở tương lai. Hãy chỉnh đồng hồ máy ký rồi ký lại.",
        )
    if signed_at < policy.earliest:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "TIME_TOO_EARLY",
            "Thời điểm ký quá xa trong quá khứ. Hãy chỉnh đồng hồ máy ký rồi ký lại.",
        )


def check_order(
    slot: SignatureSlot, signed_at: datetime, times: Mapping[str, Sequence[datetime]], policy: SignaturePolicy
) -> ReportWarning | None:
    """(10) Not before anyone who must have signed earlier."""
    if not slot.after:
        return None
    late = [
        role for role in slot.after if any(signed_at + policy.order_tolerance < time for time in times.get(role, ()))
    ]
    if not late:
        return None
    return soft(policy, "order", "ORDER_WRONG", f"{slot.role} ký trước {', '.join(late)}; theo quy định phải ký sau.")


def check_date(placed: Placed, signed_at: datetime, policy: SignaturePolicy) -> ReportWarning | None:
    """NGAY_KY beside the signature is unsigned; told when it names another day than the signed time."""
    if placed.beside is not None:
        claimed = placed.beside.get("NGAY_KY")
    else:
        claimed = child_text(placed.holder, "NGAY_KY") if placed.holder is not None else None
    if not claimed:
        return None
    day = signed_at.astimezone(_VIETNAM).date()
    # Written in Vietnamese time, the usual form needs no reckoning.
    if claimed.endswith("+07:00") and claimed.startswith(day.isoformat()):
        return None
    if _local_day(claimed).startswith((day.isoformat(), f"{day.day:02}/{day.month:02}/{day.year:04}")):
        return None
    return soft(policy, "signed_date", "SIGNED_DATE_DIFFERS", "NGAY_KY không cùng ngày với thời điểm ký trong chữ ký.")


def _local_day(claimed: str) -> str:
    """The claimed date as it reads in Vietnam; as it stands when it names no time zone."""
    try:
        moment = datetime.fromisoformat(claimed.strip())
        return moment.astimezone(_VIETNAM).isoformat() if moment.tzinfo else claimed.strip()
    except (ValueError, OverflowError):
        return claimed.strip()
