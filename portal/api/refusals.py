"""One table from every refusal below this door to what the sender sees: HTTP status, stable code, sentence.

Nothing else decides what leaves this room: what is not in the table becomes INTERNAL_ERROR without a word of detail.
"""

import logging
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from gateway.exchange.errors import ContentRefused, ExchangeError
from portal.accounts.access import AccessRefused
from portal.records.admission.opening import BatchUnreadable
from portal.records.kinds import IntakeRefused
from portal.records.recall import RecallRefused
from portal.schools.register import RegisterRefused

logger = logging.getLogger(__name__)


class DoorRefused(Exception):
    """Refused by this door itself: the wrong unit, the wrong type, an id nobody knows."""

    def __init__(self, code: str, message: str, status: int = 422) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the sender is told."""

    status: int
    code: str
    message: str
    field: str = ""


INTERNAL_ERROR = Refusal(
    # A commit whose answer was lost may have succeeded: we never say that nothing was taken.
    500,
    "INTERNAL_ERROR",
    "Cổng gặp lỗi, chưa xác nhận được giao dịch. Hãy gửi lại sau với cùng messageid.",
)
UNAVAILABLE = Refusal(
    503, "UNAVAILABLE", "Cổng tạm thời chưa xử lý được, chưa xác nhận được giao dịch. Hãy gửi lại với cùng messageid."
)


def refusal_of(problem: Exception) -> Refusal:  # noqa: PLR0911 one line for each kind
    match problem:
        case AccessRefused():
            return Refusal(403 if problem.code == "ADDRESS_REFUSED" else 401, problem.code, problem.message)
        case IntakeRefused() | DoorRefused():
            return Refusal(problem.status, problem.code, problem.message)
        case ContentRefused():
            return Refusal(413 if problem.code == "CONTENT_TOO_BIG" else 422, problem.code, problem.message, "content")
        case ExchangeError():
            status = 413 if problem.code == "MESSAGE_TOO_BIG" else 400
            return Refusal(status, problem.code, problem.message, getattr(problem, "field", ""))
        case BatchUnreadable() | RecallRefused() | RegisterRefused():
            return Refusal(422, problem.code, problem.message)
        case OperationalError() | InterfaceError():
            # The database is away, or has no connection left: the sender's software tries again by itself.
            logger.warning("exchange_door_without_database cause=%s", type(problem.__cause__ or problem).__name__)
            return UNAVAILABLE
    logger.error("exchange_door_failed", exc_info=problem)
    return INTERNAL_ERROR
