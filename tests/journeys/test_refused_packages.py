"""Packages that the Ministry refuses as a whole: the culprit is found and the others arrive; seals and statements too.

Real signed records, the shipped simulator over mutual TLS, no Celery: each turn is one look of the workers.
"""

import hashlib
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from gateway import circuit, conf, outbox, reconciliation, session, statement, sync
from gateway.models import Discrepancy, Endpoint, Item, Submission
from gateway.simulator.control import SimulatorControl
from portal.records import dispatch
from portal.records.models import Record
from portal.rehearsal.batches import unsigned_batch
from signing import SignaturePolicy, TrustStore, policy_from_mapping, verify
from signing.xml import parse
from tests.journeys.ministry import ministry_at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ministry(
    cast: object, tmp_path: Path, pki_folder: Path, settings: pytest.FixtureRequest
) -> Iterator[SimulatorControl]:
    """The simulator knows the department's certificate; our description leads to it."""
    with ministry_at(tmp_path, pki_folder) as (description, control):
        settings.GATEWAY_ENDPOINT_FILE = description
        yield control


def turn() -> None:
    """One look of every worker."""
    now = timezone.now()
    dispatch.take_back_due()
    dispatch.bisect_due(now=now)
    dispatch.dispatch_due(now=now, at_once=True)
    sync.run(sync.FORWARD, budget=8)


def until_all_are_judged(turns: int = 14) -> None:
    for _ in range(turns):
        turn()
        if not Record.objects.exclude(item__verdict__in=["ACCEPTED", "REJECTED"]).exists():
            return
    raise AssertionError(list(Submission.objects.values_list("state", "reason_code", "items_count")))


def effects(control: SimulatorControl) -> dict[str, int]:
    return {row["uuid"]: row["effects"] for row in control.ledger() if row["effects"]}


@pytest.fixture
def eight(cast, hand_in) -> list[str]:
    """Eight admitted records of one school, by lookup uuid."""
    hand_in(cast.made("02"), unsigned_batch(cast.records(cast.made("02"), 8)).data)
    return [str(one) for one in Record.objects.order_by("id").values_list("lookup_uuid", flat=True)]


def test_the_culprit_nobody_named_is_found_and_the_seven_others_arrive(
    ministry: SimulatorControl, eight: list[str]
) -> None:
    ministry.set_fault("refuse_package", code="STRUCTURE_INVALID", uuids=[eight[5]], named=False)
    until_all_are_judged()
    verdicts = dict(Item.objects.filter(record__isnull=False).values_list("key", "verdict"))
    assert verdicts == {key: "REJECTED" if key == eight[5] else "ACCEPTED" for key in eight}
    assert effects(ministry) == {key: 1 for key in eight if key != eight[5]}
    assert Item.objects.get(key=eight[5], verdict="REJECTED").errors[0]["code"] == "STRUCTURE_INVALID"
    assert Submission.objects.count() == 7, "8 → 4+4 → 2+2 → 1+1: no package more than bisection needs"
    assert Endpoint.objects.get().state == "OPEN"


def test_two_culprits_are_both_found(ministry: SimulatorControl, eight: list[str]) -> None:
    ministry.set_fault("refuse_package", code="PACKAGE_INVALID", uuids=[eight[0], eight[7]], named=False)
    until_all_are_judged()
    refused = Item.objects.filter(record__isnull=False, verdict="REJECTED").values_list("key", flat=True)
    assert sorted(refused) == sorted([eight[0], eight[7]])
    assert set(effects(ministry).values()) == {1}


def test_a_culprit_the_ministry_names_costs_one_package_more(ministry: SimulatorControl, eight: list[str]) -> None:
    ministry.set_fault("refuse_package", code="STRUCTURE_INVALID", uuids=[eight[2]], named=True)
    until_all_are_judged()
    verdicts = dict(Item.objects.filter(record__isnull=False).values_list("key", "verdict"))
    assert verdicts == {key: "REJECTED" if key == eight[2] else "ACCEPTED" for key in eight}
    assert Submission.objects.count() == 2


def test_a_package_that_is_too_big_is_closed_and_its_records_travel_in_smaller_ones(
    ministry: SimulatorControl, eight: list[str]
) -> None:
    ministry.set_fault("http_413", service="submit", count=1)
    until_all_are_judged()
    refused = Submission.objects.get(state="REFUSED")
    assert "TOO" in refused.reason_code
    assert all(row.document_bytes < refused.document_bytes for row in Submission.objects.exclude(pk=refused.pk))
    assert effects(ministry) == dict.fromkeys(eight, 1)


def test_a_refused_seal_pauses_the_line_and_nothing_is_split(ministry: SimulatorControl, eight: list[str]) -> None:
    ministry.set_fault("refuse_package", code="SEAL_INVALID", uuids=eight, named=False)
    turn()
    turn()
    assert Endpoint.objects.get().cause == "SEAL_REFUSED"
    assert Submission.objects.count() == 1
    ministry.clear_faults()
    circuit.resume(Endpoint.objects.get(), now=outbox.database_now())
    until_all_are_judged()
    assert effects(ministry) == dict.fromkeys(eight, 1)


