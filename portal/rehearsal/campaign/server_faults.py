"""Faults of the servers below us: the broker forgets, stops, refuses writes; the database throws us out or is locked.

They use ordinary means (signals, SQL, a full file system), never a word of the portal's code.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, NotRun, Stage
from portal.rehearsal.campaign.site import Site

_LANE = "servers"
_OURS = "application_name IS DISTINCT FROM 'campaign' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"


def kinds() -> list[Kind]:
    return [
        Kind("broker:flushed", Stage.RECORDS, _flush, _LANE),
        Kind("broker:stopped", Stage.RECORDS, _stop_broker, _LANE),
        Kind("broker:read-only", Stage.RECORDS, _read_only_broker, _LANE),
        Kind("database:sessions-terminated", Stage.FORWARDING, _terminate, _LANE),
        Kind("database:stopped", Stage.FORWARDING, _stop_database, _LANE),
        Kind("database:connections-exhausted", Stage.FORWARDING, _exhaust, _LANE),
        Kind("database:rows-locked", Stage.FORWARDING, _lock_rows, _LANE),
        Kind("disk:full", Stage.INTAKE, _fill_disk, _LANE, _no_small_disk),
    ]


def _flush(site: Site, rng: Random) -> None:
    try:
        site.env.flush_broker()
    except OSError:
        raise Missed from None


def _stop_broker(site: Site, rng: Random) -> None:
    with site.frozen(_pids(site, "valkey")):
        site.pause(rng.uniform(2, 6))


def _read_only_broker(site: Site, rng: Random) -> None:
    """No memory left: with `noeviction` every write is refused, reads go on."""
    _broker(site, "CONFIG SET maxmemory 1")
    try:
        site.pause(rng.uniform(2, 4))
    finally:
        with contextlib.suppress(Missed):  # killed meanwhile: it comes back with its own limit
            _broker(site, "CONFIG SET maxmemory 268435456")


def _broker(site: Site, command: str) -> None:
    path = site.env.installation.places.valkey_socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(5)
            line.connect(str(path))
            line.sendall(command.encode() + b"\r\n")
            answer = line.recv(200)
    except OSError:
        raise Missed from None
    if not answer.startswith(b"+OK"):
        raise NotRun(f"the broker refused {command.split(maxsplit=1)[0]}: {answer.decode(errors='replace').strip()}")


def _terminate(site: Site, rng: Random) -> None:
    with _database(site) as line:
        ended = line.execute(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS}").fetchone()  # noqa: S608
    if not ended or not ended[0]:
        raise Missed


def _stop_database(site: Site, rng: Random) -> None:
    with site.frozen(_pids(site, "postgres")):
        site.pause(rng.uniform(1, 3))


def _exhaust(site: Site, rng: Random) -> None:
    """Take every connection that is left, and throw out those who have one."""
    held: list[psycopg.Connection[Any]] = []
    try:
        with _database(site) as line:
            line.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS}")  # noqa: S608
            with contextlib.suppress(psycopg.OperationalError):
                while len(held) < 200:
                    held.append(site.connect())
        if len(held) < 10:
            raise Missed
        site.pause(rng.uniform(1, 3))
    finally:
        for one in held:
            with contextlib.suppress(psycopg.Error):
                one.close()


def _lock_rows(site: Site, rng: Random) -> None:
    """Somebody's long transaction holds every package and batch under way."""
    with _database(site) as line, line.transaction():
        line.execute("SET LOCAL lock_timeout = '3s'")
        try:
            line.execute("SELECT 1 FROM gateway_submission WHERE closed_at IS NULL FOR UPDATE")
            line.execute("SELECT 1 FROM records_batch WHERE processed_at IS NULL FOR UPDATE")
        except psycopg.errors.LockNotAvailable:
            raise Missed from None
        site.pause(rng.uniform(1, 4))


def _no_small_disk(site: Site) -> str:
    return "" if site.ballast else "needs root and its own mount namespace for a small tmpfs"


def _fill_disk(site: Site, rng: Random) -> None:
    """Not one byte is left for database, broker, simulator, spool and log; then the room comes back."""
    if site.ballast is None:
        raise NotRun("no small file system")
    free = os.statvfs(site.ballast.parent)
    with site.ballast.open("wb") as ballast, contextlib.suppress(OSError):
        os.posix_fallocate(ballast.fileno(), 0, max(free.f_bavail * free.f_frsize - 4096, 4096))
    try:
        site.pause(rng.uniform(1, 2.5))
    finally:
        site.ballast.unlink(missing_ok=True)


def _pids(site: Site, name: str) -> list[int]:
    pids = list(site.family(name))
    if not pids:
        raise Missed
    return pids


@contextlib.contextmanager
def _database(site: Site) -> Iterator[psycopg.Connection[Any]]:
    """A line to the database; a database that is away at the moment gives no occasion."""
    try:
        line = site.connect()
    except psycopg.OperationalError:
        raise Missed from None
    try:
        yield line
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise Missed from None
    finally:
        with contextlib.suppress(psycopg.Error):
            line.close()
