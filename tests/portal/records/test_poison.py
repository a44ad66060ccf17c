"""Who kills a worker is found by a trial that is watched; who was only near a death is never blamed."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from portal.audit.models import Entry
from portal.records import disputes, processing
from portal.records.admission import judging
from portal.records.models import Batch
from portal.records.processing import trial, working
from portal.records.states import BatchState, RecordState, Standing
from portal.rehearsal.batches import unsigned_batch

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DIES, LIVES, FAILS = ["sh", "-c", "kill -9 $$"], ["true"], ["false"]


def process(batch: Batch, now: datetime = NOW) -> None:
    processing.process_batch(batch_id=batch.id, clock=lambda: now)
    batch.refresh_from_db()


def killed(*args, **kwargs):
    raise SystemExit


def go_on(batch: Batch, times: int) -> None:
    """Attempts that end in death, each later than any pause of the one before, until the batch comes to rest."""
    for number in range(times):
        try:
            process(batch, now=NOW + timedelta(minutes=2 * number))
        except SystemExit:
            batch.refresh_from_db()
        if batch.state == BatchState.PROCESSED or batch.set_aside_at:
            return


def die_over(position, monkeypatch):
    real = working.judge

    def judge(raw, court):
        return killed() if raw.position == position else real(raw, court)

    monkeypatch.setattr(working, "judge", judge)


@pytest.mark.parametrize("verdict", [LIVES, FAILS], ids=["lives", "proves-nothing"])
def test_thirty_deaths_in_a_row_cost_a_healthy_record_nothing(cast, hand_in, monkeypatch, verdict):
    monkeypatch.setattr(trial, "command", lambda *_: verdict)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)
    with monkeypatch.context() as patch:
        patch.setattr(working.storing, "store", killed)
        go_on(batch, 30)  # the first one opened the file, which was not in vain
    assert (batch.state, batch.set_aside_at, batch.attempts_in_vain) == (BatchState.OPENED, None, 29)
    process(batch, now=NOW + timedelta(hours=2))
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 2, 0)


def test_a_record_that_kills_its_worker_is_held_alone_and_its_neighbours_go_on(cast, hand_in, monkeypatch, settings):
    settings.RECORDS = {"chunk_records": 4}
    tried = []
    monkeypatch.setattr(trial, "command", lambda batch_id, position: [tried.append(position), *DIES][1:])
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 6)).data, process=False)
    die_over(3, monkeypatch)
    go_on(batch, 12)
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 5, 0)
    held = batch.records.get(position=3)
    assert (held.state, held.standing, held.next_check_at) == (RecordState.RECEIVED, Standing.NONE, None)
    assert [finding["code"] for finding in held.findings] == ["CHECK_KILLS"]
    assert list(disputes.held_records()) == [held]
    assert tried == [3, 3, 3]
    assert batch.attempts_made <= 7
    assert Entry.objects.filter(action="record.check_kills", school_id=batch.school_id).count() == 1


def test_a_held_record_is_never_let_through_unchecked_but_may_be_refused(cast, hand_in, monkeypatch):
    monkeypatch.setattr(trial, "command", lambda *_: DIES)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    die_over(1, monkeypatch)
    go_on(batch, 12)
    held = disputes.held_records().get()
    with pytest.raises(disputes.DisputeRefused, match="HAS_ERRORS"):
        disputes.let_through(record=held, by=None, reason="Đã xem kỹ", now=NOW)
    disputes.refuse(record=held, by=None, reason="Tệp hỏng, trường xuất lại", now=NOW)
    assert not disputes.held_records().exists()


def test_two_deaths_of_three_trials_convict_nobody(cast, hand_in, monkeypatch):
    ends = iter([DIES, DIES, LIVES])
    monkeypatch.setattr(trial, "command", lambda *_: next(ends))
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    assert not trial.convicted(batch_id=batch.id, position=1, renew=lambda: None)


def test_a_trial_that_lasts_too_long_proves_nothing_and_is_ended(settings, monkeypatch):
    settings.RECORDS = {"trial_seconds": 0.4, "lease_seconds": 1}
    monkeypatch.setattr(trial, "command", lambda *_: ["sleep", "60"])
    renewed = []
    assert not trial.convicted(batch_id=None, position=1, renew=lambda: renewed.append(1))
    assert renewed


def test_a_file_that_kills_its_worker_while_it_is_opened_is_set_aside_for_an_officer(cast, hand_in, monkeypatch):
    monkeypatch.setattr(trial, "command", lambda *_: DIES)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    with monkeypatch.context() as patch:
        patch.setattr(working, "open_up", killed)
        go_on(batch, 12)
    assert (batch.state, batch.set_aside_code) == (BatchState.RECEIVED, "OPENING_CRASHED")
    assert Entry.objects.filter(action="batch.set_aside").count() == 1
    process(batch)
    assert not batch.records.exists()
    assert processing.resume(batch=batch, actor=None, reason="đã xem", now=NOW)
    process(batch)
    assert batch.state == BatchState.PROCESSED


def test_a_file_that_died_with_its_machine_while_it_was_opened_is_opened_later(cast, hand_in, monkeypatch):
    monkeypatch.setattr(trial, "command", lambda *_: LIVES)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    with monkeypatch.context() as patch:
        patch.setattr(working, "open_up", killed)
        go_on(batch, 20)
    assert (batch.state, batch.set_aside_at) == (BatchState.RECEIVED, None)
    process(batch, now=NOW + timedelta(hours=2))
    assert batch.state == BatchState.PROCESSED


def test_what_kills_without_a_culprit_waits_longer_so_that_neighbours_go_first(cast, hand_in, monkeypatch):
    monkeypatch.setattr(trial, "command", lambda *_: LIVES)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    monkeypatch.setattr(working.storing, "store", killed)
    go_on(batch, 8)
    last = NOW + timedelta(minutes=2 * 7)
    assert last < batch.next_check_at <= last + timedelta(minutes=1)
    assert not processing.process_batch(batch_id=batch.id, clock=lambda: last)


@pytest.mark.parametrize("trouble", [OperationalError, MemoryError])
def test_trouble_of_the_machine_refuses_no_record(cast, hand_in, monkeypatch, trouble):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)

    def troubled(*args, **kwargs):
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(judging, "verify", troubled)
        for number in range(20 if trouble is OperationalError else 1):
            with pytest.raises(trouble):
                process(batch, now=NOW + timedelta(minutes=2 * number))
    batch.refresh_from_db()
    assert (batch.state, batch.set_aside_at, batch.records.count()) == (BatchState.OPENED, None, 0)
    monkeypatch.setattr(trial, "command", lambda *_: LIVES)
    process(batch, now=NOW + timedelta(hours=2))
    assert batch.admitted_count == 2


POISONED = """
import os, signal, django
django.setup()
from uuid import UUID
from django.utils import timezone
from portal.records import processing
from portal.records.processing import trial, working
def deadly(raw, court, real=working.judge):
    if raw.position == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(raw, court)
