"""The journal line for an answer of types 2 and 6 that names pupils: which software read how much, about what.

Software asks again and again; the same reading by the same access is written once a day, a changed one at once. Holds
no pupil.
"""

from datetime import datetime, timedelta

from portal.accounts.models import ApiToken
from portal.audit import journal
from portal.audit.models import Entry

_AGAIN_AFTER = timedelta(days=1)


def keep(
    *, action: str, subject: tuple[str, object], token: ApiToken, lines: int, address: str | None, now: datetime
) -> None:
    """Write that this access has read `lines` lines; nothing where the answer named nobody."""
    if not lines:
        return
    kind, identity = subject[0], str(subject[1])
    before = (
        Entry.objects.filter(subject_kind=kind, subject_id=identity, action=action, actor_name=token.user_name)
        .order_by("-pk")
        .values_list("at", "detail")
        .first()
    )
    if before is not None and before[1].get("lines") == lines and now - before[0] < _AGAIN_AFTER:
        return
    journal.record(
        action=action, now=now, actor_name=token.user_name, subject=(kind, identity), school_id=token.school_id,
        detail={"lines": lines, "door": "EXCHANGE"}, address=address,
    )  # fmt: skip
