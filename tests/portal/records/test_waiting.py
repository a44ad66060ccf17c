"""Batches that wait for evidence of revocation: asked again more and more rarely, and at once when evidence comes."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.records import processing
from portal.records.models import Batch, Record
from portal.records.processing import claiming, working
from portal.records.states import BatchState, RecordState
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.install import load_revocation_lists
from portal.rehearsal.pki_files import revocation_list
from portal.schools import refresh
from portal.schools.models import OcspAnswer, RevocationList

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Longest:
    """Chance that always draws the longest pause."""

    def uniform(self, low: float, high: float) -> float:
        return high


@pytest.fixture(autouse=True)
def revocation_is_required(settings, monkeypatch, cast):
    settings.RECORDS = {"check_revocation": True}
    monkeypatch.setattr(working, "_chance", lambda batch: Longest())
    RevocationList.objects.all().delete()


@pytest.fixture
def waiting(cast, hand_in) -> Batch:
    made = cast.made("02")
    return hand_in(made, unsigned_batch(cast.records(made, 3)).data)


def one_list_comes(cast, at: datetime) -> None:
    """A list that helps nobody who waits here: of the signers' issuers, all but one still say nothing."""
    refresh.load_list(data=revocation_list(cast.pki, cast.pki.special_issuer, 12, at), source="", now=at)


def tries(batch: Batch, *, until: timedelta) -> list[timedelta]:
    """When the batch was worked on, with workers that look at the very moment it is due."""
    done: list[timedelta] = []
    while True:
        due = Batch.objects.get(id=batch.id).next_check_at
        assert due is not None
        if due > NOW + until:
            return done
        assert not processing.process_due(clock=lambda due=due: due - SECOND)
        assert processing.process_due(clock=lambda due=due: due)
        done.append(due - NOW)


def test_pauses_double_from_a_minute_to_an_hour(waiting):
    pauses, last = [], timedelta()
    for at in tries(waiting, until=timedelta(hours=5)):
        pauses.append((at - last).total_seconds() / 60)
        last = at
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    waiting.refresh_from_db()
    assert (waiting.state, waiting.rechecks, waiting.attempts_in_vain) == (BatchState.OPENED, 10, 0)
    assert set(waiting.records.values_list("next_check_at", flat=True)) == {waiting.next_check_at}
    assert waiting.admitted_count == waiting.refused_count == 0


def test_the_pause_is_drawn_from_the_whole_range(waiting, monkeypatch):
    drawn = []

    class Middle:
        def uniform(self, low: float, high: float) -> float:
            drawn.append((low, high))
            return (low + high) / 2

    monkeypatch.setattr(working, "_chance", lambda batch: Middle())
    processing.process_due(clock=lambda: NOW + 60 * SECOND)
    waiting.refresh_from_db()
    assert drawn == [(0, 120)]
    assert waiting.next_check_at == NOW + 120 * SECOND


def test_fresh_evidence_wakes_every_batch_that_waits(cast, hand_in, waiting):
    other = hand_in(cast.made("03"), unsigned_batch(cast.records(cast.made("03"), 2)).data)
    tries(waiting, until=timedelta(hours=2))
    at = NOW + timedelta(hours=2)
    assert processing.process_due(clock=lambda: at) == 0
    load_revocation_lists(cast.pki, schools=12, now=at)
    assert processing.process_due(clock=lambda: at) == 2
    for batch in (waiting, other):
        batch.refresh_from_db()
        assert (batch.state, batch.next_check_at, batch.rechecks) == (BatchState.PROCESSED, None, 0)
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.ADMITTED}


def test_evidence_about_others_wakes_nobody(waiting):
    due = waiting.next_check_at
    RevocationList.objects.create(
        issuer_sha256="0" * 64, der=b"", sha256="1" * 64, this_update=NOW, fetched_at=NOW, source=""
    )
    with CaptureQueriesContext(connection) as asked:
        assert claiming.wake(now=NOW + SECOND) == 0
    assert len(asked) <= 10
    assert processing.process_due(clock=lambda: NOW + SECOND) == 0
    waiting.refresh_from_db()
    assert (waiting.rechecks, waiting.next_check_at) == (1, due)


def test_evidence_about_one_of_several_who_signed_wakes_once_only(cast, waiting):
    one_list_comes(cast, NOW + SECOND)
    assert processing.process_due(clock=lambda: NOW + SECOND) == 1
    waiting.refresh_from_db()
    assert (waiting.rechecks, waiting.next_check_at) == (2, NOW + 121 * SECOND)
    assert processing.process_due(clock=lambda: NOW + 2 * SECOND) == 0


def test_a_batch_whose_needs_nobody_noted_is_woken_by_anything_and_once_only(cast, waiting):
    """As after an upgrade: rows of the version before say nothing about what they wait for."""
    Batch.objects.filter(id=waiting.id).update(waits_for=None, answers_mark=None)
    one_list_comes(cast, NOW + SECOND)
    assert processing.process_due(clock=lambda: NOW + SECOND) == 1
    waiting.refresh_from_db()
    assert (waiting.rechecks, waiting.next_check_at) == (2, NOW + 121 * SECOND)
    assert processing.process_due(clock=lambda: NOW + 2 * SECOND) == 0


