"""The line as a row: announced once, relapses back off, and a probe proves the line as it is now."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from gateway import circuit
from gateway.conf import EndpointDescription
from gateway.ministry import transport
from gateway.ministry.client import MinistryClient
from gateway.models import Endpoint
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db
RNG = random.Random(1)


def test_people_are_told_once_when_the_line_closes_and_once_when_it_opens(
    settings: object, endpoint: Endpoint, description: EndpointDescription, noon: datetime
) -> None:
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"  # type: ignore[attr-defined]
    from tests.gateway.notices import NOTICES

    NOTICES.clear()
    for _ in range(3):
        circuit.pause(endpoint, "ADDRESS_REFUSED", "x", description=description, now=noon, rng=RNG)
    for _ in range(3):
        circuit.resume(endpoint, now=noon)
    assert [notice["event"] for notice in NOTICES] == ["PAUSED", "RESUMED"]


def test_a_cause_the_probe_cannot_see_backs_off_further_and_is_announced_once(
    settings: object, endpoint: Endpoint, description: EndpointDescription, noon: datetime
) -> None:
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"  # type: ignore[attr-defined]
    from tests.gateway.notices import NOTICES

    NOTICES.clear()
    moment = noon
    for _ in range(4):
        circuit.pause(endpoint, "UNIT_REFUSED", "x", description=description, now=moment, rng=RNG)
        circuit.resume(endpoint, now=moment)
        moment += timedelta(minutes=1)
    endpoint.refresh_from_db()
    assert endpoint.relapses == 3
    assert [notice["event"] for notice in NOTICES] == ["PAUSED", "RESUMED"]
    circuit.note_success(endpoint, now=moment)
    endpoint.refresh_from_db()
    assert (endpoint.relapses, len(NOTICES)) == (3, 2), "one answer between two relapses is no end of them"
    circuit.note_success(endpoint, now=moment + timedelta(minutes=15))
    endpoint.refresh_from_db()
    assert (endpoint.relapses, NOTICES[-1]["event"], len(NOTICES)) == (0, "RESUMED", 3)


def hospitable(request: Request) -> Reply:
    if request.path == "/api/token":
        return as_json({"token": "T", "expires_in": 600})
    return as_json({"data": [{"ma": "USB_TOKEN"}]})


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection that is opened, in order."""
    opened: list[object] = []
    real = transport._WatchedConnection.connect

    def connect(self: transport._WatchedConnection) -> None:
        opened.append(self)
        real(self)

    monkeypatch.setattr(transport._WatchedConnection, "connect", connect)
    return opened


def test_a_probe_leaves_by_a_connection_of_its_own(
    peer: Peer, line: Callable[..., EndpointDescription], endpoint: Endpoint, noon: datetime, connections: list[object]
) -> None:
    """A kept connection may have left by an address we have lost, or show the Ministry a certificate of before."""
    peer.answer = hospitable
    client = MinistryClient(line(), clock=lambda: noon)
    client.probe()
    client.probe()
    assert len(connections) == 1, "ordinary calls share a connection"
    for number in (2, 3):
        circuit.pause(endpoint, "ADDRESS_REFUSED", "x", description=client.description, now=noon, rng=RNG)
        assert circuit.probe(client, now=noon + timedelta(hours=number), rng=RNG) is True
        assert len(connections) == number
    client.probe()
    assert len(connections) == 3, "what the probe opened is used on"


def test_a_probe_that_meets_another_cause_says_so_without_a_second_notice(
    settings: object, peer: Peer, line: Callable[..., EndpointDescription], endpoint: Endpoint, noon: datetime
) -> None:
    """The Ministry's server was down; now it is up and refuses our address: somebody else must act."""
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"  # type: ignore[attr-defined]
    from tests.gateway.notices import NOTICES

    client = MinistryClient(line(), clock=lambda: noon)
    circuit.pause(endpoint, "UNAVAILABLE", "x", description=client.description, now=noon, rng=RNG)
    NOTICES.clear()
    peer.answer = lambda _: as_json({"Error": "ADDRESS_REFUSED"}, status=403)
    assert circuit.probe(client, now=noon + timedelta(hours=1), rng=RNG) is False
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.cause, endpoint.last_cause) == ("PAUSED", "ADDRESS_REFUSED", "UNAVAILABLE")
    assert "địa chỉ" in endpoint.cause_message
    peer.answer = lambda _: Reply(502, b"<html>bad gateway</html>")
    assert circuit.probe(client, now=noon + timedelta(hours=2), rng=RNG) is False
    endpoint.refresh_from_db()
    assert endpoint.cause == "UNAVAILABLE"
    assert NOTICES == []


@pytest.mark.parametrize("header", ["86400000", "999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_the_ministry_can_silence_the_line_for_an_hour_at_most(
    peer: Peer, line: Callable[..., EndpointDescription], endpoint: Endpoint, noon: datetime, header: str
) -> None:
    from gateway.backoff import retry_after

    description = line()
    wait = retry_after(header, now=noon, longest=description.sending.longest_retry_after_seconds)
    assert wait == 3600
    circuit.not_before(endpoint, noon + timedelta(seconds=wait))
    circuit.not_before(endpoint, noon + timedelta(seconds=5))
    endpoint.refresh_from_db()
    assert not circuit.may_send(endpoint, description=description, now=noon + timedelta(minutes=59))
    assert circuit.may_send(endpoint, description=description, now=noon + timedelta(hours=1))
