"""Seats the court of one batch: whom we trust, whose certificates the school may use, which years it may name.

Read from the database once per batch; judging then needs no query at all.
"""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from portal.records.admission.judging import Court
from portal.records.admission.signers import SchoolBinding
from portal.records.conf import conf, department_code, packing_limit
from portal.records.models import Batch
from portal.records.profiles import Profile, RuleContext, registry
from portal.schools.claims import Claims
from portal.schools.models import School
from portal.schools.roster import roster_of
from portal.schools.trust import revocation_source, trust_store
from signing.policy import SignaturePolicy
from signing.xml import RECORD_LIMITS

_LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_FIRST_MONTH = 8


def court_for(batch: Batch, *, now: datetime) -> Court:
    """Everything the records of this batch are judged by, as things stand at `now`."""
    profiles = registry(conf().extra_profiles)
    revocation = revocation_source(now=now) if conf().check_revocation else None
    return Court(
        trust=trust_store(),
        binding=binding_for(batch.school_id, batch.received_at),
        rules=_rules(batch, batch.school),
        profiles=profiles,
        policies={one.name: _policy(one, ask=conf().check_revocation) for one in profiles.profiles.values()},
        at=batch.received_at,
        revocation=revocation,
        second_share=conf().second_engine_share,
        max_bytes=min(RECORD_LIMITS.max_bytes, packing_limit()),
    )


def binding_for(school_id: int, received_at: datetime) -> SchoolBinding:
    values = conf()
    return SchoolBinding(
        roster_of(school_id),
        received_at,
        severities=values.roster,
        public_seal_issuers=frozenset(values.public_seal_issuers),
        claims=Claims(),
    )


def _rules(batch: Batch, school: School) -> RuleContext:
    today = batch.received_at.astimezone(_LOCAL).date()
    return RuleContext(
        today=today,
        school_code=school.code,
        department_code=department_code(),
        years=_years(batch.declared_year, today),
        levels=frozenset(school.levels),
        other_school_codes=frozenset({school.former_code} - {""}),
    )


def _years(declared: int | None, today: date) -> frozenset[str]:
    """The year that the transaction names; where it names none, every year that has begun."""
    if declared is not None:
        return frozenset({f"{declared}-{declared + 1}"})
    # A school year begins in the calendar year of its first term; from August on it is this one.
    latest = today.year if today.month >= _FIRST_MONTH else today.year - 1
    return frozenset(f"{year}-{year + 1}" for year in range(conf().first_school_year, latest + 1))


def _policy(profile: Profile, *, ask: bool) -> SignaturePolicy:
    # The setting says that no revocation source is connected yet: the policy must then say so too, in the open.
    return profile.policy if ask else replace(profile.policy, revocation="off")
