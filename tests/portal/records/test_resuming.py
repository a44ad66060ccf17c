"""A batch goes on after any kill: no record twice, none lost, and the file that kills its workers is found."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import ProgrammingError, connection

from portal.records import processing
from portal.records.models import Batch, Content, Record
from portal.records.processing import claiming, working
from portal.records.states import BatchState
from portal.rehearsal.batches import unsigned_batch

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def positions(batch: Batch) -> list[int]:
    return list(batch.records.order_by("position").values_list("position", flat=True))


def process(batch: Batch, now: datetime = NOW) -> None:
    processing.process_batch(batch_id=batch.id, clock=lambda: now)
    batch.refresh_from_db()


def test_a_worker_that_dies_between_chunks_leaves_work_that_another_finishes(cast, hand_in, monkeypatch, settings):
    settings.RECORDS = {"chunk_records": 2}
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 7)).data, process=False)
    real, calls = working.storing.store, []

    def dying(**kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(**kwargs)

    monkeypatch.setattr(working.storing, "store", dying)
    with pytest.raises(KeyboardInterrupt):
        process(batch)
    assert positions(batch) == [1, 2, 3, 4]
    process(batch)
    assert positions(batch) == [1, 2, 3, 4, 5, 6, 7]
    assert (batch.state, batch.admitted_count) == (BatchState.PROCESSED, 7)


def test_work_that_runs_out_of_time_is_laid_down_and_taken_up_again(cast, hand_in, settings):
    settings.RECORDS = {"chunk_records": 2}
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 5)).data, process=False)
    processing.process_batch(batch_id=batch.id, clock=lambda: NOW, until=NOW)
    assert positions(batch) == [1, 2]
    process(batch)
    assert batch.state == BatchState.PROCESSED


def test_a_worker_that_was_thought_dead_writes_nothing_any_more(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    with claiming.claimed(batch.id, now=NOW) as old, claiming.claimed(batch.id, now=NOW) as new:
        new.write(attempts_in_vain=0)
        with pytest.raises(processing.LostBatch):
            old.write(state=BatchState.REFUSED)
        with pytest.raises(processing.LostBatch):
            old.hold()


def test_a_damaged_store_sets_the_batch_aside_and_refuses_nothing(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    Content.objects.update(sha256="0" * 64)
    process(batch)
    assert (batch.state, batch.set_aside_code) == (BatchState.RECEIVED, "CONTENT_DAMAGED")


def test_a_trouble_of_our_own_is_tried_again_later_and_not_at_once(cast, hand_in, monkeypatch):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)

    def broken(*args, **kwargs):
        raise RuntimeError("no trust store")

    with monkeypatch.context() as patch:
        patch.setattr(working, "court_for", broken)
        with pytest.raises(RuntimeError):
            process(batch)
    assert not processing.process_batch(batch_id=batch.id, clock=lambda: NOW)
    process(batch, now=NOW + timedelta(minutes=5))
    assert batch.state == BatchState.PROCESSED


WORKER = """
import os, django
django.setup()
from django.conf import settings
settings.RECORDS = {"chunk_records": 5}
from uuid import UUID
from portal.records import processing
print("ready", flush=True)
processing.process_batch(batch_id=UUID(os.environ["TEST_BATCH"]))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_kill_minus_nine_at_any_moment_loses_and_doubles_nothing(cast, hand_in, checkout):
    school = cast.made("02")
    made = cast.records(school, 60)
    batch = hand_in(school, unsigned_batch(made).data, process=False)
    environment = os.environ | {
        "HOCBA_PG_NAME": str(connection.settings_dict["NAME"]),
        "TEST_BATCH": str(batch.id),
        "DJANGO_SETTINGS_MODULE": "portal.settings.test",
        "PYTHONPATH": str(checkout),
    }
    for wanted in (10, 30):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while Record.objects.count() < wanted and time.monotonic() < deadline and worker.poll() is None:
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        worker.wait(timeout=10)
        worker.stdout.close()
        assert Record.objects.count() >= wanted
    deadline = time.monotonic() + 10
    batch.refresh_from_db()
    while batch.state != BatchState.PROCESSED and time.monotonic() < deadline:
        # The dead worker's lock goes with its connection, a moment after the kill.
        processing.process_batch(batch_id=batch.id)
        batch.refresh_from_db()
    assert (batch.state, batch.admitted_count) == (BatchState.PROCESSED, 60)
    assert positions(batch) == list(range(1, 61))
    assert {row.lookup_uuid for row in batch.records.all()} == {one.lookup_uuid for one in made}


@contextmanager
def former_schema() -> Iterator[None]:
    """As while a newer schema is taken back, or not yet there: a column that the program knows is not in the table."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE records_batch RENAME COLUMN waits_for TO waited_for")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE records_batch RENAME COLUMN waited_for TO waits_for")


@pytest.mark.django_db(transaction=True)
def test_a_schema_that_the_program_does_not_know_counts_against_no_batch(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)
    with former_schema():
        for _ in range(20):
            with pytest.raises(ProgrammingError):
                processing.process_batch(batch_id=batch.id, clock=lambda: NOW)
    batch.refresh_from_db()
    assert (batch.attempts_in_vain, batch.attempts_made, batch.next_check_at, batch.set_aside_at) == (0, 0, None, None)
    process(batch)
    assert (batch.state, batch.admitted_count) == (BatchState.PROCESSED, 2)
