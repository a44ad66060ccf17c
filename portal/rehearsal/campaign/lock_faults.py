"""Somebody else's sessions in our database: a table locked longer than a lease, and deadlocks that we must lose.

Plain SQL of a superuser in a session of its own. A deadlock counts only when the database says that it broke one.
"""

import contextlib
import time
from random import Random
from typing import Any

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.site import LEASE_SECONDS, Site

_LANE = "servers"
_PATIENCE = 8.0
# First what a worker wants last, then, once a worker waits for us, what it holds already.
_CROSSINGS = {
    "forwarding": (
        "SELECT submission_id FROM gateway_attempt WHERE outcome = 'OPEN' ORDER BY id DESC LIMIT 20 FOR UPDATE",
        "SELECT 1 FROM gateway_submission WHERE id = ANY(%s) FOR UPDATE",
    ),
    "records": (
        "SELECT id FROM schools_school FOR UPDATE",
        "SELECT 1 FROM records_batch WHERE processed_at IS NULL AND school_id = ANY(%s) FOR UPDATE",
    ),
}


def kinds() -> list[Kind]:
    return [
        Kind("database:lock-held", Stage.FORWARDING, _hold_table, _LANE),
        Kind("database:deadlock-forwarding", Stage.FORWARDING, _deadlock("forwarding"), _LANE),
        Kind("database:deadlock-records", Stage.RECORDS, _deadlock("records"), _LANE),
    ]


def _hold_table(site: Site, rng: Random) -> None:
    """As a careless ALTER TABLE or VACUUM FULL does: nobody reads or writes the table, longer than a lease lasts."""
    table = rng.choice(("gateway_submission", "records_batch", "records_record", "audit_entry"))
    with _session(site) as line, line.transaction():
        line.execute("SET LOCAL lock_timeout = '3s'")
        line.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        site.pause(LEASE_SECONDS + rng.uniform(0.5, 1.5))


def _deadlock(where: str) -> Strike:
    first, second = _CROSSINGS[where]

    def strike(site: Site, rng: Random) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and not site.over.is_set():
            if _cross(site, first, second, until=end):
                return
        raise Missed

    return strike


def _cross(site: Site, first: str, second: str, *, until: float) -> bool:
    """One try; whether the database broke a deadlock."""
    with _session(site) as line:
        before = _broken(line)
        with contextlib.suppress(psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected), line.transaction():
            # We never look for deadlocks ourselves: the one that finds it, and gives way, is our own program.
            line.execute("SET LOCAL deadlock_timeout = '20s'")
            line.execute("SET LOCAL statement_timeout = '4s'")
            held = [row[0] for row in line.execute(first.encode()).fetchall()]
            if held and _somebody_waits(site, line, until=min(until, time.monotonic() + 2.0)):
                line.execute(second.encode(), [held])
        site.pause(0.3)
        return _broken(line) > before


def _somebody_waits(site: Site, line: psycopg.Connection[Any], *, until: float) -> bool:
    with _session(site) as other:
        while time.monotonic() < until and not site.over.is_set():
            row = other.execute(
                "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", [line.info.backend_pid]
            ).fetchone()
            if row:
                return True
            site.pause(0.05)
    return False


def _broken(line: psycopg.Connection[Any]) -> int:
    line.execute("SELECT pg_stat_clear_snapshot()")
    row = line.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return int(row[0]) if row else 0


@contextlib.contextmanager
def _session(site: Site) -> Any:
    """A session; whatever ends it, another fault or our own time-out, gives no occasion."""
    try:
        with site.connect() as line:
            yield line
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise Missed from None
