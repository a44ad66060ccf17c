"""Expiring certificates are told once per threshold; missed, failed and doubled runs of the schedule do no harm."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import close_old_connections, connections

from gateway import conf, duties, expiry, outbox, stuck, sync
from gateway.expiry import Watched
from gateway.models import Endpoint, ExpiryNotice, Submission, SyncRun
from tests.gateway.notices import NOTICES
from tests.gateway.peer import Peer, Pki

pytestmark = pytest.mark.django_db
DAYS = (60, 30, 14, 7, 1)


@pytest.fixture(autouse=True)
def _told(settings: pytest.FixtureRequest) -> None:
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"
    settings.GATEWAY_CERTIFICATES = ""
    NOTICES.clear()


def test_a_certificate_is_told_once_at_each_threshold_and_once_when_it_is_over(noon: datetime) -> None:
    seal = Watched("SEAL", "Chứng thư của Sở", "ab" * 32, noon + timedelta(days=70))
    for day in range(75):
        for _ in range(3):  # runs hourly in truth
            expiry.warn([seal], thresholds=DAYS, endpoint="test", now=noon + timedelta(days=day, minutes=1))
    thresholds = ExpiryNotice.objects.order_by("pk").values_list("threshold_days", flat=True)
    assert sorted(thresholds, reverse=True) == [60, 30, 14, 7, 1, 0]
    assert len(NOTICES) == 6
    assert "còn 59 ngày" in NOTICES[0]["message"] or "còn 60 ngày" in NOTICES[0]["message"]
    assert "đã hết hạn" in NOTICES[-1]["message"]


def test_a_certificate_first_seen_late_is_told_once_for_the_threshold_it_stands_at(noon: datetime) -> None:
    seal = Watched("SEAL", "Chứng thư của Sở", "cd" * 32, noon + timedelta(days=10, hours=1))
    assert expiry.warn([seal], thresholds=DAYS, endpoint="test", now=noon) == 1
    assert expiry.warn([seal], thresholds=DAYS, endpoint="test", now=noon) == 0
    assert ExpiryNotice.objects.get().threshold_days == 14


def test_a_renewed_certificate_is_another_one(noon: datetime) -> None:
    old = Watched("SEAL", "cũ", "01" * 32, noon + timedelta(days=5))
    new = Watched("SEAL", "mới", "02" * 32, noon + timedelta(days=370))
    assert expiry.warn([old, new], thresholds=DAYS, endpoint="test", now=noon) == 1


def test_the_connections_certificate_and_what_the_portal_names_are_watched(
    line: Callable[..., conf.EndpointDescription], pki: Pki, settings: pytest.FixtureRequest, noon: datetime
) -> None:
    settings.GATEWAY_CERTIFICATES = "tests.gateway.notices.certificates"
    path, key = pki.issue("soon", days=20)
    found = expiry.watched(line(client_certificate=str(path), client_key=str(key)))
    assert {one.role for one in found} == {"CONNECTION", "MINISTRY_CA", "SCHOOL"}
    assert found[0].role == "CONNECTION"


def test_a_certificate_file_that_cannot_be_read_stops_nothing(
    line: Callable[..., conf.EndpointDescription], tmp_path: Path
) -> None:
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    found = expiry.watched(line(client_certificate=str(tmp_path / "broken.pem")))
    assert {one.role for one in found} == {"MINISTRY_CA"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint) -> list[datetime]:
    """A daily duty that does nothing but remember."""
    ran: list[datetime] = []
    duty = lambda *, client, now: ran.append(now) or {"done": 1}  # noqa: E731
    monkeypatch.setitem(sync.SCHEDULED, "RECONCILE", ("reconcile_seconds", duty))
    return ran


def test_the_daily_work_belongs_to_the_local_night(quick: list[datetime], noon: datetime) -> None:
    midnight = datetime.fromisoformat("2026-06-02T00:00:00+07:00")
    for moment in (noon, midnight - timedelta(minutes=1), midnight + timedelta(minutes=1), noon + timedelta(hours=12)):
        sync.run("RECONCILE", moment)
    assert quick == [noon, midnight + timedelta(minutes=1)]


def test_missed_days_are_counted_in_the_row_and_told_once(quick: list[datetime], noon: datetime) -> None:
    sync.run("RECONCILE", noon)
    sync.run("RECONCILE", noon + timedelta(days=1))
    assert NOTICES == []
    assert "RECONCILE" in sync.missed(now=noon + timedelta(days=4))
    for _ in range(3):
        sync.run("RECONCILE", noon + timedelta(days=4))
    assert SyncRun.objects.filter(kind="RECONCILE").order_by("-pk")[0].counts["slots_missed"] == 2
    assert [notice["cause"] for notice in NOTICES] == ["RECONCILE"]
    assert "RECONCILE" not in sync.missed(now=noon + timedelta(days=4))


def test_a_failed_run_is_tried_again_in_its_slot_but_not_at_once(
    monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, noon: datetime
) -> None:
    tries: list[datetime] = []

    def fails_once(*, client: object, now: datetime) -> dict[str, int]:
        tries.append(now)
        if len(tries) == 1:
            raise OSError("the disk")
        return {}

    monkeypatch.setitem(sync.SCHEDULED, "RECONCILE", ("reconcile_seconds", fails_once))
    for minutes in (0, 1, 14, 16, 17, 40):
        sync.run("RECONCILE", noon + timedelta(minutes=minutes))
    assert tries == [noon, noon + timedelta(minutes=16)]
    assert list(SyncRun.objects.order_by("pk").values_list("result", flat=True)) == ["FAILED", "DONE"]


def test_a_run_whose_worker_died_does_not_cost_the_day(quick: list[datetime], noon: datetime) -> None:
    sync.run("RECONCILE", noon)
    SyncRun.objects.update(result="RUNNING", ended_at=None)
    sync.run("RECONCILE", noon + timedelta(hours=1))
    sync.run("RECONCILE", noon + timedelta(hours=3))
    assert quick == [noon, noon + timedelta(hours=3)]


@pytest.mark.django_db(transaction=True)
def test_eight_beats_at_once_run_a_slot_once(quick: list[datetime], noon: datetime) -> None:
    barrier = threading.Barrier(8)

    def beat() -> None:
        try:
            barrier.wait()
            sync.run("RECONCILE", noon)
        finally:
            close_old_connections()
            connections.close_all()

    threads = [threading.Thread(target=beat) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quick == [noon]
    assert SyncRun.objects.filter(kind="RECONCILE").count() == 1


def test_what_stands_still_is_counted_by_name(enqueue: Callable[..., UUID], endpoint: Endpoint, noon: datetime) -> None:
    waiting = enqueue("a", now=noon - timedelta(days=2))
    assert stuck.counts(now=noon) == {"stuck_queued": 1}
    outbox.hold(waiting, reason="xem", now=noon)
    assert stuck.counts(now=noon + timedelta(days=3)) == {"stuck_held": 1}
    Endpoint.objects.update(state="PAUSED", cause="UNREACHABLE", paused_at=noon)
    assert stuck.counts(now=noon + timedelta(hours=7)) == {"stuck_paused": 1}
    assert Submission.objects.count() == 1


def test_the_certificates_duty_says_how_many_it_watches(
    peer: Peer, line: Callable[..., conf.EndpointDescription], endpoint: Endpoint
) -> None:
    class Client:
        description = line()

    found = duties.certificates(client=Client(), now=outbox.database_now())  # type: ignore[arg-type]
    assert found["watched"] == 2
    assert found["told"] == 0
