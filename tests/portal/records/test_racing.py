"""Several workers at once: the database arbitrates, and nothing is admitted twice or lost."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connections
from django.db.models import Q

from portal.records import housekeeping, intake, processing
from portal.records.models import Batch, Content, Record
from portal.records.states import Door
from portal.rehearsal.batches import unsigned_batch

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts) -> list[BaseException]:
    """Run the acts in threads that start at one moment; what they raised."""
    barrier, raised = threading.Barrier(len(acts)), []

    def run(act) -> None:
        try:
            barrier.wait(timeout=30)
            act()
        except BaseException as problem:
            raised.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return raised


def test_two_batches_with_the_same_pupils_admit_each_pupil_once(cast, hand_in, settings):
    settings.RECORDS = {"chunk_records": 3}
    school = cast.made("02")
    made = cast.records(school, 9)
    first = hand_in(school, unsigned_batch(made).data, process=False)
    second = hand_in(school, unsigned_batch(made[::-1]).data, process=False)
    raised = together(*[lambda b=batch: processing.process_batch(batch_id=b.id) for batch in (first, second)])
    assert raised == []
    assert Record.objects.filter(standing="IN_FORCE").count() == 9
    assert Record.objects.filter(state="REFUSED").count() == 9
    assert set(Batch.objects.values_list("state", flat=True)) == {"PROCESSED"}


def test_two_workers_on_one_batch_do_its_work_once(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 6)).data, process=False)
    assert together(*[lambda: processing.process_batch(batch_id=batch.id)] * 3) == []
    processing.process_batch(batch_id=batch.id)
    assert Record.objects.filter(state="ADMITTED").count() == 6


def test_the_same_file_handed_in_many_times_at_once_is_one_batch(cast):
    school = cast.row(cast.made("02"))
    data = unsigned_batch(cast.records(cast.made("02"), 2)).data
    found = []

    def act() -> None:
        found.append(intake.receive_batch(school=school, file=[data], now=NOW).batch.id)

    assert together(*[act] * 4) == []
    assert len(set(found)) == 1
    assert (Batch.objects.count(), Content.objects.count()) == (1, 1)


def test_without_any_broker_everything_still_gets_done(cast, hand_in, settings):
    for level in ("02", "03"):
        school = cast.made(level)
        hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)
    done = housekeeping.drain()
    assert (done["batches"], done["packages"], done["records"]) == (2, 2, 4)
    assert set(Record.objects.values_list("state", flat=True)) == {"DISPATCHED"}


def test_one_id_never_comes_to_stand_for_two_files_however_they_race(cast, monkeypatch):
    """The one file is known under another id, the other is new; both come in under the same new id at once."""
    school = cast.row(cast.made("02"))
    known, new = (unsigned_batch(cast.records(cast.made("02"), count)).data for count in (1, 2))

    def take(data: bytes, message_id: str) -> object:
        return intake.receive_batch(
            school=school, file=[data], door=Door.EXCHANGE, message_id=message_id, file_name="x.xml", now=NOW
        )

    take(known, "first")
    looked, go_on, told = threading.Event(), threading.Event(), []
    real = intake._create

    def slow(*args):
        looked.set()
        go_on.wait(3)
        return real(*args)

    def other() -> None:
        try:
            told.append(take(new, "both"))
        except intake.IntakeRefused as refusal:
            told.append(refusal.code)
        finally:
            connections.close_all()

    monkeypatch.setattr(intake, "_create", slow)
    thread = threading.Thread(target=other)
    thread.start()
    assert looked.wait(10)
    threading.Timer(0.5, go_on.set).start()
    try:
        take(known, "both")
    except intake.IntakeRefused as refusal:
        told.append(refusal.code)
    thread.join(10)
    held = Batch.objects.filter(Q(message_id="both") | Q(other_message_ids__contains=["both"]))
    assert held.count() == 1
    assert "MESSAGE_ID_REUSED" in told
