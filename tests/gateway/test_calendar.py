"""Hours of sending and announced maintenance: nothing new leaves, questions go on, and the page knows the next hour."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway import calendar, circuit, conf, outbox, sync
from gateway.models import Endpoint, Submission
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db

WORKING_HOURS = 'windows = [{ days = "mon-fri", from = "06:00", to = "22:00" }]'
# Monday 1 June 2026, 12:00 UTC is 19:00 in Vietnam.
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def described(path: Path, sending: str) -> conf.EndpointDescription:
    path.write_text(f'extends = "simulator"\n[endpoint]\nname = "test"\n[sending]\n{sending}\n', "utf-8")
    return conf.read_description(path)


def test_inside_the_hours_there_is_no_silence(tmp_path: Path) -> None:
    assert calendar.silence(described(tmp_path / "e.toml", WORKING_HOURS), now=NOON) is None


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (datetime(2026, 6, 1, 16, 0, tzinfo=UTC), datetime(2026, 6, 1, 23, 0, tzinfo=UTC)),  # Monday 23:00 there
        (datetime(2026, 6, 5, 16, 0, tzinfo=UTC), datetime(2026, 6, 7, 23, 0, tzinfo=UTC)),  # Friday 23:00: on Monday
        (datetime(2026, 5, 31, 22, 59, tzinfo=UTC), datetime(2026, 5, 31, 23, 0, tzinfo=UTC)),  # a minute before
    ],
    ids=["night", "weekend", "morning"],
)
def test_outside_the_hours_the_next_opening_is_known(tmp_path: Path, now: datetime, opens: datetime) -> None:
    quiet = calendar.silence(described(tmp_path / "e.toml", WORKING_HOURS), now=now)
    assert quiet is not None
    assert (quiet.code, quiet.until) == ("OUTSIDE_HOURS", opens)


def test_a_maintenance_into_the_night_ends_with_the_morning(tmp_path: Path) -> None:
    description = described(tmp_path / "e.toml", WORKING_HOURS)
    made = calendar.announce(
        starts_at=NOON - timedelta(hours=1), ends_at=NOON + timedelta(hours=5), reason="nâng cấp", by="An", now=NOON
    )
    quiet = calendar.silence(description, now=NOON)
    assert quiet is not None
    assert (quiet.code, quiet.reason) == ("MAINTENANCE", "nâng cấp")
    assert quiet.until == datetime(2026, 6, 1, 23, 0, tzinfo=UTC)
    assert calendar.cancel(made.pk, by="Bình", now=NOON)
    assert not calendar.cancel(made.pk, by="Bình", now=NOON)
    assert calendar.silence(description, now=NOON) is None


def test_maintenance_of_the_file_and_of_officers_are_told_together_soonest_first(tmp_path: Path) -> None:
    description = described(
        tmp_path / "e.toml",
        "maintenance = [{ from = 2026-06-03T00:00:00+07:00, to = 2026-06-03T06:00:00+07:00, reason = 'Bộ' }]",
    )
    calendar.announce(
        starts_at=NOON + timedelta(days=5), ends_at=NOON + timedelta(days=6), reason="sau", by="An", now=NOON
    )
    calendar.announce(
        starts_at=NOON + timedelta(hours=1), ends_at=NOON + timedelta(hours=2), reason="trước", by="An", now=NOON
    )
    assert [one.reason for one in calendar.ahead(description, now=NOON)] == ["trước", "Bộ", "sau"]


@pytest.mark.parametrize(
    ("hours", "reason", "code"),
    [
        ((2, 1), "lý do", "PERIOD_INVALID"),
        ((-3, -1), "lý do", "PERIOD_OVER"),
        ((1, 24 * 40), "lý do", "PERIOD_TOO_LONG"),
        ((1, 2), "  ", "REASON_MISSING"),
    ],
)
def test_an_announcement_that_makes_no_sense_is_refused(hours: tuple[int, int], reason: str, code: str) -> None:
    starts, ends = (NOON + timedelta(hours=hour) for hour in hours)
    with pytest.raises(calendar.CalendarRefused) as refused:
        calendar.announce(starts_at=starts, ends_at=ends, reason=reason, by="An", now=NOON)
    assert refused.value.code == code


def test_during_maintenance_nothing_new_leaves_but_questions_are_asked_and_then_all_goes_on(
    peer: Peer, line: Callable[..., conf.EndpointDescription], endpoint: Endpoint, enqueue: Callable[..., UUID]
) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/api/token":
            return as_json({"token": "T", "expires_in": 600})
        found = request.json
        inner = found.get("authenticationRequest", found)
        assert isinstance(inner, dict)
        return as_json({"MessageId": inner["messageid"], "Error": "", "ResponseCode": "00"})

    peer.answer = answer
    description = line()
    now = outbox.database_now()
    asked_about, waiting = enqueue("a", now=now), enqueue("b", now=now)
    Submission.objects.filter(pk=asked_about).update(state="SENDING", lease_until=now, next_attempt_at=None)
    made = calendar.announce(
        starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1), reason="bảo trì", by="An", now=now
    )
    assert not circuit.may_send(endpoint, description=description, now=now)
    sync.run(sync.FORWARD, now + timedelta(seconds=5), budget=1)
    states = dict(Submission.objects.values_list("pk", "state"))
    assert states == {asked_about: "ACKNOWLEDGED", waiting: "QUEUED"}
    assert {request.path for request in peer.requests} == {"/api/token", "/api/hoc-ba/ket-qua"}
    calendar.cancel(made.pk, by="An", now=now)
    sync.run(sync.FORWARD, now + timedelta(seconds=5), budget=1)
    assert Submission.objects.get(pk=waiting).state == "ACKNOWLEDGED"
