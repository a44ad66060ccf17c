"""Records of a batch and one record: only what the actor may see.

Lists never load the file or the signature report of a record; the page of one record does.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from portal.accounts import policy
from portal.accounts.policy import Permission
from portal.records.models import Batch, Record
from portal.records.profiles.findings import Finding
from portal.records.states import RecordState
from portal.web.access import Actor

_LIGHT = ("data", "report")


def records_of(actor: Actor) -> QuerySet[Record]:
    """The records this person may read."""
    rows = Record.objects.select_related("school", "batch", "item__submission")
    rows = policy.for_user(rows, actor.user, Permission.SEE_RECORD)
    return rows if actor.is_department else rows.filter(school=actor.school)


def records_in(batch: Batch, *, state: str = "") -> QuerySet[Record]:
    """The records of a batch that the actor may already see, narrowed by the filter form."""
    rows = Record.objects.filter(batch=batch).select_related("item__submission").defer(*_LIGHT).order_by("position")
    if state in RecordState.values:
        return rows.filter(state=state)
    if state in ("ACCEPTED", "REJECTED"):
        return rows.filter(item__verdict=state)
    return rows.filter(warning_count__gt=0) if state == "WARNED" else rows


def searched(rows: QuerySet[Record], number: str) -> QuerySet[Record]:
    """Records by lookup uuid, pupil code or personal number; an exact match only, so nobody can leaf through pupils."""
    found = Q(pupil_code=number) | Q(cccd=number)
    if len(number) == 36:
        found |= Q(lookup_uuid=number)
    return rows.filter(found).defer(*_LIGHT).order_by("-school_year", "-id")


def findings_of(record: Record) -> list[Finding]:
    """Errors first, in the order the rules found them."""
    found = [Finding.from_json(row) for row in record.findings]
    return sorted(found, key=lambda f: not f.is_error)
