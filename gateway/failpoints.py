"""Named places at which a rehearsal may break us: inert unless HOCBA_FAILPOINT (or GATEWAY_FAILPOINT) arms one.

Form: `name:action[:argument][:times]`, several separated by commas; `times` counts in this process, or, with
HOCBA_FAILPOINT_DIR set, over all processes that share the folder. Actions: `kill` (SIGKILL to this process),
`sleep` (argument = seconds), `raise`, `stop` (SIGSTOP to this process). With HOCBA_FAILPOINT_ORDERS naming a folder, a
file there called like the place and holding `action[:argument]` strikes the first process that takes it, once: so a
running system is armed without a restart. Used by the campaign only; production refuses to start with one armed.

Names: P1 body streaming, P2 stored and hashed, P3 batch committed, P4 receipt answered, P5 batch leased, P6 record
verified, P7 verdicts committed, P8 outbox row written, P9 claim committed, P10 sealed, P11 document loaded, P12 before
the call, P13 body sent, P14 answer read, P15 answer understood, P16 settled, P17 verdicts fetched, P18 committed.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NAMES: Final = tuple(f"P{number}" for number in range(1, 21))
_VARIABLES: Final = ("HOCBA_FAILPOINT", "GATEWAY_FAILPOINT")


class FailpointReached(RuntimeError):
    """Raised by the action `raise`."""


@dataclass
class _Armed:
    name: str
    action: str
    argument: float = 0.0
    times: int = 1
    spent: int = field(default=0)

    def take(self) -> bool:
        if self.spent >= self.times:
            return False
        self.spent += 1
        folder = os.environ.get("HOCBA_FAILPOINT_DIR")
        return folder is None or _take_shared(Path(folder), self.name, self.times)


def reach(name: str) -> None:
    """Pass the place `name`; usually nothing happens."""
    if _ORDERS is not None:
        _obey(_ORDERS, name)
    for armed in _ARMED:
        if armed.name == name and armed.take():
            _act(armed)


def armed() -> bool:
    """Whether anything is armed in this process (a system check asks)."""
    return bool(_ARMED) or _ORDERS is not None


def arm(specification: str) -> None:
    """Replace what is armed in this process; "" disarms. Used by tests."""
    _ARMED[:] = [_read(part) for part in specification.split(",") if part.strip()]


def _read(part: str) -> _Armed:
    name, action, *rest = part.strip().split(":")
    if action not in {"kill", "sleep", "raise", "stop"}:
        raise ValueError(f"unknown failpoint action: {action}")
    argument = float(rest[0]) if rest and rest[0] else 0.0
    return _Armed(name, action, argument, int(rest[1]) if len(rest) > 1 else 1)


def _act(armed: _Armed) -> None:
    match armed.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(armed.argument)
        case "raise":
            raise FailpointReached(armed.name)


def _obey(folder: Path, name: str) -> None:
    """Take the order for this place, if one lies there: renaming makes it ours alone."""
    taken = folder / f"{name}.taken-{os.getpid()}-{time.monotonic_ns()}"
    try:
        (folder / name).rename(taken)
        order = taken.read_text("ascii").strip()
    except FileNotFoundError:
        return
    _act(_read(f"{name}:{order}"))


def _take_shared(folder: Path, name: str, times: int) -> bool:
    for number in range(times):
        try:
            (folder / f"{name}.{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


_ARMED: Final[list[_Armed]] = []
_ORDERS: Final = Path(os.environ["HOCBA_FAILPOINT_ORDERS"]) if os.environ.get("HOCBA_FAILPOINT_ORDERS") else None
arm(",".join(filter(None, (os.environ.get(variable, "") for variable in _VARIABLES))))
