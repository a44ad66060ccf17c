"""One line per act or reading goes into the journal, with who, from where, and on what.

A reading of a child's data that cannot be journalled is not served: the exception ends the request.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from portal.audit import journal
from portal.web.access import address_of


def keep(
    request: HttpRequest,
    *,
    action: str,
    subject_kind: str = "",
    subject_id: str = "",
    school_id: int | None = None,
    reason: str = "",
    **detail: Any,
) -> None:
    """Write one entry. `detail` holds facts about the act (counts, states), never a child's data."""
    user = request.user if request.user.is_authenticated else None
    journal.record(
        action=action,
        now=timezone.now(),
        actor=user,
        subject=(subject_kind, subject_id) if subject_kind else None,
        school_id=school_id,
        reason=reason,
        detail=detail,
        address=address_of(request),
    )
