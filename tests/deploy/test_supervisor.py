"""When a dead child comes back: at once, and only one that never gets well has to wait, never long."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import supervisor as supervising
from deploy.embedded.supervisor import Program, Supervisor

WELL = Program("well", ["sleep", "60"])
ILL = Program("ill", ["false"])


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path / "log", tell=lambda _line: None)
    yield one
    one.stop_all()


def _die(supervisor: Supervisor, name: str) -> None:
    child = supervisor.children[name]
    assert child.process is not None
    if child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.process.wait(10)


def test_a_child_that_dies_is_started_again_in_the_same_look(supervisor: Supervisor) -> None:
    supervisor.start(WELL)
    _die(supervisor, "well")
    supervisor.watch_once()
    assert supervisor.children["well"].pid is not None
    assert supervisor.children["well"].restarts == 1


def test_a_child_that_dies_young_again_waits_and_the_others_do_not(supervisor: Supervisor) -> None:
    supervisor.start(ILL, WELL)
    for _ in range(2):
        _die(supervisor, "ill")
        supervisor.watch_once()
    _die(supervisor, "well")
    supervisor.watch_once()
    assert (supervisor.children["ill"].restarts, supervisor.children["well"].restarts) == (1, 1)


def test_a_child_that_was_well_for_a_while_starts_at_once_however_often_it_died_before(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_STEADY_SECONDS", 0.0)
    supervisor.start(WELL)
    for _ in range(5):
        _die(supervisor, "well")
        supervisor.watch_once()
    assert supervisor.children["well"].restarts == 5


def test_no_wait_is_longer_than_two_seconds() -> None:
    waits = [
        supervising.wait_before_restart(deaths, longest=supervising.LONGEST_WAIT, chance=0.0) for deaths in range(1, 60)
    ]
    assert waits[:5] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert max(waits) == 2.0
    assert supervising.wait_before_restart(9, longest=2.0, chance=1.0) == pytest.approx(1.6)


def test_a_look_never_blocks_on_a_child_that_waits(supervisor: Supervisor) -> None:
    supervisor.start(ILL)
    began = time.monotonic()
    for _ in range(3):
        _die(supervisor, "ill")
        supervisor.watch_once()
    assert time.monotonic() - began < 2
