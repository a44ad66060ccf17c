"""Revocation in the product: required, waited for, told from kept lists, and its evidence stored once."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from portal.records import processing, queries
from portal.records.models import Batch, Record
from portal.records.states import BatchState, RecordState
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.faults import make_faulty
from portal.rehearsal.install import load_revocation_lists
from portal.rehearsal.pki_files import revocation_list
from portal.rehearsal.planting import of_code
from portal.schools import refresh, revocation
from portal.schools.models import (
    CertificateEvidence,
    EvidenceSource,
    OcspAnswer,
    RevocationList,
    SeenCertificate,
    TrustAnchor,
)
from portal.schools.revocation import witness
from signing.trust import RevocationState

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def revocation_is_required(settings):
    settings.RECORDS = {"check_revocation": True, "recheck_seconds": 60}


@pytest.fixture
def only_named_sources(monkeypatch):
    """The authorities' own addresses resolve nowhere: these tests ask the server they name."""
    monkeypatch.setattr(refresh, "note_authorities", lambda *, now: None)


@pytest.fixture(autouse=True)
def nothing_fetched_yet(cast):
    RevocationList.objects.all().delete()


@pytest.fixture
def lists(cast, nothing_fetched_yet):
    load_revocation_lists(cast.pki, schools=12, now=NOW)


def report_of(record: Record) -> dict:
    import json

    import zstandard

    return json.loads(zstandard.ZstdDecompressor().decompress(bytes(record.report)))


def test_a_revoked_certificate_refuses_the_record_and_the_others_are_admitted(cast, hand_in, lists):
    made = cast.made("02")
    wrong = make_faulty(cast.province, cast.pki, made, 50, of_code("head-revoked"))
    hand_in(made, unsigned_batch([*cast.records(made, 3), wrong]).data)
    refused = Record.objects.get(state=RecordState.REFUSED)
    assert "CERTIFICATE_REVOKED" in {finding["code"] for finding in refused.findings}
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 3


def test_a_record_waits_while_no_list_is_there_and_is_admitted_when_it_comes(cast, hand_in):
    made = cast.made("03")
    batch = hand_in(made, unsigned_batch(cast.records(made, 2)).data)
    assert batch.state == BatchState.OPENED
    waiting = Record.objects.filter(batch=batch)
    assert {row.state for row in waiting} == {RecordState.RECEIVED}
    [due] = {row.next_check_at for row in waiting}
    assert NOW < due <= NOW + timedelta(seconds=60)
    assert "REVOCATION_UNKNOWN" in {finding["code"] for row in waiting for finding in row.findings}
    assert queries.progress(batch).waiting_for_evidence == 2

    processing.process_due(clock=lambda: NOW + timedelta(seconds=61))
    assert Record.objects.filter(batch=batch, state=RecordState.RECEIVED).count() == 2  # tried again, still away

    load_revocation_lists(cast.pki, schools=12, now=NOW)
    processing.process_due(clock=lambda: NOW + timedelta(seconds=125))
    assert Record.objects.filter(batch=batch, state=RecordState.ADMITTED).count() == 2
    assert Batch.objects.get(id=batch.id).state == BatchState.PROCESSED


def test_a_list_that_is_older_than_a_day_makes_a_record_wait_for_the_next_one(cast, hand_in, settings):
    settings.TRUST = {}  # a day, as it is out of the box
    load_revocation_lists(cast.pki, schools=12, now=NOW - timedelta(hours=24))  # made an hour before
    made = cast.made("02")
    batch = hand_in(made, unsigned_batch(cast.records(made, 2)).data)
    [codes] = {tuple(sorted({found["code"] for found in row.findings})) for row in Record.objects.filter(batch=batch)}
    assert "REVOCATION_STALE" in codes
    assert queries.progress(batch).waiting_for_evidence == 2

    for authority in (cast.pki.root, *cast.pki.issuers):
        refresh.load_list(data=revocation_list(cast.pki, authority, 12, NOW), source="", now=NOW)
    processing.process_due(clock=lambda: NOW + timedelta(hours=1))
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.ADMITTED}

    settings.TRUST = {"evidence_max_age_hours": 0.5}
    hand_in(made, unsigned_batch(cast.records(made, 2, first=2)).data)
    assert Record.objects.filter(state=RecordState.RECEIVED).count() == 2


def test_a_list_that_holds_for_a_week_is_asked_for_again_before_it_is_too_old(
    only_named_sources, cast, server, settings
):
    settings.TRUST = {}
    issuer = cast.pki.public_issuer
    row = EvidenceSource.objects.create(
        kind="CRL", url=f"{server.base}/x.crl", issuer_sha256=_sha256(issuer.identity.der), next_check_at=NOW
    )
    made_at = NOW - timedelta(hours=1)
    server.answers["/x.crl"] = revocation_list(cast.pki, issuer, 12, NOW)
    refresh.refresh(now=NOW)
    row.refresh_from_db()
    assert row.next_check_at == made_at + timedelta(hours=18)
    refresh.refresh(now=NOW + timedelta(hours=20))  # the same list again, too old soon
    row.refresh_from_db()
    assert row.next_check_at == NOW + timedelta(hours=21)
    assert not row.failures


