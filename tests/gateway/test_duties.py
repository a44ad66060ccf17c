"""What the duties tell, they tell once; what one of them cannot do keeps no other from being done."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from gateway import duties, reconciliation, statement, stuck, sync
from gateway.discrepancies import Difference, note
from gateway.models import Comparison, Discrepancy, Statement, Submission, SyncRun
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


@pytest.fixture
def overdue(served: Peer, enqueue: Put, noon: datetime) -> Callable[[int], datetime]:
    """So many packages that were received and never answered; returns a moment at which they are overdue."""

    def wait(number: int) -> datetime:
        for _ in range(number):
            enqueue()
        Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=noon)
        return noon + timedelta(days=3)

    return wait


def test_every_overdue_package_is_noted_however_many_there_are(
    overdue: Callable[[int], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_NOTED_AT_ONCE", 2)
    late = overdue(5)
    noted = [sync.run("WATCH", late + timedelta(minutes=minute))["overdue_noted"] for minute in range(4)]
    assert noted == [2, 2, 1, 0]


def test_what_is_overdue_and_was_explained_by_a_person_comes_back_after_a_week(
    overdue: Callable[[int], datetime],
) -> None:
    late = overdue(1)
    sync.run("WATCH", late)
    noted = Discrepancy.objects.get(kind="OVERDUE")
    assert reconciliation.close(noted.pk, by="an", closing_note="Bộ hẹn thứ hai trả lời", now=late)
    for later in (timedelta(minutes=1), timedelta(days=6)):
        sync.run("WATCH", late + later)
    assert not Discrepancy.objects.filter(closed_at__isnull=True).exists()
    sync.run("WATCH", late + timedelta(days=8))
    assert Discrepancy.objects.filter(closed_at__isnull=True).count() == 1


def test_a_statement_that_cannot_be_made_asks_the_ministry_once_and_is_made_up_for_on_a_later_night(
    served: Peer, noon: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {noon.date(), noon.date() + timedelta(days=1)}

    def make(day: date, *_: object, now: datetime) -> None:
        if day in broken:
            raise OSError("Nguyen Van Gia Dinh")
        Statement.objects.create(day_on=day, made_at=now, csv=b"", pdf=b"", sealed=b"", sha256="")

    monkeypatch.setattr(statement, "make", make)
    sync.run("RECONCILE", noon)
    for quarter in range(4):
        sync.run("RECONCILE", noon + timedelta(days=1, minutes=16 * quarter))
    assert Comparison.objects.count() == 2, "one a night"
    run = SyncRun.objects.filter(kind="RECONCILE").latest("pk")
    assert (run.result, run.counts["statements"], run.counts["own_faults"]) == ("DONE", 0, 1)
    assert "Nguyen Van Gia Dinh" not in caplog.text + run.error
    sync.run("RECONCILE", noon + timedelta(days=2))
    broken.clear()
    sync.run("RECONCILE", noon + timedelta(days=3))
    days = [noon.date() + timedelta(days=number) for number in range(-1, 3)]
    assert sorted(Statement.objects.values_list("day_on", flat=True)) == days
