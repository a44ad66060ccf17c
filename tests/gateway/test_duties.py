"""What the duties tell, they tell once; what one of them cannot do keeps no other from being done."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from gateway import duties, reconciliation, stuck, sync
from gateway.discrepancies import Difference, note
from gateway.models import Comparison, Submission, SyncRun
from gateway.states import DiscrepancyKind
from tests.gateway.peer import Peer
from tests.gateway.test_sync import served

__all__ = ["served"]  # fixtures

pytestmark = pytest.mark.django_db
Put = Callable[..., UUID]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The causes of what people hear, without the listener."""
    heard: list[str] = []
    monkeypatch.setattr(duties.notices, "tell", lambda **news: heard.append(news["cause"]))
    return heard


@pytest.mark.parametrize("fails", ["counts", "dies"])
def test_a_watch_that_stumbles_further_down_does_not_tell_the_same_each_minute(
    served: Peer, enqueue: Put, noon: datetime, monkeypatch: pytest.MonkeyPatch, told: list[str], fails: str
) -> None:
    package = Submission.objects.get(pk=enqueue("a"))
    sync.run("WATCH", noon - timedelta(minutes=1))
    note(package, Difference(DiscrepancyKind.TAKEN_THERE, "x"), now=noon - timedelta(seconds=5))
    began = noon - timedelta(seconds=9)
    SyncRun.objects.create(kind="FORWARD", started_at=began, ended_at=noon, result="FAILED", counts={"own_faults": 1})

    def stumble(**_: object) -> dict[str, int]:
        raise (KeyboardInterrupt if fails == "dies" else OSError)("x")

    monkeypatch.setattr(stuck, "counts", stumble)
    for minute in range(5):
        try:
            sync.run("WATCH", noon + timedelta(minutes=minute))
        except KeyboardInterrupt:
            continue
    assert sorted(told) == ["CONTRADICTION", "OWN_FAULT"]


def test_a_nightly_comparison_whose_worker_dies_at_its_end_is_told_once_by_the_next(
    served: Peer, enqueue: Put, noon: datetime, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    package = enqueue("a")
    Submission.objects.update(state="ANSWERED", acknowledged_at=noon, closed_at=noon, next_attempt_at=None)
    asked = reconciliation.ask_for(since=noon, until=noon + timedelta(days=1), now=noon)
    Comparison.objects.update(opened=1, done_until=noon + timedelta(days=1), done_id=package)

    def dies(**_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reconciliation.notices, "tell", dies)
        with pytest.raises(KeyboardInterrupt):
            sync.run(sync.COMPARE, noon)
    for hour in range(1, 4):
        sync.run(sync.COMPARE, noon + timedelta(hours=hour))
    asked.refresh_from_db()
    assert (told, asked.ended_at) == (["RECONCILE"], noon + timedelta(hours=1))


def test_a_comparison_that_a_person_asked_for_is_not_told(served: Peer, noon: datetime, told: list[str]) -> None:
    reconciliation.ask_for(since=noon, until=noon + timedelta(days=1), now=noon, asked_by="an")
    Comparison.objects.update(opened=1)
    sync.run(sync.COMPARE, noon)
    assert (told, Comparison.objects.get().ended_at) == ([], noon)