def test_the_departments_certificate_is_registered_through_the_outbox(ministry: SimulatorControl, cast: object) -> None:
    call_command("endpoint", "catalogues", "--json", stdout=StringIO())
    kinds = [entry["ma"] for entry in Endpoint.objects.get().catalogues["signature_kinds"]]
    providers = [entry["ma"] for entry in Endpoint.objects.get().catalogues["certificate_providers"]]
    with pytest.raises(CommandError, match="KIND_UNKNOWN"):
        call_command("endpoint", "register-certificate", "--kind", "X", "--provider", providers[0])
    register = ["endpoint", "register-certificate", "--kind", kinds[0], "--provider", providers[0]]
    call_command(*register, "--json", stdout=StringIO())
    for _ in range(4):
        sync.run(sync.FORWARD, budget=4)
    sent = Submission.objects.get(kind="CERTIFICATE")
    assert (sent.state, sent.items.get().verdict) == ("ANSWERED", "ACCEPTED")
    with pytest.raises(CommandError, match="ALREADY_REGISTERED"):
        call_command(*register)


def test_packages_sent_on_behalf_of_schools_carry_the_schools_code(
    ministry: SimulatorControl, cast, hand_in, settings: pytest.FixtureRequest
) -> None:
    settings.RECORDS = {"on_behalf_of_schools": True}
    first, second = cast.made("02"), cast.made("03")
    for school in (first, second):
        hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    dispatch.dispatch_due(now=timezone.now(), at_once=True)
    rows = Submission.objects.values_list("unit_code", "items_count")
    assert sorted(rows) == sorted([(first.code, 2), (second.code, 2)])
    for row in Submission.objects.all():
        assert set(row.items.values_list("record__school__code", flat=True)) == {row.unit_code}


LIST_OF_FIGURES: SignaturePolicy = policy_from_mapping(
    {
        "name": "statement",
        "root": "BANG_KE_DOI_SOAT",
        "revocation": "off",
        "nested": ["HOC_BA"],  # none stands inside; it says that the seal is enveloped, as on a list
        "slots": [{"role": "SEALER", "place": "Signature", "covers": ".", "signer": "organisation"}],
    }
)


def test_the_days_statement_is_signed_and_proves_its_files(
    ministry: SimulatorControl, eight: list[str], pki_folder: Path, tmp_path: Path
) -> None:
    until_all_are_judged()
    day = timezone.localdate()
    written = StringIO()
    call_command("reconcile", "--day", day.isoformat(), "--statement", str(tmp_path / "out"), "--json", stdout=written)
    found = json.loads(written.getvalue())
    assert (found["asked"], found["unanswered"], found["new_discrepancies"]) == (1, 0, 0)
    files = {Path(name).suffix: Path(name).read_bytes() for name in found["files"]}
    trust = TrustStore.from_directory(pki_folder / "trust")
    report = verify(files[".xml"], LIST_OF_FIGURES, trust, at=timezone.now())
    assert report.passed, report.message
    said = {one.get("loai"): one.text for one in parse(files[".xml"]).root.iter("TEP")}
    assert said == {kind: hashlib.sha256(files[f".{kind.lower()}"]).hexdigest() for kind in ("CSV", "PDF")}
    figures = {one.get("ten"): one.text for one in parse(files[".xml"]).root.iter("SO_LIEU")}
    assert (figures["items"], figures["accepted"], figures["discrepancies"]) == ("8", "8", "0")
    forged = files[".xml"].replace(b'ten="accepted">8<', b'ten="accepted">9<')
    assert not verify(forged, LIST_OF_FIGURES, trust, at=timezone.now()).passed


@pytest.mark.parametrize(("how", "kinds"), [("drop", {"MISSING_THERE"}), ("foreign", {"UNKNOWN_HERE"})])
def test_what_the_ministry_forgot_or_made_up_is_a_discrepancy_in_the_statement(
    ministry: SimulatorControl, eight: list[str], how: str, kinds: set[str]
) -> None:
    until_all_are_judged()
    ministry.set_fault("receipt_wrong_counts", service="query", how=how)
    description, now = conf.endpoint(), outbox.database_now()
    since, until = reconciliation.day_of(now, description)
    for _ in range(2):  # found again every night, it stays one
        reconciliation.reconcile(client=session.client(), since=since, until=until, now=now)
    assert set(Discrepancy.objects.values_list("kind", flat=True)) == kinds
    found = Discrepancy.objects.count()
    assert found >= 1
    made = statement.make(timezone.localdate(), description, now=now)
    assert made.counts["discrepancies_open"] == found
    assert set(Item.objects.values_list("verdict", flat=True)) == {"ACCEPTED"}, "a verdict is never changed silently"
