"""What a dead process was doing is taken up at once; of one that may live nothing is taken before its lease is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gateway import conf, outbox, processes, sync
from gateway.models import Attempt, Endpoint, Submission
from gateway.outbox import Claim, Purpose
from gateway.outcomes import Acknowledged, Evidence, FateUnknown, NeverArrived
from tests.gateway.peer import Peer
from tests.gateway.test_sync import ministry

pytestmark = pytest.mark.django_db
PROOF = Evidence(200, b"{}")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that does nothing, and is gone afterwards."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    yield child
    child.kill()
    child.wait()


def test_this_process_is_alive_and_says_so_in_few_words() -> None:
    assert not processes.is_dead(processes.identity())
    assert len(processes.identity()) <= Attempt._meta.get_field("worker").max_length
    assert str(os.getpid()) in processes.identity()


def test_a_process_that_ended_is_dead_and_one_that_stands_still_is_not(other: subprocess.Popen[bytes]) -> None:
    name = processes.identity(other.pid)
    assert not processes.is_dead(name)
    os.kill(other.pid, signal.SIGSTOP)
    assert not processes.is_dead(name)
    other.kill()
    deadline = time.monotonic() + 10
    while not processes.is_dead(name) and time.monotonic() < deadline:  # not yet buried: it runs no more all the same
        time.sleep(0.01)
    assert processes.is_dead(name)
    other.wait()
    assert processes.is_dead(name)


def test_another_process_with_the_same_number_is_not_the_one_we_knew() -> None:
    head, _, started = processes.identity().rpartition(".")
    assert processes.is_dead(f"{head}.{int(started) - 1}")


@pytest.mark.parametrize("name", ["", "w1", "host:1", "host:999999999", "host:x@y.z.1"])
def test_nothing_is_certain_of_a_name_that_says_too_little(name: str) -> None:
    assert not processes.is_dead(name)


def test_nothing_is_certain_of_a_process_of_another_machine_or_another_start_of_it() -> None:
    name = processes.identity()
    where, _, started = name.rpartition(".")
    elsewhere = where[:-1] + ("0" if where[-1] != "0" else "1")
    assert not processes.is_dead(f"{elsewhere}.{int(started) - 1}")


@pytest.fixture
def held_by(
    enqueue: Callable[..., UUID], endpoint: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> Callable[..., Claim]:
    """A claim for `purpose` in the hands of the process with this name."""

    def take(purpose: Purpose, worker: str) -> Claim:
        def claim(wanted: Purpose, by: str) -> Claim:
            (only,) = outbox.claim_due(
                purpose=wanted, endpoint_id=endpoint.pk, now=noon, lease=description.lease(), worker=by
            )
            return only

        enqueue("a")
        if purpose != Purpose.SEND:
            first = claim(Purpose.SEND, "w1")
            news = FateUnknown("TIMEOUT", "", 0.0) if purpose == Purpose.ASK else Acknowledged(PROOF, 0.0)
            outbox.settle(first, news, now=noon)
        return claim(purpose, worker)

    return take


AFTER = {Purpose.SEND: "UNCERTAIN", Purpose.ASK: "UNCERTAIN", Purpose.COLLECT: "ACKNOWLEDGED"}


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_a_dead_process_was_doing_is_due_at_once(
    held_by: Callable[..., Claim], other: subprocess.Popen[bytes], noon: datetime, purpose: Purpose
) -> None:
    name = processes.identity(other.pid)
    held = held_by(purpose, name)
    now = noon + timedelta(seconds=1)
    os.kill(other.pid, signal.SIGSTOP)
    assert outbox.expire_leases(now=now) == 0, "one that stands still may go on"
    other.kill()
    other.wait()
    assert outbox.expire_leases(now=now) == 1
    row = Submission.objects.get()
    assert (row.state, row.lease_until) == (AFTER[purpose], None)
    assert row.next_attempt_at is not None
    assert row.next_attempt_at - now <= timedelta(seconds=2)
    attempt = Attempt.objects.get(pk=held.attempt_id)
    assert (attempt.outcome, attempt.code) == ("LEASE_EXPIRED", "WORKER_DEAD")
    assert outbox.expire_leases(now=now) == 0


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("worker", ["living", "host:1", ""])
def test_the_lease_protects_whoever_may_be_alive(
    held_by: Callable[..., Claim], noon: datetime, purpose: Purpose, worker: str
) -> None:
    held_by(purpose, processes.identity() if worker == "living" else worker)
    before = Submission.objects.values().get()
    assert outbox.expire_leases(now=noon + timedelta(seconds=119)) == 0
    assert Submission.objects.values().get() == before


def test_a_package_whose_every_worker_dies_is_taken_up_more_and_more_rarely(
    held_by: Callable[..., Claim],
    endpoint: Endpoint,
    description: conf.EndpointDescription,
    other: subprocess.Popen[bytes],
    noon: datetime,
) -> None:
    dead = processes.identity(other.pid)
    other.kill()
    other.wait()
    held_by(Purpose.COLLECT, dead)
    now, waits = noon, []
    for _ in range(9):
        assert outbox.expire_leases(now=now) == 1
        row = Submission.objects.get()
        assert row.next_attempt_at is not None
        waits.append((row.next_attempt_at - now).total_seconds())
        now = row.next_attempt_at
        outbox.claim_due(
            purpose=Purpose.COLLECT, endpoint_id=endpoint.pk, now=now, lease=description.lease(), worker=dead
        )
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_only_the_newest_claim_is_released(
    held_by: Callable[..., Claim],
    other: subprocess.Popen[bytes],
    endpoint: Endpoint,
    description: conf.EndpointDescription,
    noon: datetime,
) -> None:
    """The dead one was overtaken before it died: what another is sending now is not touched."""
    held_by(Purpose.SEND, processes.identity(other.pid))
    late = noon + timedelta(minutes=10)
    outbox.expire_leases(now=late)
    lease = description.lease()
    for purpose, news in ((Purpose.ASK, NeverArrived(PROOF, 0.0, needed=1)), (Purpose.SEND, None)):
        (now_mine,) = outbox.claim_due(
            purpose=purpose, endpoint_id=endpoint.pk, now=late, lease=lease, worker=processes.identity()
        )
        if news is not None:
            outbox.settle(now_mine, news, now=late)
    other.kill()
    other.wait()
    assert outbox.expire_leases(now=late) == 0
    assert Submission.objects.get().state == "SENDING"


def test_a_tick_sees_the_claims_of_the_dead_as_work(
    peer: Peer,
    line: Callable[..., conf.EndpointDescription],
    held_by: Callable[..., Claim],
    other: subprocess.Popen[bytes],
    noon: datetime,
) -> None:
    line()
    peer.answer = ministry
    held_by(Purpose.COLLECT, processes.identity(other.pid))
    now = noon + timedelta(seconds=1)
    assert not {sync.FORWARD, sync.COLLECT} & set(sync.due(now=now))
    other.kill()
    other.wait()
    assert sync.FORWARD in sync.due(now=now)


def test_a_worker_is_named_so_that_its_death_can_be_seen() -> None:
    assert sync.worker_name() == processes.identity()


def test_a_process_cannot_be_judged_where_the_system_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    name = processes.identity()
    monkeypatch.setattr(processes, "PROC", Path("/nowhere"))
    assert not processes.is_dead(name)
    assert not processes.is_dead(processes.identity())
