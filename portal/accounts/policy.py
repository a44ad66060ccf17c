"""Who may do what, in one table; everything not written here is refused.

Authority comes from memberships alone: a user without one sees nothing, a school's people see their own school only.
Pages and API ask `may` or `require`, and reach rows only through `for_user`.
"""

from enum import StrEnum
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet

from portal.accounts.models import Membership
from portal.schools.models import School

Row = TypeVar("Row", bound=Model)


class Permission(StrEnum):
    """What can be asked for. The second word says on what."""

    HAND_IN = "hand_in"  # batches of a school
    SEE_BATCHES = "see_batches"
    SEE_RECORD = "see_record"  # a child's data: every look leaves a journal row
    REQUEST_RECALL = "request_recall"
    DECIDE_RECALL = "decide_recall"
    DECIDE_HELD = "decide_held"  # records whose check came to no one answer
    REQUEST_CERTIFICATE = "request_certificate"
    DECIDE_CERTIFICATE = "decide_certificate"
    SEE_OVERVIEW = "see_overview"  # figures of the province, no child's data
    SEE_QUEUE = "see_queue"
    CONTROL_QUEUE = "control_queue"  # hold, release, requeue
    SEE_JOURNAL = "see_journal"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_TRUST = "manage_trust"
    MANAGE_TOKENS = "manage_tokens"


_P, _R = Permission, Membership.Role

# A school's role holds for that school only; a department role holds for every school.
TABLE: dict[str, frozenset[Permission]] = {
    _R.CLERK: frozenset({_P.HAND_IN, _P.SEE_BATCHES, _P.SEE_RECORD, _P.REQUEST_RECALL, _P.REQUEST_CERTIFICATE}),
    _R.HEAD: frozenset({_P.HAND_IN, _P.SEE_BATCHES, _P.SEE_RECORD, _P.REQUEST_RECALL, _P.REQUEST_CERTIFICATE}),
    _R.OFFICER: frozenset(
        {
            _P.SEE_BATCHES,
            _P.SEE_RECORD,
            _P.DECIDE_RECALL,
            _P.DECIDE_HELD,
            _P.DECIDE_CERTIFICATE,
            _P.REQUEST_CERTIFICATE,
            _P.SEE_OVERVIEW,
            _P.SEE_QUEUE,
            _P.CONTROL_QUEUE,
            _P.SEE_JOURNAL,
        }
    ),
    # Runs the machine and must not be able to touch results (spec section 6): no child's data, no recalls.
    _R.ADMINISTRATOR: frozenset(
        {_P.SEE_OVERVIEW, _P.SEE_QUEUE, _P.SEE_JOURNAL, _P.MANAGE_ACCOUNTS, _P.MANAGE_TRUST, _P.MANAGE_TOKENS}
    ),
    _R.INSPECTOR: frozenset({_P.SEE_BATCHES, _P.SEE_RECORD, _P.SEE_OVERVIEW, _P.SEE_QUEUE, _P.SEE_JOURNAL}),
}


def may(user: Any, permission: Permission, *, school: School | int | None = None) -> bool:
    """Whether the user may do it: for that school, or (without a school) anywhere at all."""
    school_id = school.pk if isinstance(school, School) else school
    for role, own_school_id in _memberships(user):
        if permission in TABLE.get(role, frozenset()) and (
            own_school_id is None or school_id is None or own_school_id == school_id
        ):
            return True
    return False


def require(user: Any, permission: Permission, *, school: School | int | None = None) -> None:
    """Raise PermissionDenied unless `may`."""
    if not may(user, permission, school=school):
        raise PermissionDenied(permission.value)


def for_user(rows: "QuerySet[Row]", user: Any, permission: Permission, *, path: str = "school_id") -> "QuerySet[Row]":
    """Only the rows the user may reach; `path` leads from a row to its school's id."""
    schools = reachable_schools(user, permission)
    if schools is None:
        return rows
    return rows.filter(**{f"{path}__in": schools}) if schools else rows.none()


def reachable_schools(user: Any, permission: Permission) -> frozenset[int] | None:
    """Ids of the schools for which the permission holds; None means every school."""
    found: set[int] = set()
    for role, school_id in _memberships(user):
        if permission in TABLE.get(role, frozenset()):
            if school_id is None:
                return None
            found.add(school_id)
    return frozenset(found)


def schools_of(user: Any) -> "QuerySet[School]":
    """The schools a user acts for (not those a department's officer oversees)."""
    return School.objects.filter(id__in=[school_id for _, school_id in _memberships(user) if school_id is not None])


def is_department(user: Any) -> bool:
    return any(school_id is None for _, school_id in _memberships(user))


def _memberships(user: Any) -> list[tuple[str, int | None]]:
    """Read once per user object, which lives as long as one request."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return []
    cached: list[tuple[str, int | None]] | None = getattr(user, "_memberships_of_this_request", None)
    if cached is None:
        cached = list(Membership.objects.filter(user=user).values_list("role", "school_id"))
        user._memberships_of_this_request = cached
    return cached
