"""Whether the process that holds a claim is dead for certain: then nobody need wait for its lease.

A process names itself by machine start, namespaces, number and the tick at which it began. Only one that lived on this
very start of this machine can be judged, and only by the kernel's word; a stopped one, one elsewhere, or a name that
says too little is never called dead. Linux; elsewhere nothing is certain and the lease decides.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_HOST_LENGTH: Final = 40
# Fields of /proc/PID/stat, counted after the name in parentheses, which may hold anything.
_STATE, _STARTED = 0, 19
_RUNS_NO_MORE: Final = frozenset("ZXx")


def identity(pid: int | None = None) -> str:
    """`host:pid@where.started`: of this process, or of another on this machine. Without the tail where the system does
    not say: then only the lease tells."""
    number = os.getpid() if pid is None else pid
    name, where, seen = f"{socket.gethostname()[:_HOST_LENGTH]}:{number}", _where(PROC), _seen(number)
    return f"{name}@{where}.{seen[1]}" if where and seen else name


def is_dead(name: str) -> bool:
    """Whether the process of this name can do nothing any more. False says nothing."""
    who, _, tail = name.rpartition("@")
    where, _, started = tail.partition(".")
    number = who.rpartition(":")[2]
    if not (who and where and number.isascii() and number.isdigit() and where == _where(PROC)):
        return False
    if not _exists(int(number)):
        return True
    seen = _seen(int(number))
    # The number may have been given to another since.
    return seen is not None and (seen[1] != started or (seen[0] in _RUNS_NO_MORE and _is_alone(int(number))))


def _exists(number: int) -> bool:
    """By the one call that a hidden /proc does not deceive."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _seen(number: int) -> tuple[str, str] | None:
    """State and start of a process; None where the system does not say."""
    try:
        fields = (PROC / str(number) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return fields[_STATE], fields[_STARTED]
    except (OSError, IndexError):
        return None


def _is_alone(number: int) -> bool:
    """No thread of it is left beside the one that has ended."""
    try:
        return len(list((PROC / str(number) / "task").iterdir())) <= 1
    except OSError:
        return False


@lru_cache(maxsize=4)
def _where(proc: Path) -> str:
    """This start of this machine, seen from these namespaces: numbers and ticks mean the same only in here."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text("ascii").strip()
        spaces = [str((proc / "self/ns" / name).readlink()) for name in ("pid", "time")]
    except OSError:
        return ""
    return blake2s("|".join([boot, *spaces]).encode(), digest_size=6).hexdigest()
