"""Troubles during a rehearsal: each process killed in turn, the broker flushed. Runs in a thread until told to stop.

It only knows the environment it was given; the supervisor of that environment starts again what died.
"""

import signal
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

KILLED = ("worker-records", "worker-forwarding", "simulator", "web", "beat", "valkey", "postgres")


class Patient(Protocol):
    """The environment, as far as this file needs it."""

    def kill(self, name: str, number: signal.Signals = ..., *, pool: bool = ...) -> int: ...

    def flush_broker(self) -> None: ...


class Disturbance:
    """One trouble every `every` seconds, each in order, `rounds` times over."""

    def __init__(self, patient: Patient, troubles: Sequence[str], *, every: float, rounds: int = 1) -> None:
        self._patient = patient
        self._plan = _plan(troubles)
        self._every = every
        self._rounds = rounds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disturbance", daemon=True)
        self.done: Counter[str] = Counter()

    def start(self) -> None:
        if self._plan:
            self._thread.start()

    def stop(self) -> None:
        """Returns once no further trouble can come."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(30)

    @property
    def went_round(self) -> bool:
        """Whether every trouble has struck at least once."""
        return all(self.done[f"{kind} {name}".strip()] for kind, name in self._plan)

    def _run(self) -> None:
        for turn, (kind, name) in enumerate(self._plan * self._rounds):
            if self._over.wait(self._every):
                return
            try:
                if kind == "kill":
                    # A pool's process one time, its parent the next: both can die in real life.
                    pooled = name.startswith("worker") and turn // len(self._plan) % 2 == 1
                    self._patient.kill(name, signal.SIGKILL, pool=pooled)
                else:
                    self._patient.flush_broker()
            except (ProcessLookupError, OSError):
                continue  # it is down already, which is trouble enough
            self.done[f"{kind} {name}".strip()] += 1


def _plan(troubles: Sequence[str]) -> list[tuple[str, str]]:
    plan: list[tuple[str, str]] = []
    if "kill" in troubles:
        plan += [("kill", name) for name in KILLED]
    if "flush" in troubles:
        plan.insert(len(plan) // 2, ("flush", ""))
    return plan