def test_what_waits_makes_its_sources_known_and_the_refresh_fetches_them(cast, hand_in, server, monkeypatch):
    at_home = revocation.distribution.list_addresses
    monkeypatch.setattr(
        revocation.distribution,
        "list_addresses",
        lambda der: tuple(url.replace("http://crl.dien-tap.invalid", server.base) for url in at_home(der)),
    )
    made = cast.made("02")
    hand_in(made, unsigned_batch(cast.records(made, 2)).data)
    assert EvidenceSource.objects.filter(kind="CRL").exists()
    for authority in (cast.pki.root, *cast.pki.issuers):
        path = f"/{authority.slug}.crl"
        server.answers[path] = revocation_list(cast.pki, authority, 12, NOW)
    done = refresh.refresh(now=NOW)
    assert (done.failed, done.stored) == (0, done.asked)
    assert not refresh.away(now=NOW)
    processing.process_due(clock=lambda: NOW + timedelta(seconds=61))
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.ADMITTED}
    assert refresh.refresh(now=NOW + timedelta(minutes=30)).asked == 0  # nothing is due


def test_a_source_that_is_away_is_asked_again_with_growing_pauses_and_named(only_named_sources, cast, server):
    issuer = cast.pki.public_issuer
    row = EvidenceSource.objects.create(
        kind="CRL", url=f"{server.base}/x.crl", issuer_sha256=_sha256(issuer.identity.der), next_check_at=NOW
    )
    refresh.refresh(now=NOW)
    row.refresh_from_db()
    assert (row.failures, row.failure_code, row.failing_since) == (1, "SOURCE_STATUS", NOW)
    assert refresh.refresh(now=NOW + timedelta(seconds=30)).asked == 0
    refresh.refresh(now=NOW + timedelta(seconds=61))
    row.refresh_from_db()
    assert row.next_check_at == NOW + timedelta(seconds=61 + 120)
    [away] = refresh.away(now=NOW + timedelta(hours=5))
    assert away.alarming
    assert away.since == NOW
    server.answers["/x.crl"] = revocation_list(cast.pki, issuer, 12, NOW)
    assert refresh.refresh(now=NOW + timedelta(hours=5)).stored == 1
    assert refresh.away(now=NOW + timedelta(hours=5)) == []


def test_a_list_that_its_issuer_did_not_sign_is_never_stored(only_named_sources, cast, server):
    EvidenceSource.objects.create(
        kind="CRL", url=f"{server.base}/x.crl", next_check_at=NOW,
        issuer_sha256=_sha256(cast.pki.public_issuer.identity.der),
    )  # fmt: skip
    server.answers["/x.crl"] = revocation_list(cast.pki, cast.pki.special_issuer, 12, NOW)
    assert refresh.refresh(now=NOW).failed == 1
    assert not RevocationList.objects.exists()
    assert EvidenceSource.objects.get().failure_code == "CRL_NOT_BY_ISSUER"


def test_two_refreshes_never_ask_one_source_at_the_same_time(cast, server):
    EvidenceSource.objects.create(kind="CRL", url=f"{server.base}/x.crl", issuer_sha256="0" * 64, next_check_at=NOW)
    assert refresh._claim(NOW, NOW, set()) is not None
    assert refresh._claim(NOW, NOW, set()) is None


def test_evidence_is_stored_once_and_named_by_every_report(cast, hand_in, lists):
    made = cast.made("02")
    hand_in(made, unsigned_batch(cast.records(made, 5)).data)
    rows = CertificateEvidence.objects.all()
    named = {
        digest
        for record in Record.objects.all()
        for signature in report_of(record)["signatures"]
        for digest in signature["evidence"]
    }
    assert named == set(rows.values_list("digest", flat=True))
    # signers of the school and the intermediate authorities; not one row per record or signature
    assert len(named) <= 2 + len(made.teachers) + 2
    count = rows.count()
    hand_in(made, unsigned_batch(cast.records(made, 5, first=5)).data)
    assert rows.count() - count <= len(made.teachers)
    stored = set(RevocationList.objects.values_list("sha256", flat=True))
    assert all(set(row.evidence) <= stored and row.judged_from <= row.judged_until for row in rows)


