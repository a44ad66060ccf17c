"""Each planted breach is really in the file, and nothing else is."""

from collections.abc import Callable
from datetime import date

import pytest
from lxml import etree

from portal.records.profiles import RuleContext, registry
from portal.rehearsal.fault_contents import FAULTS as CONTENTS
from portal.rehearsal.faults import Fault, Outcome, make_faulty
from portal.rehearsal.pki import Pki
from portal.rehearsal.planting import Planting, catalogue, planting
from portal.rehearsal.province import Province, School
from portal.rehearsal.records import MadeRecord, make_record

CASES = [pytest.param(fault, level, id=f"{fault.code}-{level}") for fault in catalogue() for level in fault.levels]
RULED = [case for case in CASES if case.values[0] in CONTENTS and case.values[0].says]


def findings_of(province: Province, school: School, record: MadeRecord) -> dict[str, bool]:
    """Codes of the findings of the portal's rules; True for an error."""
    name = "primary-1.0" if school.level == "02" else "secondary-2.0"
    context = RuleContext(
        today=date(2026, 11, 21),
        school_code=school.code,
        department_code=province.code,
        years=frozenset({province.calendar.school_year}),
        levels=frozenset({school.level}),
    )
    findings = registry()[name].examine(etree.fromstring(record.data), context)
    return {finding.code: finding.is_error for finding in findings}


@pytest.mark.parametrize("level", ["02", "03", "04"])
def test_a_valid_record_has_no_findings(province: Province, pki: Pki, level: str) -> None:
    for school in province.of_level(level):
        for number in range(0, 1000, 41):
            assert findings_of(province, school, make_record(province, pki, school, number)) == {}


@pytest.mark.parametrize(("fault", "level"), RULED)
def test_the_rules_say_what_the_catalogue_expects(province: Province, pki: Pki, fault: Fault, level: str) -> None:
    school = province.of_level(level)[0]
    for number in (0, 70, 150):
        found = findings_of(province, school, make_faulty(province, pki, school, number, fault))
        assert fault.says & found.keys()
        assert any(found.values()) == (fault.outcome is Outcome.REFUSED)


@pytest.mark.parametrize(("fault", "level"), CASES)
def test_a_planted_record_is_not_the_valid_one(province: Province, pki: Pki, fault: Fault, level: str) -> None:
    school = province.of_level(level)[0]
    good = make_record(province, pki, school, 40)
    bad = make_faulty(province, pki, school, 41, fault, previous=good)
    assert bad.fault == fault.code
    assert bad.data != make_record(province, pki, school, 41).data
    etree.fromstring(bad.data)


@pytest.mark.parametrize("code", ["altered-mark", "altered-name", "altered-time", "data-twice"])
def test_xmlsec1_notices_what_was_altered(
    province: Province, pki: Pki, xmlsec1: Callable[[bytes], list[str]], code: str
) -> None:
    fault = next(one for one in catalogue() if one.code == code)
    assert xmlsec1(make_faulty(province, pki, province.schools[0], 3, fault).data)


@pytest.mark.parametrize("code", ["comment-in-value", "head-expired", "head-of-other-school", "total"])
def test_some_breaches_leave_every_signature_good(
    province: Province, pki: Pki, xmlsec1: Callable[[bytes], list[str]], code: str
) -> None:
    fault = next(one for one in catalogue() if one.code == code)
    assert xmlsec1(make_faulty(province, pki, province.schools[0], 3, fault).data) == []


def test_the_share_of_planted_breaches_is_the_one_asked_for(province: Province) -> None:
    plan = planting("s", 0.2, revocation=False)
    school = province.schools[0]
    drawn = [plan.fault_for(school, number, previous=None) for number in range(2000)]
    assert 0.16 < sum(fault is not None for fault in drawn) / 2000 < 0.24
    assert drawn == [plan.fault_for(school, number, previous=None) for number in range(2000)]
    assert not any(fault and (fault.needs_previous or fault.needs_revocation) for fault in drawn)
    assert Planting("s", 0.0, plan.faults).fault_for(school, 1, previous=None) is None
