"""Takes the gateway's news into the journal and, where addresses are set, to the officers by mail.

The journal's row belongs to the gateway's transaction; the mail goes out after it is kept, and a mail server that is
away is logged and forgotten. No child's data and no secret can stand in a notice: the gateway knows neither.
"""

import logging
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from portal.audit import journal

logger = logging.getLogger(__name__)

_SUBJECTS: Final = {
    "PAUSED": "Đường truyền tới Bộ tạm dừng",
    "RESUMED": "Đường truyền tới Bộ đã thông",
    "EXPIRES": "Chứng thư số sắp hết hạn",
    "DISCREPANCIES": "Đối soát thấy điểm khác nhau",
    "MISSED": "Việc định kỳ bị lỡ",
    "FAULT": "Phần mềm của cổng tự gặp lỗi",
}


def take(*, event: str, endpoint: str, cause: str, message: str) -> None:
    """One entry in the journal, one mail to each configured officer."""
    journal.record(
        action=f"line.{event.lower()}",
        now=timezone.now(),
        subject=("endpoint", endpoint),
        reason=message,
        detail={"cause": cause},
    )
    officers = list(getattr(settings, "OFFICERS_EMAIL", ()))
    if officers:
        subject = f"[Cổng học bạ số] {_SUBJECTS.get(event, event)}"
        transaction.on_commit(lambda: _mail(subject, message, officers), robust=True)


def _mail(subject: str, message: str, officers: list[str]) -> None:
    try:
        send_mail(subject, message, None, officers)
    except OSError:
        logger.warning("mail server away; the journal has the notice")
