"""Faults of our own processes: killed at random and at every named step, frozen past their lease, all dead at once."""

import contextlib
import os
import signal
import time
from random import Random

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.site import LEASE_SECONDS, Site

_HEAVY = "processes"
_STEPS = "steps"
_FROZEN = "frozen"
_KILLED = {
    "worker-records": Stage.RECORDS, "worker-forwarding": Stage.FORWARDING, "beat": Stage.FORWARDING,
    "web": Stage.INTAKE, "simulator": Stage.FORWARDING, "postgres": Stage.FORWARDING, "valkey": Stage.RECORDS,
}  # fmt: skip
_STAGE_OF_STEP = {
    **dict.fromkeys(("P1", "P2", "P3", "P4"), Stage.INTAKE),
    **dict.fromkeys(("P5", "P6", "P7", "P8", "P10"), Stage.RECORDS),
    **dict.fromkeys(("P9", "P11", "P12", "P13", "P14", "P15", "P16", "P17", "P18"), Stage.FORWARDING),
}
_READY_SECONDS = 10.0
_WORK_SECONDS = 4.0


def kinds() -> list[Kind]:
    killed = [Kind(f"kill:{name}", stage, _kill(name), _HEAVY) for name, stage in _KILLED.items()]
    pooled = [
        Kind(f"kill-pool:{name}", _KILLED[name], _kill_pooled(name), _STEPS)
        for name in ("worker-records", "worker-forwarding", "web")
    ]
    steps = [Kind(f"step:{name}", stage, _at_step(name), _STEPS) for name, stage in _STAGE_OF_STEP.items()]
    frozen = [
        Kind("frozen:worker-forwarding", Stage.FORWARDING, _freeze("worker-forwarding"), _FROZEN),
        Kind("frozen:worker-records", Stage.RECORDS, _freeze("worker-records"), _FROZEN),
        Kind("frozen:at-step", Stage.FORWARDING, _freeze_at_step, _FROZEN),
    ]
    return [*killed, *pooled, *steps, *frozen, Kind("kill:everything", Stage.FORWARDING, _kill_everything, _HEAVY)]


def _kill(name: str) -> Strike:
    def strike(site: Site, rng: Random) -> float | None:
        site.pause(rng.uniform(0, 0.5))
        try:
            site.env.kill(name)
        except ProcessLookupError:
            raise Missed from None
        return _stands_again(site, [name])

    return strike


def _kill_pooled(name: str) -> Strike:
    def strike(site: Site, rng: Random) -> float | None:
        forked = site.family(name)[1:]
        if not forked:
            raise Missed
        try:
            os.kill(rng.choice(forked), signal.SIGKILL)
        except ProcessLookupError:
            raise Missed from None
        site.pause(0.3)
        return None

    return strike


def _kill_everything(site: Site, rng: Random) -> float:
    """Every process group at once, servers included; the supervisor starts all of it again.

    At a random moment: some starts come to work in between, some do not.
    """
    site.pause(rng.uniform(0, _WORK_SECONDS))
    groups = [child.pid for child in site.env.supervisor.children.values() if child.pid is not None]
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return _stands_again(site, list(site.env.supervisor.children))


def _stands_again(site: Site, names: list[str]) -> float:
    """A kill is over at once (that moment is returned): what comes after it is recovery. The wait is bounded."""
    ended = time.monotonic()
    site.pause(0.3)
    end = ended + _READY_SECONDS
    waiting = list(names)
    while waiting and time.monotonic() < end and not site.over.is_set():
        waiting = [name for name in waiting if not is_ready(site, name)]
        site.pause(0.1)
    return ended


def is_ready(site: Site, name: str) -> bool:
    """Whether a program answers; one that is just being started again does not."""
    try:
        return site.env.supervisor.children[name].is_ready()
    except OSError:
        return False


def _at_step(name: str) -> Strike:
    def strike(site: Site, rng: Random) -> float | None:
        if not site.order(name, "kill", patience=7.0):
            raise Missed
        return None

    return strike


def _freeze(name: str) -> Strike:
    """The whole worker stops longer than its lease and wakes up as a zombie with old claims in its hands."""

    def strike(site: Site, rng: Random) -> float | None:
        pids = site.family(name)
        if not pids:
            raise Missed
        with site.frozen(pids):
            site.pause(LEASE_SECONDS + rng.uniform(0.5, 2.0))
        return None

    return strike


def _freeze_at_step(site: Site, rng: Random) -> None:
    """One process stops right before an irreversible act and wakes up after its lease is over."""
    step = rng.choice(("P9", "P10", "P12", "P13", "P14", "P15"))
    if not site.order(step, "stop", patience=7.0):
        raise Missed
    taken = max(site.orders.glob(f"{step}.taken-*"), key=lambda path: path.stat().st_mtime_ns)
    pid = int(taken.name.split("-")[1])
    try:
        site.pause(LEASE_SECONDS + rng.uniform(0.5, 2.0))
    finally:
        with contextlib.suppress(ProcessLookupError):  # somebody killed it meanwhile
            os.kill(pid, signal.SIGCONT)
