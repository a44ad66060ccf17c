"""The journal's only pen: one row for each thing that somebody did.

Written inside the business transaction, so an act without its row (or a row without its act) cannot exist. Rows carry
counts, states and digests, never a child's data.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portal.audit.models import Entry

# Who acts when no person does: schools' software, and the portal itself.
SYSTEM = "hệ thống"


def record(
    *,
    action: str,
    now: datetime,
    actor: Any | None = None,
    actor_name: str = "",
    subject: tuple[str, object] | None = None,
    school_id: int | None = None,
    reason: str = "",
    detail: Mapping[str, object] | None = None,
    address: str | None = None,
) -> Entry:
    """Append one entry. `actor` is a signed-in user; software and the portal itself only give `actor_name`."""
    kind, identity = subject if subject is not None else ("", "")
    entry = Entry(
        at=now,
        actor=actor,
        actor_name=(actor_name or (str(actor) if actor is not None else SYSTEM))[:150],
        action=action,
        subject_kind=kind,
        subject_id=str(identity),
        school_id=school_id,
        reason=reason[:500],
        detail=dict(detail or {}),
        address=address,
    )
    entry.save(force_insert=True)
    return entry
