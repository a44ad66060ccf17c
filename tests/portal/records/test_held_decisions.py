"""What decisions on held records leave behind: places, counts, and nothing let through that both engines refuse."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.models import Item
from portal.records import dispatch, disputes, processing
from portal.records.admission import judging, second_look
from portal.records.models import Batch, Record
from portal.records.processing import working
from portal.records.states import RecordState, Standing
from portal.rehearsal.batches import single_batch, unsigned_batch
from portal.rehearsal.install import load_revocation_lists
from portal.schools.models import RevocationList
from signing.report import Indication, Report, SubIndication

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
REASON = "Đã đối chiếu bằng công cụ khác"


def contradicts(document, policy, trust, *, at, revocation=None):
    return Report(policy.name, Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE, "DIGEST_MISMATCH", engine="second")


@pytest.fixture
def disputed(settings, monkeypatch):
    """Hand-ins that begin from here on are held, until the function given is called."""
    settings.RECORDS = {"second_engine_share": 1.0}
    real = second_look.verify_again
    monkeypatch.setattr(second_look, "verify_again", contradicts)
    return lambda: monkeypatch.setattr(second_look, "verify_again", real)


def counts(record: Record) -> tuple[int, int]:
    batch = Batch.objects.get(pk=record.batch_id)
    return batch.admitted_count, batch.refused_count


def test_a_corrected_record_let_through_takes_the_place_of_the_one_the_ministry_refused(
    cast, hand_in, settings, monkeypatch
):
    school = cast.made("02")
    made = cast.records(school, 1)[0]
    first = hand_in(school, single_batch(made).data).records.get()
    dispatch.dispatch_due(now=NOW + timedelta(minutes=2))
    Item.objects.update(verdict="REJECTED", judged_at=NOW)
    settings.RECORDS = {"second_engine_share": 1.0}
    monkeypatch.setattr(second_look, "verify_again", contradicts)
    held = hand_in(school, unsigned_batch([made]).data).records.get()
    assert held.state == RecordState.RECEIVED
    assert disputes.let_through(record=held, by=None, reason=REASON, now=NOW)
    first.refresh_from_db()
    held.refresh_from_db()
    assert (first.standing, held.standing) == (Standing.RELEASED, Standing.IN_FORCE)


@pytest.mark.parametrize("verdict", ["PENDING", "ACCEPTED"])
def test_a_place_that_the_ministry_has_not_refused_stays_taken(cast, hand_in, settings, monkeypatch, verdict):
    school = cast.made("02")
    made = cast.records(school, 1)[0]
    settings.RECORDS = {"second_engine_share": 1.0}
    with monkeypatch.context() as planted:
        planted.setattr(second_look, "verify_again", contradicts)
        held = hand_in(school, unsigned_batch([made]).data).records.get()
    first = hand_in(school, single_batch(made).data).records.get()
    dispatch.dispatch_due(now=NOW + timedelta(minutes=2))
    Item.objects.update(verdict=verdict, judged_at=None if verdict == "PENDING" else NOW)
    with pytest.raises(disputes.DisputeRefused, match="PLACE_TAKEN"):
        disputes.let_through(record=held, by=None, reason=REASON, now=NOW)
    first.refresh_from_db()
    assert first.standing == Standing.IN_FORCE


def test_the_batch_counts_what_was_decided(cast, hand_in, disputed):
    school = cast.made("02")
    one, two = hand_in(school, unsigned_batch(cast.records(school, 2)).data).records.order_by("position")
    assert counts(one) == (0, 0)
    disputes.let_through(record=one, by=None, reason=REASON, now=NOW)
    assert counts(one) == (1, 0)
    disputes.refuse(record=two, by=None, reason=REASON, now=NOW)
    assert counts(one) == (1, 1)


def test_the_batch_no_longer_counts_what_was_taken_back(cast, hand_in, monkeypatch):
    school = cast.made("02")
    record = hand_in(school, unsigned_batch(cast.records(school, 2)).data).records.first()
    assert counts(record) == (2, 0)
    monkeypatch.setattr(disputes, "verify_again", contradicts)
    disputes.recheck(record=record, actor=None, now=NOW)
    assert counts(record) == (1, 0)
    disputes.recheck(record=record, actor=None, now=NOW)
    assert counts(record) == (1, 0)


def test_what_both_engines_refuse_after_the_program_was_mended_cannot_be_let_through(
    cast, hand_in, disputed, monkeypatch
):
    """The first engine had let a forgery pass; mended, it agrees with the second: an officer can only refuse."""
    school = cast.made("02")
    held = hand_in(school, unsigned_batch(cast.records(school, 1)).data).records.get()

    def mended(document, policy, trust, *, at, binding=None, revocation=None):
        return Report(policy.name, Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE, "DIGEST_MISMATCH")

    for room in (disputes, judging):
        monkeypatch.setattr(room, "verify", mended)
    monkeypatch.setattr(disputes, "verify_again", contradicts)
    assert disputes.recheck(record=held, actor=None, now=NOW).agree
    held.refresh_from_db()
    assert (held.state, held.error_count) == (RecordState.RECEIVED, 1)
    assert list(disputes.held_records()) == [held]
    with pytest.raises(disputes.DisputeRefused, match="HAS_ERRORS"):
        disputes.let_through(record=held, by=None, reason=REASON, now=NOW)


def test_a_record_that_is_held_while_a_worker_judges_it_again_stays_held(cast, hand_in, settings, monkeypatch):
    """Asked at the command line about a record that waits for evidence, the engines disagree: an alarm at that moment
    is not undone by a worker who had read the row before."""
    settings.RECORDS = {"check_revocation": True}
    RevocationList.objects.all().delete()
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    held = batch.records.get(position=1)
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    real = working.judge

    def meanwhile(raw, court):
        if raw.position == 1:
            with monkeypatch.context() as planted:
                planted.setattr(disputes, "verify_again", contradicts)
                assert not disputes.recheck(record=held, actor=None, now=NOW).agree
        return real(raw, court)

    monkeypatch.setattr(working, "judge", meanwhile)
    processing.process_due(clock=lambda: NOW + timedelta(hours=1))
    assert list(disputes.held_records()) == [held]
    assert counts(held) == (1, 0)
    assert Batch.objects.get().state == "PROCESSED"
