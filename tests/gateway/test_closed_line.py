"""A line that is closed already: who may still close it, who may open it, and what closes it again and again."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from gateway import circuit, conf, outbox, session, sync
from gateway.conf import EndpointDescription
from gateway.models import Endpoint, Submission
from tests.gateway.notices import NOTICES
from tests.gateway.peer import Peer, Reply, Request, as_json
from tests.gateway.test_sync import ministry, put, served

__all__ = ["put", "served"]  # fixtures

pytestmark = pytest.mark.django_db
RNG = Random(1)
Close = Callable[..., bool]


@pytest.fixture
def told(settings: object) -> Iterator[list[dict[str, str]]]:
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"  # type: ignore[attr-defined]
    NOTICES.clear()
    yield NOTICES
    NOTICES.clear()


@pytest.fixture
def close(endpoint: Endpoint, description: EndpointDescription, noon: datetime) -> Close:
    return lambda cause, message="x", now=noon: circuit.pause(
        endpoint, cause, message, description=description, now=now, rng=RNG
    )


@pytest.mark.parametrize(("before", "cause"), [("UNAVAILABLE", "BY_OFFICER"), ("ADDRESS_REFUSED", "SEAL_REFUSED")])
def test_a_cause_that_only_a_person_can_lift_takes_a_closed_line_over(
    served: Peer, close: Close, endpoint: Endpoint, told: list[dict[str, str]], before: str, cause: str
) -> None:
    close(before)
    assert close(cause, "why") is True
    assert close(cause, "why") is False, "once"
    assert close("UNREACHABLE") is False
    endpoint.refresh_from_db()
    assert (endpoint.cause, endpoint.cause_message, endpoint.next_probe_at) == (cause, "why", None)
    assert [(one["event"], one["cause"]) for one in told] == [("PAUSED", before), ("PAUSED", cause)]
    assert sync.run(sync.PROBE) == {"opened": 0}
    assert circuit.resume(endpoint, now=outbox.database_now())
    assert told[-1]["event"] == "RESUMED"


@pytest.mark.parametrize("causes", [("BY_OFFICER", "SEAL_REFUSED"), ("SEAL_REFUSED", "BY_OFFICER")])
def test_of_an_officers_stop_and_a_refused_seal_neither_is_lost(
    close: Close, endpoint: Endpoint, told: list[dict[str, str]], causes: tuple[str, str]
) -> None:
    """Who mends the seal and lets the line go on must see that an officer has stopped it, and the other way round."""
    words = {"BY_OFFICER": "Chờ Bộ bảo trì", "SEAL_REFUSED": "Chữ ký không hợp lệ"}
    for cause in causes * 3:
        close(cause, words[cause])
    endpoint.refresh_from_db()
    assert (endpoint.cause, endpoint.cause_message) == ("BY_OFFICER", "Chờ Bộ bảo trì; Chữ ký không hợp lệ")
    assert [one["cause"] for one in told] == list(causes)


@pytest.mark.parametrize("cause", ["SEAL_REFUSED", "BY_OFFICER", "ADDRESS_REFUSED"])
def test_a_probe_opens_only_the_pause_it_was_made_for(
    served: Peer, close: Close, endpoint: Endpoint, noon: datetime, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """While it was on the wire the line was opened by hand and closed again."""

    def meanwhile() -> None:
        circuit.resume(endpoint, now=noon + timedelta(minutes=1))
        assert close(cause, now=noon + timedelta(minutes=2))

    monkeypatch.setattr(session.client(), "probe", meanwhile)
    close("UNAVAILABLE")
    assert circuit.probe(session.client(), now=noon + timedelta(hours=1), rng=RNG) is None
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.cause) == ("PAUSED", cause)


def test_a_package_that_closes_the_line_each_time_is_told_once_and_lets_the_others_pass(
    served: Peer, put: Callable[..., UUID], told: list[dict[str, str]]
) -> None:
    """A firewall before the Ministry refuses one package by a bare 403, and answers everything else."""
    poison = str(put("poison"))

    def answer(request: Request) -> Reply:
        if request.path.endswith("ket-qua") and request.json["messageid"] == poison:
            return as_json({"MessageId": poison, "Error": "MESSAGE_UNKNOWN"})
        return Reply(403, b"<html>WAF</html>") if poison.encode() in request.body else ministry(request)

    served.answer = answer
    for number in range(6):
        Submission.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=outbox.database_now())
        put(f"good{number}")
        sync.run(sync.FORWARD, budget=2.0)
        Endpoint.objects.filter(state="PAUSED").update(next_probe_at=outbox.database_now())
        sync.run(sync.PROBE)
    row = Endpoint.objects.get()
    assert [one["event"] for one in told] == ["PAUSED", "RESUMED"]
    assert row.relapses > circuit._SUSPECTED
    apart = Submission.objects.get(pk=poison).next_attempt_at
    assert apart is not None
    assert row.resumed_at is not None
    longest = timedelta(seconds=conf.endpoint().probe.longest_delay_seconds)
    assert longest < apart - row.resumed_at < circuit._RELAPSE, "longer, and its next refusal would be news"
    sync.run(sync.FORWARD, budget=5.0)
    assert Endpoint.objects.get().state == "OPEN"
    assert set(Submission.objects.exclude(pk=poison).values_list("state", flat=True)) == {"ACKNOWLEDGED"}
