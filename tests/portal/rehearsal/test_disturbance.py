"""Troubles strike each process in turn, and stop when told."""

import signal
import time

from portal.rehearsal.disturbance import KILLED, Disturbance


class Environment:
    """Writes down what was done to it."""

    def __init__(self) -> None:
        self.struck: list[str] = []

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, pool: bool = False) -> int:
        assert number is signal.SIGKILL
        if name == "beat":
            raise ProcessLookupError(name)
        self.struck.append(name + ("/pool" if pool else ""))
        return 1

    def flush_broker(self) -> None:
        self.struck.append("flush")


def wait_for(environment: Environment, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(environment.struck) < count and time.monotonic() < deadline:
        time.sleep(0.005)


def test_every_process_is_struck_once_a_round_and_the_pool_the_second_time() -> None:
    environment = Environment()
    disturbance = Disturbance(environment, ["kill", "flush"], every=0.001, rounds=2)
    disturbance.start()
    wait_for(environment, 2 * len(KILLED))
    disturbance.stop()
    # Beat was down already, the flush makes up for it.
    assert len(environment.struck) == 2 * len(KILLED)
    assert environment.struck.count("worker-records") == environment.struck.count("worker-records/pool") == 1
    assert environment.struck.count("flush") == disturbance.done["flush"] == 2
    assert not disturbance.went_round


def test_without_troubles_nothing_runs() -> None:
    environment = Environment()
    disturbance = Disturbance(environment, [""], every=0.001)
    disturbance.start()
    disturbance.stop()
    assert environment.struck == []
    assert disturbance.went_round