def test_an_answer_on_one_certificate_wakes_who_waits_for_that_certificate(cast, hand_in, waiting):
    other = hand_in(cast.made("03"), unsigned_batch(cast.records(cast.made("03"), 1)).data)
    [wanted, *_] = sorted(set(waiting.waits_for) - set(other.waits_for))
    answer = OcspAnswer(
        certificate_sha256=wanted, issuer_sha256="0" * 64, der=b"", sha256="1" * 64, this_update=NOW, fetched_at=NOW
    )
    answer.save()
    assert claiming.wake(now=NOW + SECOND) == 1
    assert claiming.wake(now=NOW + SECOND) == 0
    for batch in (waiting, other):
        batch.refresh_from_db()
    assert waiting.next_check_at == NOW + SECOND
    assert other.next_check_at > NOW + SECOND


def test_thousands_that_wait_are_woken_in_portions_the_oldest_first(cast, hand_in, settings):
    settings.RECORDS = {"check_revocation": True, "wake_at_once": 2}
    made = cast.made("02")
    order = [hand_in(made, unsigned_batch(cast.records(made, 1, first=number)).data).id for number in range(5)]
    for number, batch_id in enumerate(reversed(order)):
        Batch.objects.filter(id=batch_id).update(received_at=NOW - timedelta(hours=number))
    order.sort(key=lambda batch_id: Batch.objects.get(id=batch_id).received_at)
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    at = NOW + SECOND
    awake = Batch.objects.filter(next_check_at__lte=at).order_by("received_at").values_list("id", flat=True)
    assert claiming.wake(now=at) == 2
    assert list(awake.all()) == order[:2]
    assert claiming.wake(now=at) == 0  # those two have not been worked on yet
    processing.process_batch(batch_id=order[0], clock=lambda: at)
    assert claiming.wake(now=at) == 1
    assert list(awake.all()) == order[1:3]
    for _ in range(3):
        processing.process_due(clock=lambda: at)
    assert set(Batch.objects.values_list("state", flat=True)) == {BatchState.PROCESSED}


def test_a_wake_up_that_breaks_off_wakes_nobody_and_the_next_one_does(cast, waiting, monkeypatch):
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(claiming, "_woken", lambda rows: sys.exit(1))
        with pytest.raises(SystemExit):
            claiming.wake(now=NOW + SECOND)
    assert claiming.wake(now=NOW + SECOND) == 1


def test_what_a_batch_waits_for_is_forgotten_when_it_is_done(cast, waiting):
    assert waiting.waits_for
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    processing.process_due(clock=lambda: NOW + 60 * SECOND)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.waits_for) == (BatchState.PROCESSED, None)


def test_evidence_that_comes_while_a_worker_judges_is_not_missed(cast, waiting, monkeypatch):
    finish = working._finish

    def late(*args, **kwargs):
        load_revocation_lists(cast.pki, schools=12, now=NOW)
        finish(*args, **kwargs)

    monkeypatch.setattr(working, "_finish", late)
    processing.process_due(clock=lambda: NOW + 60 * SECOND)
    monkeypatch.undo()
    assert Record.objects.filter(state=RecordState.RECEIVED).count() == 3
    assert processing.process_due(clock=lambda: NOW + 61 * SECOND) == 1
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 3


def test_what_pauses_for_another_reason_is_not_woken(cast, waiting):
    later = NOW + timedelta(minutes=9)
    Batch.objects.filter(id=waiting.id).update(attempts_in_vain=2, next_check_at=later)
    one_list_comes(cast, NOW)
    assert claiming.wake(now=NOW + SECOND) == 0
    Batch.objects.filter(id=waiting.id).update(attempts_in_vain=0, set_aside_at=NOW)
    assert claiming.wake(now=NOW + SECOND) == 0
    Batch.objects.filter(id=waiting.id).update(rechecks=0, set_aside_at=None)
    assert claiming.wake(now=NOW + SECOND) == 0
    waiting.refresh_from_db()
    assert waiting.next_check_at == later


def test_a_list_whose_own_seal_waits_backs_off_and_wakes_too(cast, hand_in, settings):
    settings.RECORDS = {"check_revocation": True, "browser_requires_list_seal": True}
    made = cast.made("02")
    batch = hand_in(made, cast.signed_list(made, cast.records(made, 2)))
    assert (batch.state, batch.rechecks, batch.next_check_at) == (BatchState.RECEIVED, 1, NOW + 60 * SECOND)
    assert batch.waits_for
    processing.process_due(clock=lambda: NOW + 60 * SECOND)
    batch.refresh_from_db()
    assert (batch.state, batch.rechecks, batch.next_check_at) == (BatchState.RECEIVED, 2, NOW + 180 * SECOND)
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    processing.process_due(clock=lambda: NOW + 61 * SECOND)
    batch.refresh_from_db()
    assert (batch.state, batch.admitted_count, batch.rechecks) == (BatchState.PROCESSED, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_the_newest_step_of_the_schema_may_be_taken_back_and_forth_over_batches_that_wait(cast, waiting):
    """What is forgotten by it is our own pace: the batch is looked at once more than needed, and goes on."""
    try:
        call_command("migrate", "records", "0008", verbosity=0, skip_checks=True)
    finally:
        call_command("migrate", "records", verbosity=0, skip_checks=True)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.rechecks, waiting.waits_for) == (BatchState.OPENED, 1, None)
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    assert processing.process_due(clock=lambda: NOW + SECOND) == 1
    waiting.refresh_from_db()
    assert (waiting.state, waiting.admitted_count) == (BatchState.PROCESSED, 3)