working.judge = trial.judge = deadly
batch = UUID(os.environ["TEST_BATCH"])
if os.environ.get("TEST_TRIAL"):
    trial.run(batch_id=batch, position=int(os.environ["TEST_TRIAL"]), now=timezone.now())
else:
    python = [os.environ["TEST_PYTHON"], "-c", os.environ["TEST_CODE"]]
    trial.command = lambda batch_id, position: ["env", f"TEST_TRIAL={position}", *python]
    processing.process_batch(batch_id=batch)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_record_that_really_kills_its_process_is_convicted_by_a_worker_that_lives(cast, hand_in, checkout):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 3)).data, process=False)
    environment = os.environ | {
        "HOCBA_PG_NAME": str(connection.settings_dict["NAME"]),
        "TEST_BATCH": str(batch.id),
        "TEST_CODE": POISONED,
        "DJANGO_SETTINGS_MODULE": "portal.settings.test",
        "PYTHONPATH": str(checkout),
        "TEST_PYTHON": sys.executable,
    }
    ends = []
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", POISONED], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        ends.append((done.returncode, done.stderr[-1500:]))
        batch.refresh_from_db()
        if batch.state == BatchState.PROCESSED:
            break
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 2, 0)
    assert [status for status, _ in ends].count(-signal.SIGKILL) >= 4, ends
    assert disputes.held_records().get().position == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_command_of_a_trial_survives_a_healthy_record_and_a_healthy_file(cast, hand_in, monkeypatch):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)
    monkeypatch.setenv("HOCBA_PG_NAME", str(connection.settings_dict["NAME"]))
    for position in (None, 2):
        done = subprocess.run(trial.command(batch.id, position), timeout=60, check=False)
        assert done.returncode == 0
    batch.refresh_from_db()
    assert (batch.state, batch.records.count()) == (BatchState.RECEIVED, 0)
