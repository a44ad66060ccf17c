"""A record held because its check killed: checked again in a process of its own once the program is mended."""

import resource
import sys
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.records import disputes, processing, queries
from portal.records.admission import judging, second_look
from portal.records.models import Batch, Record
from portal.records.processing import rechecking, trial, working
from portal.records.processing.rechecking import Outcome
from portal.records.states import RecordState, Standing
from portal.rehearsal.batches import unsigned_batch
from portal.schools.models import RevocationList
from signing.report import Indication, Report, SubIndication

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def held(cast, hand_in, monkeypatch) -> Record:
    """The second of three records was seen to kill its process: held, its neighbours are admitted."""
    made = cast.made("02")
    real = working.judge
    with monkeypatch.context() as planted:
        planted.setattr(
            working, "judge", lambda raw, court: working.judge_killing(raw) if raw.position == 2 else real(raw, court)
        )
        hand_in(made, unsigned_batch(cast.records(made, 3)).data)
    return Record.objects.get(position=2)


def again(held: Record, **more) -> Outcome:
    """What the child process does, here and now."""
    found = rechecking.run(record_id=held.pk, actor_id=None, address=None, now=NOW, **more)
    held.refresh_from_db()
    return found


def as_stored(record: Record) -> tuple[bytes, bytes, int, int]:
    return bytes(record.data), bytes(record.sha256), record.data_size, record.position


def test_what_is_good_now_takes_its_place_with_everything_that_was_read(held):
    before = as_stored(held)
    assert (held.full_name, held.lookup_uuid, [one["code"] for one in held.findings]) == ("", None, ["CHECK_KILLS"])
    assert again(held) == Outcome.ADMITTED
    assert (held.state, held.standing, held.error_count) == (RecordState.ADMITTED, Standing.IN_FORCE, 0)
    assert all((held.full_name, held.lookup_uuid, held.digest, held.report, held.profile))
    assert "CHECK_KILLS" not in {one["code"] for one in held.findings}
    assert as_stored(held) == before
    batch = Batch.objects.get(pk=held.batch_id)
    assert (batch.admitted_count, batch.refused_count, batch.record_count) == (3, 0, 3)
    assert queries.progress(batch).admitted == 3
    entry = Entry.objects.get(action="record.rechecked", subject_id=str(held.pk))
    assert entry.detail == {"outcome": "ADMITTED", "operator": "command line"}
    assert again(held) == Outcome.NOT_HELD


def test_what_is_bad_now_goes_back_to_its_school(held, settings):
    settings.RECORDS = {"first_school_year": 2100}
    assert again(held) == Outcome.REFUSED
    assert (held.state, held.standing) == (RecordState.REFUSED, Standing.NONE)
    assert held.error_count
    assert "CHECK_KILLS" not in {one["code"] for one in held.findings}
    batch = Batch.objects.get(pk=held.batch_id)
    assert (batch.admitted_count, batch.refused_count) == (2, 1)


def test_its_place_may_be_taken_meanwhile(held, cast, hand_in):
    made = cast.made("02")
    hand_in(made, unsigned_batch([cast.records(made, 3)[1]]).data)
    assert again(held) == Outcome.REFUSED
    assert "RECORD_ALREADY_RECEIVED" in {one["code"] for one in held.findings}


def test_a_check_that_now_crashes_leaves_it_held(held, monkeypatch):
    monkeypatch.setattr(judging, "verify", lambda *_, **__: 1 / 0)
    assert again(held) == Outcome.CRASHED
    assert list(disputes.held_records()) == [held]
    assert [one["code"] for one in held.findings] == ["CHECK_KILLS"]


def test_without_evidence_of_revocation_it_stays_held_and_in_the_list(held, settings):
    settings.RECORDS = {"check_revocation": True}
    RevocationList.objects.all().delete()
    assert again(held) == Outcome.WAITS
    assert list(disputes.held_records()) == [held]
    assert held.next_check_at is None


