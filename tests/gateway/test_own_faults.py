"""Mistakes of our own during an exchange: a doubt over one package, never the end of the others or of the line."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import OperationalError

from gateway import conf, duties, outbox, reconciliation, session, stuck, sync
from gateway.models import Attempt, Endpoint, Submission, SyncRun
from tests.gateway.peer import Peer
from tests.gateway.test_sync import put, served

__all__ = ["put", "served"]  # fixtures

pytestmark = pytest.mark.django_db


class Stumbles(Exception):
    """Stands for a mistake of ours that nobody foresaw."""


def test_a_package_that_our_own_programme_stumbles_over_stops_no_other(
    served: Peer, put: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poisonous = put("Nguyen Van Gia Dinh")
    others = [put(f"a{number}") for number in range(3)]
    load = outbox.load_content

    def stumble(submission_id: UUID) -> object:
        if submission_id == poisonous:
            raise Stumbles("Nguyen Van Gia Dinh")
        return load(submission_id)

    monkeypatch.setattr(outbox, "load_content", stumble)
    counts = sync.run(sync.FORWARD, budget=60.0)
    states = dict(Submission.objects.values_list("pk", "state"))
    assert [states[one] for one in others] == ["ACKNOWLEDGED"] * 3
    tried = Attempt.objects.filter(submission_id=poisonous).order_by("number").values_list("purpose", "code")
    assert tried[0] == ("SEND", "OWN_FAULT")
    assert tried[1][0] == "ASK", "what had left by then is not known: the Ministry is asked first"
    assert counts["own_faults"] == 1
    run = SyncRun.objects.get(kind="FORWARD")
    assert (run.result, run.counts["own_faults"]) == ("FAILED", 1)
    assert "test_own_faults.py" in caplog.text
    assert "Nguyen Van Gia Dinh" not in caplog.text + run.error, "the message of an error may be a child's data"


def test_a_programme_that_stumbles_over_everything_pauses_the_line_and_resumes_when_it_is_mended(
    served: Peer, put: Callable[..., UUID], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = conf.endpoint()
    for number in range(description.sending.pause_after_failures + 2):
        put(f"a{number}")
    client = session.client()
    with monkeypatch.context() as patch:
        patch.setattr(client, "_token", lambda: 1 // 0)
        sync.run(sync.FORWARD, budget=60.0)
        endpoint.refresh_from_db()
        assert (endpoint.state, endpoint.cause) == ("PAUSED", "OWN_FAULT")
        assert Submission.objects.filter(state="QUEUED").exists(), "the rest is not even tried"
        Endpoint.objects.update(next_probe_at=outbox.database_now())
        assert sync.run(sync.PROBE) == {"opened": 0}
        endpoint.refresh_from_db()
        assert endpoint.next_probe_at is not None, "the next probe comes"
    Endpoint.objects.update(next_probe_at=outbox.database_now())
    assert sync.run(sync.PROBE) == {"opened": 1}
    probes = SyncRun.objects.filter(kind="PROBE").order_by("pk")
    assert list(probes.values_list("counts__probed", "counts__opened")) == [(1, 0), (1, 1)]
    assert list(probes.values_list("counts__own_faults", "result")) == [(1, "FAILED"), (None, "DONE")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people hear, without the listener."""
    heard: list[str] = []
    monkeypatch.setattr(duties.notices, "tell", lambda **news: heard.append(news["event"]))
    return heard


def failed_run(kind: str, began: datetime, *, seconds: int = 1) -> None:
    ended_at = began + timedelta(seconds=seconds)
    SyncRun.objects.create(kind=kind, started_at=began, ended_at=ended_at, result="FAILED", counts={"own_faults": 1})


def test_people_hear_once_that_our_own_programme_fails(served: Peer, noon: datetime, told: list[str]) -> None:
    for minute in range(180):
        now = noon + timedelta(minutes=minute)
        if minute % 60 == 5:  # one package's own back-off: in between nothing fails
            failed_run("FORWARD", now - timedelta(seconds=30))
        sync.run("WATCH", now)
    assert told.count("FAULT") == 1
    assert stuck.own_faults(since=noon - timedelta(hours=1)) == 3
    for day in (3, 4):
        failed_run("FORWARD", noon + timedelta(days=3))
        sync.run("WATCH", noon + timedelta(days=day))
    assert told.count("FAULT") == 2, "after a day of quiet it is news again"


@pytest.mark.parametrize("kind", ["FORWARD", "COLLECT", "PROBE", "COMPARE"])
def test_a_fault_in_a_run_that_was_under_way_during_the_last_watch_is_told(
    served: Peer, noon: datetime, told: list[str], kind: str
) -> None:
    sync.run("WATCH", noon)
    failed_run(kind, noon - timedelta(seconds=10), seconds=20)
    sync.run("WATCH", noon + timedelta(minutes=1))
    assert told == ["FAULT"]


def test_an_answer_that_we_stumble_over_does_not_end_a_comparison(
    served: Peer, put: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a")
    now = outbox.database_now()
    Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=now)
    monkeypatch.setattr(reconciliation, "differences", lambda *_: 1 // 0)
    found = reconciliation.reconcile(
        client=session.client(), since=now - timedelta(days=1), until=now + timedelta(days=1), now=now
    )
    assert found.ended_at is not None
    assert (found.asked, found.unanswered, found.opened) == (0, 1, 0)
    reconciliation.ask_for(since=now - timedelta(days=1), until=now + timedelta(days=1), now=now)
    assert sync.run(sync.COMPARE)["own_faults"] == 1
    assert SyncRun.objects.get(kind="COMPARE").result == "FAILED", "so that people hear of it"


def test_a_database_that_is_away_is_no_fault_of_a_package(
    served: Peer, put: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = put("a")

    def away(_: UUID) -> object:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(outbox, "load_content", away)
    with pytest.raises(OperationalError):
        sync.run(sync.FORWARD, budget=5.0)
    assert Submission.objects.get(pk=submission_id).state == "SENDING", "its lease brings it back"
