"""The supervisor with real processes: what dies comes back, what is ended leaves nothing."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded.throwaway import Environment

pytestmark = [pytest.mark.journey, pytest.mark.slow]


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with Environment(prepare=None, durable=False, record_processes=1, forwarding_processes=1) as env:
        yield env


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["valkey", "worker-records", "web", "postgres", "beat"])
def test_a_killed_child_comes_back_by_itself(environment: Environment, name: str) -> None:
    before = environment.restarts()[name]
    child = environment.supervisor.children[name]
    killed = environment.kill(name, signal.SIGKILL)

    _until(lambda: environment.restarts()[name] == before + 1 and child.is_ready())

    assert child.pid not in {None, killed}


def test_a_stopped_child_stays_down_until_it_is_restarted(environment: Environment) -> None:
    environment.stop("beat")
    environment.supervisor.watch_once()
    assert "beat" not in environment.pids()

    environment.restart("beat")
    assert "beat" in environment.pids()


def test_the_broker_can_be_made_to_forget_everything(environment: Environment) -> None:
    environment.wait_ready("valkey")
    environment.flush_broker()


def test_memory_is_measured_per_child_and_in_all(environment: Environment) -> None:
    _until(lambda: "total" in environment.peak_memory(), 10)
    peaks = environment.peak_memory()
    assert peaks["total"] >= peaks["web"] > 10_000_000


def test_the_end_leaves_no_process_and_no_folder() -> None:
    environment = Environment(prepare=None, durable=False, record_processes=1, forwarding_processes=1)
    environment.start()
    pids = [pid for group in environment.pids().values() for pid in group]
    environment.close()

    assert not environment.var.exists()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
