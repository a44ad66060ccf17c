"""Who may sign for a school: its approved certificates and its registered signatories, as frozen values.

Read once per batch; admission then judges thousands of signatures against them without another query.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from portal.schools.models import Certificate, School, Signatory


@dataclass(frozen=True, slots=True)
class ApprovedCertificate:
    """One certificate of the school and the time in which it may sign."""

    sha256: str
    approved_from: datetime
    approved_until: datetime | None
    is_withdrawn: bool

    def covers(self, signed_at: datetime) -> bool:
        return self.approved_from <= signed_at and (self.approved_until is None or signed_at < self.approved_until)


@dataclass(frozen=True, slots=True)
class Term:
    """One person's term in one role."""

    from_on: date
    until_on: date | None

    def covers(self, day: date) -> bool:
        return self.from_on <= day and (self.until_on is None or day <= self.until_on)


@dataclass(frozen=True)
class Roster:
    """Everything a signature of this school is held against."""

    certificates: Mapping[str, ApprovedCertificate]
    # role -> SO_CCCD -> terms; a role without an entry has no registered signatories at all
    signatories: Mapping[str, Mapping[str, tuple[Term, ...]]]
    is_public: bool = True


def roster_of(school_id: int) -> Roster:
    """The roster of one school as it stands now."""
    is_public = School.objects.filter(pk=school_id).values_list("is_public", flat=True).first()
    return Roster(_certificates(school_id), _signatories(school_id), is_public is not False)


def _certificates(school_id: int) -> dict[str, ApprovedCertificate]:
    rows = Certificate.objects.filter(
        school_id=school_id,
        state__in=[Certificate.State.APPROVED, Certificate.State.WITHDRAWN],
        approved_from__isnull=False,
    )
    return {
        row.sha256: ApprovedCertificate(
            row.sha256, row.approved_from, row.approved_until, row.state == Certificate.State.WITHDRAWN
        )
        for row in rows.defer("der")
        if row.approved_from is not None
    }


def _signatories(school_id: int) -> dict[str, dict[str, tuple[Term, ...]]]:
    found: dict[str, dict[str, tuple[Term, ...]]] = {}
    for role, cccd, from_on, until_on in Signatory.objects.filter(school_id=school_id).values_list(
        "role", "cccd", "from_on", "until_on"
    ):
        persons = found.setdefault(role, {})
        persons[cccd] = (*persons.get(cccd, ()), Term(from_on, until_on))
    return found
