"""Certificate, person, role and school at the time of signing: what the roster has to say, with what severity."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portal.records.admission.court import binding_for
from portal.records.admission.signers import ROSTER_SEVERITIES
from portal.records.models import Record
from portal.records.states import RecordState
from portal.rehearsal.batches import unsigned_batch
from portal.schools.claims import Claims
from portal.schools.models import SeenCertificate, Signatory
from signing.trust import read_certificate

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SIGNED = datetime(2026, 5, 25, 3, 0, tzinfo=UTC)


@pytest.fixture
def school(cast):
    return cast.made("02")


@pytest.fixture
def ask(cast, school):
    """What the roster says of the head's certificate in a role."""

    def go(role="CBQL", person=None, certificate=None, claimed=None, at=SIGNED):
        facts = certificate or read_certificate(cast.pki.person(person or school.head, school).der)
        binding = binding_for(cast.row(school).pk, NOW)
        found = binding.check(role=role, certificate=facts, claimed_cccd=claimed, signing_time=at)
        return [(problem.code, problem.severity) for problem in found]

    return go


def test_the_registered_head_and_teachers_are_told_nothing(ask, school):
    assert ask() == []
    assert ask("GVCN", school.teachers[0]) == []


def test_a_stranger_as_head_is_an_error_and_as_teacher_a_warning(ask, school, cast):
    other = cast.made("02", 1)
    assert ask("CBQL", other.head) == [("SIGNER_NOT_IN_ROSTER", "error")]
    assert ask("GVCN", other.teachers[0]) == [("SIGNER_NOT_IN_ROSTER", "warning")]


def test_an_empty_roster_is_a_warning_for_the_head_and_silence_for_teachers(ask, school, cast):
    Signatory.objects.filter(school=cast.row(school)).delete()
    assert ask() == [("SIGNER_ROSTER_EMPTY", "warning")]
    assert ask("GVCN", school.teachers[0]) == []


def test_a_teacher_who_has_left_may_not_sign_but_what_she_signed_before_stands(ask, school, cast):
    row = Signatory.objects.filter(school=cast.row(school), role="GVCN", cccd=school.teachers[0].cccd)
    row.update(until_on=date(2026, 5, 1))
    assert ask("GVCN", school.teachers[0]) == [("SIGNER_OUT_OF_TERM", "error")]
    assert ask("GVCN", school.teachers[0], at=datetime(2026, 4, 30, 3, 0, tzinfo=UTC)) == []


def test_the_term_ends_with_the_day_in_viet_nam_not_in_london(ask, school, cast):
    Signatory.objects.filter(school=cast.row(school), role="CBQL").update(until_on=date(2026, 5, 1))
    assert ask(at=datetime(2026, 5, 1, 16, 59, tzinfo=UTC)) == []
    assert ask(at=datetime(2026, 5, 1, 17, 1, tzinfo=UTC)) == [("SIGNER_OUT_OF_TERM", "error")]


@pytest.mark.parametrize("severity", ["error", "warning", "off"])
def test_a_province_chooses_the_severity_of_each_rule(ask, cast, settings, severity):
    settings.RECORDS = {"roster": {"head_not_registered": severity}}
    expected = [] if severity == "off" else [("SIGNER_NOT_IN_ROSTER", severity)]
    assert ask("CBQL", cast.made("02", 1).head) == expected
    assert set(ROSTER_SEVERITIES.values()) <= {"error", "warning", "off"}


def test_a_public_school_seals_only_with_an_issuer_that_the_province_allows(ask, cast, school, settings):
    facts = read_certificate(cast.pki.organisation(school).der)
    settings.RECORDS = {"public_seal_issuers": [facts.issuer_name]}
    assert ask("KY_PHAT_HANH", certificate=facts) == []
    settings.RECORDS = {"public_seal_issuers": ["CA khác"]}
    row = cast.row(school)
    type(row).objects.filter(pk=row.pk).update(is_public=True)
    assert ask("KY_PHAT_HANH", certificate=facts) == [("SEAL_ISSUER_NOT_ALLOWED", "error")]
    type(row).objects.filter(pk=row.pk).update(is_public=False)
    assert ask("KY_PHAT_HANH", certificate=facts) == []


def test_a_certificate_without_a_number_stands_for_the_person_it_was_first_used_for(ask, cast, school):
    facts = replace(read_certificate(cast.pki.person(school.head, school).der), cccd=None)
    assert ask(certificate=facts, claimed=school.head.cccd) == []
    first = Claims()
    assert first.holder(facts.sha256, school.head.cccd) == school.head.cccd
    first.keep(now=NOW)
    assert SeenCertificate.objects.get(sha256=facts.sha256).claimed_cccd == school.head.cccd
    second = school.teachers[0].cccd
    assert ("CERTIFICATE_OF_TWO_PERSONS", "error") in ask("GVCN", certificate=facts, claimed=second)
    again = Claims()
    again.holder(facts.sha256, second)
    again.keep(now=NOW)
    assert SeenCertificate.objects.get(sha256=facts.sha256).claimed_cccd == school.head.cccd


def test_a_record_signed_by_somebody_who_is_not_the_head_is_refused_with_the_code(cast, hand_in, school):
    Signatory.objects.filter(school=cast.row(school), role="CBQL").update(cccd="099999999999")
    hand_in(school, unsigned_batch(cast.records(school, 1)).data)
    record = Record.objects.get()
    assert record.state == RecordState.REFUSED
    assert "SIGNER_NOT_IN_ROSTER" in {finding["code"] for finding in record.findings}


def test_all_the_rehearsals_good_records_stay_without_a_word_from_the_roster(cast, hand_in):
    for level in ("02", "03", "04"):
        made = cast.made(level)
        hand_in(made, unsigned_batch(cast.records(made, 4)).data)
    rows = Record.objects.all()
    assert set(rows.values_list("state", flat=True)) == {RecordState.ADMITTED}
    codes = {finding["code"] for row in rows for finding in row.findings}
    assert not {code for code in codes if code.startswith(("SIGNER_", "CERTIFICATE_", "SEAL_"))}
