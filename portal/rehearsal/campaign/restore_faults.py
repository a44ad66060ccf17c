"""Time travel: the database goes back to a copy taken while packages were on their way.

The copy is what a power cut would have left: every process of PostgreSQL stands still while its folder is copied.
Schools, officers and packing stand still from the copy to the restore, only sending goes on: what the copy does not
know is which packages left and what the Ministry said. It is asked about each of them first, as the operator's guide
has it (`outbox restored`); what it does not know goes out again, with its id, and nothing has a second effect.
"""

import contextlib
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.campaign.storage_faults import LANE

_COME_OUT_SECONDS = 25.0
_CATCH_SECONDS = 6.0
_SENT_SECONDS = 8.0
_UP_SECONDS = 40.0
_ROOM = 3  # times the size of the folder must be free
_QUEUED = "SELECT id FROM gateway_submission WHERE state = 'QUEUED' AND NOT id = ANY(%s::uuid[])"
_ANSWERED = "SELECT id FROM gateway_submission WHERE acknowledged_at IS NOT NULL AND id = ANY(%s::uuid[])"


def kinds() -> list[Kind]:
    return [Kind("backup:restored", Stage.FORWARDING, _restore, LANE, most=1)]


def _restore(site: Site, rng: Random) -> float:
    data = site.env.installation.places.pgdata
    copy = data.with_name("pgdata.copy")
    with contextlib.ExitStack() as forwarding, contextlib.ExitStack() as others:
        # Nobody sends until a few packages wait and the copy is taken: they leave in the time that will be forgotten.
        forwarding.enter_context(site.frozen(site.family("worker-forwarding")))
        _await(site, _QUEUED, [], seconds=_CATCH_SECONDS)
        if not others.enter_context(site.gate.shut(seconds=_COME_OUT_SECONDS)):
            raise Missed
        others.enter_context(_down(site, "worker-records"))
        waiting = _rows(site, _QUEUED, [])
        try:
            _copy(site, data, copy)
            forwarding.close()
            # Packages leave and are answered; the copy knows nothing of it.
            _await(site, _ANSWERED, waiting, seconds=_SENT_SECONDS)
            site.pause(rng.uniform(0, 2))
            with _down(site, "web", "beat", "worker-forwarding"):
                with _down(site, "postgres"):
                    shutil.rmtree(data)
                    copy.rename(data)
                    restored_at = time.monotonic()
                _stands(site, "postgres")
                _as_the_guide_says(site)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return restored_at


def _as_the_guide_says(site: Site) -> None:
    """Before anything runs again the Ministry is to be asked about whatever waits: it may have left after the copy."""
    done = site.env.manage("outbox", "restored", "--json", timeout=60)
    if done.returncode:
        raise AssertionError(f"outbox restored: {done.stderr[-300:]}")


def _copy(site: Site, data: Path, copy: Path) -> None:
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    if shutil.disk_usage(data).free < _ROOM * size:
        raise Missed
    with site.frozen(site.family("postgres")):
        shutil.copytree(data, copy, symlinks=True)


@contextlib.contextmanager
def _down(site: Site, *names: str) -> Iterator[None]:
    """Dead for the time of the block, all at once; the supervisor starts them again afterwards."""
    children = [site.env.supervisor.children[name] for name in names]
    try:
        with site.env.supervisor.lock:
            for child in children:
                child.wanted = False
            for child in children:
                if child.process is not None and child.pid is not None:
                    child.process.send_signal(signal.SIGKILL)
            for child in children:
                child.wait_end()
        yield
    finally:
        with site.env.supervisor.lock:
            for child in children:
                child.wanted = True
                child.early_deaths = 0
                child.again_at = time.monotonic()


def _stands(site: Site, name: str) -> None:
    end = time.monotonic() + _UP_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if site.env.supervisor.children[name].is_ready():
                return
        time.sleep(0.1)
    raise AssertionError(f"{name} did not start from the copy")


def _await(site: Site, sql: str, known: list[object], *, seconds: float) -> None:
    """Until this finds a row."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not site.over.is_set():
        if _rows(site, sql, known):
            return
        site.pause(0.05)
    raise Missed


def _rows(site: Site, sql: str, known: list[object]) -> list[object]:
    try:
        with site.connect() as line:
            return [row[0] for row in line.execute(sql.encode(), [known]).fetchall()]
    except psycopg.Error:
        return []