def test_both_engines_must_agree_whatever_the_share(held, monkeypatch, settings):
    settings.RECORDS = {"second_engine_share": 0.0}

    def contradicts(document, policy, trust, *, at, revocation=None):
        return Report(
            policy.name, Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE, "DIGEST_MISMATCH", engine="second"
        )

    monkeypatch.setattr(second_look, "verify_again", contradicts)
    assert again(held) == Outcome.DISPUTED
    assert list(disputes.held_records()) == [held]
    assert "ENGINES_DISAGREE" in {one["code"] for one in held.findings}
    assert (held.full_name != "", held.next_check_at) == (True, None)
    assert Entry.objects.filter(action="record.engines_disagree").count() == 1


def test_bytes_that_changed_on_our_disk_are_never_judged(held):
    Record.objects.filter(pk=held.pk).update(sha256=bytes(32))
    assert again(held) == Outcome.DAMAGED
    assert list(disputes.held_records()) == [held]


@pytest.mark.parametrize(
    ("child", "outcome"),
    [
        (["sh", "-c", "kill -9 $$"], Outcome.DIED),
        (["sh", "-c", f"exit {trial.NO_MEMORY}"], Outcome.DIED),
        (["false"], Outcome.FAILED),
        (["true"], Outcome.FAILED),
        (["sleep", "60"], Outcome.TOO_LONG),
    ],
)
def test_a_second_death_leaves_it_held_and_is_told(held, monkeypatch, settings, child, outcome):
    settings.RECORDS = {"recheck_patience_seconds": 0.5}
    monkeypatch.setattr(rechecking, "command", lambda *_: child)
    officer = User.objects.create_user("can-bo", password="mot-mat-khau-dai")
    assert rechecking.recheck(record=held, actor=officer, now=NOW, address="127.0.0.1") == outcome
    assert list(disputes.held_records()) == [held]
    entry = Entry.objects.get(action="record.rechecked")
    assert (entry.actor, entry.detail, entry.address) == (officer, {"outcome": str(outcome)}, "127.0.0.1")


def test_only_what_is_held_because_its_check_kills_is_tried_so(held, monkeypatch):
    monkeypatch.setattr(rechecking, "command", lambda *_: ["false"])
    free = Record.objects.exclude(pk=held.pk).first()
    with pytest.raises(disputes.DisputeRefused, match="NOT_HELD"):
        rechecking.recheck(record=free, actor=None, now=NOW)
    assert rechecking.run(record_id=free.pk, actor_id=None, address=None, now=NOW) == Outcome.NOT_HELD


def test_the_command_says_what_came_of_it(held, monkeypatch, capsys):
    monkeypatch.setattr(rechecking, "command", lambda *_: ["sh", "-c", "kill -9 $$"])
    with pytest.raises(CommandError, match="DIED"):
        call_command("records", "recheck", str(held.pk))


def test_a_check_in_the_tests_own_process_leaves_its_bounds_alone(held):
    before = [resource.getrlimit(what) for what in (resource.RLIMIT_CPU, resource.RLIMIT_AS)]
    rechecking.run(record_id=held.pk, actor_id=None, address=None, now=NOW)
    assert [resource.getrlimit(what) for what in (resource.RLIMIT_CPU, resource.RLIMIT_AS)] == before


CHILD = """
import os, signal, django
django.setup()
from django.core.management import call_command
from portal.records.processing import rechecking
if os.environ.get("TEST_DEADLY"):
    rechecking.judge = lambda raw, court: os.kill(os.getpid(), signal.SIGKILL)
call_command("recheck_held", os.environ["TEST_RECORD"])
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_in_a_real_process_of_its_own_it_kills_nobody_else_and_is_admitted_when_mended(held, monkeypatch, checkout):
    monkeypatch.setenv("HOCBA_PG_NAME", str(connection.settings_dict["NAME"]))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "portal.settings.test")
    monkeypatch.setenv("TEST_RECORD", str(held.pk))
    with monkeypatch.context() as deadly:
        deadly.setenv("TEST_DEADLY", "1")
        deadly.setattr(rechecking, "command", lambda *_: [sys.executable, "-c", CHILD])
        assert rechecking.recheck(record=held, actor=None, now=NOW) == Outcome.DIED
    assert list(disputes.held_records()) == [held]
    assert rechecking.recheck(record=held, actor=None, now=NOW) == Outcome.ADMITTED
    held.refresh_from_db()
    assert held.state == RecordState.ADMITTED
    assert not processing.process_batch(batch_id=held.batch_id)