def test_a_list_of_the_signing_time_is_found_when_the_newest_no_longer_tells(cast, lists):
    issuer = cast.pki.public_issuer.identity.der
    leaf = cast.pki.person(cast.made("02").teachers[0], cast.made("02")).der
    before = witness(now=NOW).status(leaf, issuer, at=NOW)
    assert before.state is RevocationState.GOOD
    far = NOW + timedelta(days=3000)  # the certificate has expired: it stands on no list any more
    row = RevocationList.objects.filter(issuer_sha256=_sha256(issuer)).get()
    data = revocation_list(cast.pki, cast.pki.public_issuer, 12, far)
    evidence = refresh.distribution.read_list(data, issuer, now=far)
    refresh.keep_list(evidence, issuer, source="", now=far)
    asked = witness(now=far)
    assert asked.status(leaf, issuer, at=NOW).state is RevocationState.GOOD
    asked.keep(now=far)
    assert row.sha256 in CertificateEvidence.objects.get().evidence


def test_a_list_dated_ahead_is_never_stored_and_one_from_before_is_not_the_newest(cast, server):
    issuer = cast.pki.public_issuer
    ahead = revocation_list(cast.pki, issuer, 12, NOW + timedelta(days=300))
    with pytest.raises(refresh.EvidenceUnusable) as refused:
        refresh.load_list(data=ahead, source="", now=NOW)
    assert refused.value.code == "EVIDENCE_AHEAD"
    assert not RevocationList.objects.exists()

    refresh.load_list(data=revocation_list(cast.pki, issuer, 12, NOW), source="", now=NOW)
    stored = RevocationList.objects.get()
    der = issuer.identity.der
    evidence = refresh.distribution.read_list(ahead, der, now=NOW + timedelta(days=300))
    refresh.keep_list(evidence, der, source="", now=NOW)  # as it was taken once, before such dates were refused
    leaf = cast.pki.person(cast.made("02").teachers[0], cast.made("02")).der
    asked = witness(now=NOW)
    assert asked.status(leaf, der, at=NOW).state is RevocationState.GOOD
    asked.keep(now=NOW)
    assert CertificateEvidence.objects.get().evidence == [stored.sha256]


def test_certificates_met_are_kept_once_with_their_issuers(cast, hand_in, lists):
    made = cast.made("02")
    hand_in(made, unsigned_batch(cast.records(made, 3)).data)
    kept = set(SeenCertificate.objects.values_list("sha256", flat=True))
    assert _sha256(cast.pki.organisation(made).der) in kept
    assert {_sha256(authority.identity.der) for authority in cast.pki.issuers} & kept


def test_rows_of_another_database_are_forgotten(cast, lists):
    issuer = cast.pki.public_issuer.identity.der
    leaf = cast.pki.person(cast.made("02").teachers[0], cast.made("02")).der
    assert witness(now=NOW).status(leaf, issuer, at=NOW).state is RevocationState.GOOD
    RevocationList.objects.all().delete()
    assert witness(now=NOW).status(leaf, issuer, at=NOW).state is RevocationState.UNKNOWN


def test_prewarm_knows_the_sources_of_every_registered_certificate(cast, settings):
    settings.TRUST = {"fetch": False}
    refresh.prewarm(now=NOW)
    issuers = {_sha256(authority.identity.der) for authority in (cast.pki.root, *cast.pki.issuers)}
    assert set(EvidenceSource.objects.values_list("issuer_sha256", flat=True)) <= issuers
    assert EvidenceSource.objects.filter(kind="CRL").count() >= 2


def test_the_command_loads_lists_and_authorities_and_names_what_is_missing(cast, tmp_path, capsys):
    from django.core.management import call_command
    from django.core.management.base import CommandError

    authority = cast.pki.public_issuer
    crl, pem, foreign = tmp_path / "a.crl", tmp_path / "a.pem", tmp_path / "foreign.crl"
    crl.write_bytes(revocation_list(cast.pki, authority, 12, NOW))
    pem.write_bytes(authority.identity.pem)
    foreign.write_bytes(revocation_list(cast.pki, cast.pki.foreign, 12, NOW))
    call_command("trust", "load", str(crl), str(pem))
    assert RevocationList.objects.count() == 1
    with pytest.raises(CommandError, match="CRL_NOT_BY_ISSUER"):
        call_command("trust", "load", str(foreign))
    call_command("trust", "list")
    out = capsys.readouterr().out
    assert "CRL có giá trị đến" in out
    assert "chưa có danh sách thu hồi" in out
    assert TrustAnchor.objects.count() == 3
    assert not OcspAnswer.objects.exists()


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


@pytest.mark.django_db(transaction=True)
def test_a_list_is_never_seen_before_one_with_a_lower_number(cast):
    """Whoever has noted the last number has seen them all: otherwise what came late would wake nobody."""
    second, done = Event(), Event()

    def other() -> None:
        second.set()
        refresh.load_list(data=revocation_list(cast.pki, cast.pki.public_issuer, 12, NOW), source="", now=NOW)
        done.set()
        connection.close()

    thread = Thread(target=other)
    with transaction.atomic():
        refresh.load_list(data=revocation_list(cast.pki, cast.pki.special_issuer, 12, NOW), source="", now=NOW)
        thread.start()
        assert second.wait(10)
        assert not done.wait(0.5)
    thread.join(10)
    assert done.is_set()
    assert RevocationList.objects.count() == 2
