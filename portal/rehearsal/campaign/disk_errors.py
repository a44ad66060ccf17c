"""The disk says that it could not keep what it was given: EIO from fsync, injected into the database's processes.

`strace` stands between PostgreSQL and the kernel for a moment. PostgreSQL must believe the disk at once (PANIC, restart
from its log): whoever was not told "committed" may not have been told "taken in" either.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.site import Site

_LANE = "servers"
_PATIENCE = 6.0
_READY_SECONDS = 30.0
_INJECTED = re.compile(rb"= -1 EIO .*INJECTED")


def kinds() -> list[Kind]:
    return [
        Kind("disk:fsync-fails", Stage.INTAKE, _fail(_nothing, "client backend"), _LANE, _no_strace, most=3),
        Kind("disk:checkpoint-fails", Stage.INTAKE, _fail(_checkpoint, "checkpointer"), _LANE, _no_strace, most=2),
    ]


def _no_strace(site: Site) -> str:
    if shutil.which("strace") is None:
        return "strace is not installed on this machine"
    if os.geteuid() != 0:
        return "needs root: strace must attach to the database's processes"
    return "" if _may_trace() else "this machine does not let strace attach to a process"


def _may_trace() -> bool:
    sleeper = subprocess.Popen(["sleep", "20"])
    try:
        trial = subprocess.Popen(
            ["strace", "-qq", "-o", os.devnull, "-p", str(sleeper.pid)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with suppress(subprocess.TimeoutExpired):
            return trial.wait(0.5) == 0
        trial.terminate()
        trial.wait(5)
        return True
    finally:
        sleeper.kill()
        sleeper.wait(5)


def _nothing(site: Site) -> None:
    """Commits come by themselves."""


def _checkpoint(site: Site) -> None:
    with suppress(psycopg.Error), site.connect() as line:
        line.execute("CHECKPOINT")


def _fail(provoke: Callable[[Site], None], backend: str) -> Strike:
    def strike(site: Site, rng: Random) -> float:
        pids = _backends(site, backend)
        with tempfile.TemporaryDirectory(prefix="hocba-eio-") as folder:
            report = Path(folder, "strace")
            words = ["strace", "-f", "-qq", "-o", str(report), "-e", "trace=fsync,fdatasync"]
            words += ["-e", f"inject=fsync,fdatasync:error=EIO:when={rng.randint(1, 3)}"]
            words += [word for pid in pids for word in ("-p", str(pid))]
            tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                provoke(site)
                struck = _struck(site, report, tracer)
            finally:
                tracer.terminate()
                tracer.communicate(timeout=10)
        if struck is None:
            raise Missed  # a backend that ended just now cannot be traced; whether any can was tried before
        _answers_again(site)
        return struck

    return strike


def _backends(site: Site, kind: str) -> list[int]:
    """Processes of this kind by their names on the command line: PostgreSQL's own numbers are of another namespace."""
    mark = {"checkpointer": b"checkpointer", "client backend": b" [local] "}[kind]
    found = [pid for pid in site.family("postgres") if mark in _title(pid) and b" campaign" not in _title(pid)]
    if not found:
        raise Missed
    return found


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _struck(site: Site, report: Path, tracer: subprocess.Popen[bytes]) -> float | None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and not site.over.is_set():
        if report.exists() and _INJECTED.search(report.read_bytes()):
            return time.monotonic()
        if tracer.poll() is not None:
            break
        site.pause(0.05)
    return time.monotonic() if report.exists() and _INJECTED.search(report.read_bytes()) else None


def _answers_again(site: Site) -> None:
    """A server that hangs after a failed disk instead of starting again is a finding, not bad luck."""
    end = time.monotonic() + _READY_SECONDS
    while not site.over.is_set():
        try:
            with site.connect(timeout=2) as line:
                line.execute("SELECT 1")
            return
        except psycopg.Error:
            if time.monotonic() > end:
                raise AssertionError("the database did not come back after a failed fsync") from None
            site.pause(0.1)
