"""Two implementations that share no code agree: what this room signs, `signing` verifies, and the breaches it names."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import signing
from portal.records.profiles import registry
from portal.rehearsal.batches import list_batch
from portal.rehearsal.fault_signatures import FAULTS
from portal.rehearsal.faults import Fault, Outcome, make_faulty
from portal.rehearsal.pki import Pki
from portal.rehearsal.province import Province, School
from portal.rehearsal.records import make_record
from portal.rehearsal.spelling import SPELLINGS, Spelling

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LIST_POLICY = {
    "name": "list",
    "root": "DANH_SACH_HOC_BA",
    "nested": ["HOC_BA"],
    "revocation": "off",
    "slots": [{"role": "SENDER", "place": "Signature", "covers": ".", "signer": "organisation"}],
}
NAMED = [
    pytest.param(fault, level, id=f"{fault.code}-{level}") for fault in FAULTS for level in fault.levels if fault.says
]


@pytest.fixture(scope="session")
def trust(pki_folder: Path) -> signing.TrustStore:
    return signing.TrustStore.from_directory(pki_folder / "trust")


def policy_for(school: School) -> signing.SignaturePolicy:
    name = "primary-1.0" if school.level == "02" else "secondary-2.0"
    return replace(registry()[name].policy, revocation="off")


def verdict_on(data: bytes, school: School, trust: signing.TrustStore) -> tuple[set[str], bool]:
    """All codes that were given, and whether the signatures passed."""
    try:
        report = signing.verify(data, policy_for(school), trust, at=NOW)
    except signing.MalformedDocument as refusal:
        return {refusal.code}, False
    return {report.code} | {warning.code for one in report.signatures for warning in one.warnings}, report.passed


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
@pytest.mark.parametrize("level", ["02", "03", "04"])
def test_every_spelling_verifies_without_a_warning(
    province: Province, pki: Pki, trust: signing.TrustStore, spelling: Spelling, level: str
) -> None:
    for school in province.of_level(level):
        record = make_record(province, pki, school, 9, spelling=spelling)
        report = signing.verify(record.data, policy_for(school), trust, at=NOW)
        assert report.passed, report.message
        assert not any(one.warnings for one in report.signatures)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_the_lists_signature_verifies(
    province: Province, pki: Pki, trust: signing.TrustStore, spelling: Spelling
) -> None:
    school = province.schools[1]
    records = [make_record(province, pki, school, number) for number in range(6)]
    at = province.calendar.moment(month=5, day=29)
    batch = list_batch(records, identity=pki.organisation(school), at=at, spelling=spelling)
    document = signing.parse(batch.data, limits=signing.LIST_LIMITS)
    assert signing.verify(document, signing.policy_from_mapping(LIST_POLICY), trust, at=NOW).passed
    cut = signing.cut(batch.data)
    assert [batch.data[one.start : one.end] for one in cut.cuts] == [record.data for record in records]


@pytest.mark.parametrize(("fault", "level"), NAMED)
def test_a_breach_of_a_signature_gets_its_own_code(
    province: Province, pki: Pki, trust: signing.TrustStore, fault: Fault, level: str
) -> None:
    school = province.of_level(level)[0]
    for number in (2, 77):
        record = make_faulty(province, pki, school, number, fault)
        codes, passed = verdict_on(record.data, school, trust)
        assert passed == (fault.outcome is Outcome.WARNED)
        assert fault.says & codes
