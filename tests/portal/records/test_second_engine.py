"""The second engine in the product: a share by digest, a planted disagreement, the alarm, the officer's decision."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portal.audit.models import Entry
from portal.records import dispatch, disputes
from portal.records.admission import second_look
from portal.records.models import Batch, Record
from portal.records.states import BatchState, RecordState, Standing
from portal.rehearsal.batches import unsigned_batch
from signing.report import Indication, Report, SubIndication

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def contradicts(document, policy, trust, *, at, revocation=None):
    return Report(policy.name, Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE, "DIGEST_MISMATCH", engine="second")


def test_the_share_is_chosen_by_the_digest_and_comes_out_right():
    import hashlib

    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(20_000)]
    assert 140 <= sum(second_look.is_chosen(one, 0.01) for one in digests) <= 260
    assert all(second_look.is_chosen(one, 1.0) for one in digests[:100])
    assert not any(second_look.is_chosen(one, 0.0) for one in digests[:100])


def test_both_engines_agree_on_every_spelling_of_the_rehearsal(cast, hand_in, settings):
    settings.RECORDS = {"second_engine_share": 1.0}
    for level in ("02", "03"):
        hand_in(cast.made(level), unsigned_batch(cast.records(cast.made(level), 7)).data)
    assert not disputes.held_records().exists()
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.ADMITTED}


@pytest.fixture
def held(cast, hand_in, settings, monkeypatch):
    settings.RECORDS = {"second_engine_share": 1.0}
    with monkeypatch.context() as planted:
        planted.setattr(second_look, "verify_again", contradicts)
        made = cast.made("02")
        hand_in(made, unsigned_batch(cast.records(made, 1)).data)
    return Record.objects.get()


def test_a_disagreement_holds_the_record_and_raises_an_alarm(held):
    assert (held.state, held.standing, held.next_check_at) == (RecordState.RECEIVED, Standing.NONE, None)
    assert "ENGINES_DISAGREE" in {finding["code"] for finding in held.findings}
    assert list(disputes.held_records()) == [held]
    assert Entry.objects.filter(action="record.engines_disagree", school_id=held.school_id).count() == 1
    assert Batch.objects.get().state == BatchState.PROCESSED
    assert dispatch.dispatch_due(now=NOW, at_once=True).records == 0


def test_an_officer_lets_it_through_or_refuses_it_with_a_reason(held):
    with pytest.raises(disputes.DisputeRefused, match="REASON_MISSING"):
        disputes.let_through(record=held, by=None, reason="", now=NOW)
    disputes.let_through(record=held, by=None, reason="Đã kiểm tra bằng công cụ khác", now=NOW)
    held.refresh_from_db()
    assert (held.state, held.standing) == (RecordState.ADMITTED, Standing.IN_FORCE)
    with pytest.raises(disputes.DisputeRefused, match="NOT_HELD"):
        disputes.refuse(record=held, by=None, reason="Muộn rồi nhé", now=NOW)
    assert Entry.objects.filter(action="record.dispute_admitted").exists()


def test_a_refused_dispute_is_final(held):
    call_command("records", "refuse", str(held.pk), "--reason", "Chữ ký không đúng")
    held.refresh_from_db()
    assert held.state == RecordState.REFUSED


def test_a_recheck_by_command_says_what_both_engines_find(held, capsys):
    call_command("records", "recheck", str(held.pk))
    assert "thống nhất" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("records", "recheck", "0")


def test_a_recheck_that_disagrees_takes_an_admitted_record_back(cast, hand_in, settings, monkeypatch):
    settings.RECORDS = {"second_engine_share": 0.0}
    made = cast.made("02")
    hand_in(made, unsigned_batch(cast.records(made, 1)).data)
    record = Record.objects.get()
    assert record.state == RecordState.ADMITTED
    monkeypatch.setattr(disputes, "verify_again", contradicts)
    assert not disputes.recheck(record=record, actor=None, now=NOW).agree
    record.refresh_from_db()
    assert (record.state, record.standing) == (RecordState.RECEIVED, Standing.NONE)
    assert list(disputes.held_records()) == [record]
