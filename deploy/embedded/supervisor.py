"""Starts processes in order, keeps them alive, ends them in reverse order.

A child that dies is started again at once; one that dies young again and again waits a little, never longer than
LONGEST_WAIT: recovery is counted in seconds. Children get sessions of their own, so Ctrl-C on the terminal reaches only
us; when we are killed, the kernel ends them (see process.py). Standard library only.
"""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.failure import Trouble
from deploy.embedded.terminal import say

_LOG_BYTES = 5_000_000
# Whoever lived so long was well: its next death counts as the first.
_STEADY_SECONDS = 4.0
_FIRST_WAIT = 0.25
_JITTER = 0.2
LONGEST_WAIT = 2.0
_TAIL = 1500


@dataclass(frozen=True)
class Program:
    """What to run, how to know that it answers, how to ask it to stop."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool] = lambda: True
    ready_word: str = ""  # what its log says when it answers, for programs that cannot be asked
    env: Mapping[str, str] = field(default_factory=dict)
    stop: signal.Signals = signal.SIGTERM
    prepare: Callable[[], object] = lambda: None
    ready_seconds: float = 90.0
    grace_seconds: float = 15.0
    foundation: bool = False  # a server the others lean on: it ends after them


class Child:
    """A program and its present process."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.log_start = 0
        self.started_at = 0.0
        self.early_deaths = 0
        self.restarts = 0
        self.again_at: float | None = None
        self.wanted = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def spawn(self) -> None:
        self.program.prepare()
        _rotate(self.log)
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                list(self.program.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.program.env},
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.again_at = None
        self.wanted = True

    def is_ready(self) -> bool:
        if self.pid is None or (self.program.ready_word and self.program.ready_word not in self.log_since_start()):
            return False
        return self.program.is_ready()

    def log_since_start(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        return self.log_since_start()[-_TAIL:].strip()

    def sweep(self) -> None:
        """End what a killed parent left behind in its session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def ask_to_end(self) -> None:
        self.wanted = False
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.program.stop)

    def end(self) -> None:
        self.ask_to_end()
        self.wait_end()

    def wait_end(self) -> None:
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            try:
                process.wait(self.program.grace_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.sweep()


class Supervisor:
    """All children of one installation. Safe to use from one other thread beside the watching one."""

    def __init__(
        self, log_folder: Path, *, tell: Callable[[str], None] = say, longest_wait: float = LONGEST_WAIT
    ) -> None:
        self.log_folder = log_folder
        self.tell = tell
        self.longest_wait = longest_wait
        self.children: dict[str, Child] = {}
        self.lock = threading.RLock()
        log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, *programs: Program) -> None:
        """Start without waiting; the order is kept for the way down."""
        with self.lock:
            for program in programs:
                child = Child(program, self.log_folder / f"{program.name}.log")
                self.children[program.name] = child
                child.spawn()

    def wait_ready(self, *names: str) -> None:
        """Until each answers; one that dies or stays silent ends the start with the tail of its log."""
        waiting = list(names)
        while waiting:
            for name in list(waiting):
                child = self.children[name]
                if child.is_ready():
                    waiting.remove(name)
                    self.tell(f"{name}: sẵn sàng")
                elif child.pid is None or time.monotonic() - child.started_at > child.program.ready_seconds:
                    raise Trouble(
                        f"{name} không khởi động được; nhật ký: {child.log}\n{child.log_tail()}",
                        f"{name} không khởi động được; lý do ở cuối tệp {child.log}",
                    )
            time.sleep(0.03)

    def watch_once(self) -> None:
        """Look at every child once; start again whoever died and whose time has come."""
        with self.lock:
            for child in self.children.values():
                if child.wanted and child.pid is None:
                    self._revive(child)

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.again_at is None:
            young = now - child.started_at < _STEADY_SECONDS
            child.early_deaths = child.early_deaths + 1 if young else 1
            wait = wait_before_restart(child.early_deaths, longest=self.longest_wait, chance=random.random())
            child.again_at = now + wait
            code = child.process.returncode if child.process else None
            child.sweep()
            self.tell(f"{child.program.name} kết thúc ({_reason(code)}); {_when(wait)}")
        if now >= child.again_at:
            child.spawn()
            child.restarts += 1

    def stop(self, name: str) -> None:
        with self.lock:
            self.children[name].end()

    def stop_all(self) -> None:
        """Reverse order: nobody loses the server it leans on while it finishes its work."""
        with self.lock:
            upper = [child for child in reversed(self.children.values()) if not child.program.foundation]
            for child in self.children.values():
                child.wanted = False
            for child in upper:
                child.ask_to_end()
            for child in upper:
                child.wait_end()
            for child in reversed(self.children.values()):
                child.end()


def wait_before_restart(early_deaths: int, *, longest: float, chance: float) -> float:
    """Seconds: none after a first death, then doubling up to `longest`; `chance` (0 to 1) keeps children apart."""
    if early_deaths <= 1:
        return 0.0
    wait: float = min(_FIRST_WAIT * 2 ** min(early_deaths - 2, 20), longest)
    return wait * (1 - _JITTER * chance)


def _when(wait: float) -> str:
    return f"chạy lại sau {wait:.1f} s" if wait else "chạy lại ngay"


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"mã {code}"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
