"""Where a campaign takes place: the throwaway environment, its simulator, a line to the database, the orders folder.

Everything a kind of fault needs to strike, and nothing of the rooms that are being tested.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from deploy.embedded.throwaway import Environment
from gateway.simulator.control import SimulatorControl

SETTINGS = "portal.settings.campaign"
# Short times, so that a fault, its consequence and the recovery fit into seconds. lease > 3 x total_timeout.
TOTAL_TIMEOUT = 2.0
LEASE_SECONDS = 7
QUICK = f"""
[sending]
parallelism = 4
lease_seconds = {LEASE_SECONDS}
first_delay_seconds = 0.5
longest_delay_seconds = 3.0
longest_retry_after_seconds = 3.0
pause_after_failures = 4
# Three quarters of a minute: else the first 413 would leave nothing but packages of one record for the whole campaign.
refused_size_days = 0.0005

[polling]
first_delays_seconds = [0.5, 0.5, 1.0]
factor = 1.5
longest_delay_seconds = 3.0
overdue_after_seconds = 60
ask_first_delay_seconds = 0.5
unknown_answers_needed = 1
lost_after_unknown_answers = 3

[probe]
first_delay_seconds = 0.5
longest_delay_seconds = 2.0

[schedule]
reconcile_seconds = 60
catalogues_seconds = 60
certificates_seconds = 60
watch_seconds = 20
"""
_LINE = {"connect_timeout": 1.5, "read_timeout": 1.5, "total_timeout": TOTAL_TIMEOUT}


class Gate:
    """Where schools and officers pass; shut, it lets those inside come out and nobody in."""

    def __init__(self) -> None:
        self._inside = 0
        self._shut = False
        self._changed = threading.Condition()

    @contextmanager
    def passing(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def shut(self, *, seconds: float) -> Iterator[bool]:
        """Shut for the time of the block; gives whether everybody came out in time."""
        with self._changed:
            self._shut = True
            empty = self._changed.wait_for(lambda: self._inside == 0, seconds)
        try:
            yield empty
        finally:
            with self._changed:
                self._shut = False
                self._changed.notify_all()


@dataclass
class Site:
    """One environment under attack."""

    env: Environment
    control: SimulatorControl
    orders: Path
    isolated: bool
    ballast: Path | None
    over: threading.Event = field(default_factory=threading.Event)
    gate: Gate = field(default_factory=Gate)

    def connect(self, *, timeout: int = 5) -> psycopg.Connection[Any]:
        """A line of the campaign's own to the database, outside every pool."""
        names = self.env.env
        return psycopg.connect(
            host=names["HOCBA_PG_HOST"], dbname=names["HOCBA_PG_NAME"], user=names["HOCBA_PG_USER"],
            connect_timeout=timeout, autocommit=True, options="-c statement_timeout=15000",
            application_name="campaign",
        )  # fmt: skip

    @property
    def endpoint_file(self) -> Path:
        return self.env.installation.places.endpoint_file

    def family(self, name: str) -> Sequence[int]:
        """A child's processes: itself first, then what it forked."""
        return self.env.pids().get(name, [])

    @contextmanager
    def frozen(self, pids: Sequence[int]) -> Iterator[None]:
        """Stopped for the time of the block, and surely woken."""
        try:
            for pid in pids:
                _signal(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                _signal(pid, signal.SIGCONT)

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the campaign."""
        self.over.wait(seconds)

    def order(self, name: str, action: str, *, patience: float) -> bool:
        """Lay down an order for a fail-point; whether a process took it in time."""
        path = self.orders / name
        draft = self.orders / f".{name}"
        draft.write_text(action)
        draft.rename(path)
        end = time.monotonic() + patience
        while time.monotonic() < end and not self.over.is_set():
            if not path.exists():
                return True
            time.sleep(0.05)
        path.unlink(missing_ok=True)
        return any(self.orders.glob(f"{name}.taken-*")) and not path.exists() and _just_taken(self.orders, name)

    def describe(self, **changes: str) -> None:
        """Change values of the endpoint's description while everything runs (a new file in one step)."""
        text = self.endpoint_file.read_text("utf-8")
        for key, value in changes.items():
            text, found = re.subn(rf'(?m)^{key} = ".*"$', f'{key} = "{value}"', text)
            if found != 1:
                raise ValueError(f"{key} does not stand once in the endpoint's description")
        replace_file(self.endpoint_file, text)


def make_quick(endpoint_file: Path) -> None:
    """Give the endpoint the campaign's short times."""
    text = endpoint_file.read_text("utf-8")
    line = "".join(f"{name} = {value}\n" for name, value in _LINE.items())
    replace_file(endpoint_file, text.replace("[connection]\n", f"[connection]\n{line}") + QUICK)


def replace_file(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text, "utf-8")
    draft.replace(path)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it died meanwhile, which is its right
        os.kill(pid, number)


def _just_taken(orders: Path, name: str) -> bool:
    """The order may have been taken at the very moment of withdrawing it."""
    newest = max((path.stat().st_mtime for path in orders.glob(f"{name}.taken-*")), default=0.0)
    return time.time() - newest < 1.0
