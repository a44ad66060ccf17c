"""The schema changes while everything runs: one migration back and forth again, columns and an index under a lock.

Through `manage.py migrate`, as an administrator would who has found that the new version must wait. Workers meet a
schema they do not know for some seconds; nothing of the queue may suffer.
"""

import contextlib
import time
from random import Random

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.campaign.storage_faults import LANE

# The last step of each room whose way back loses nothing that a school or the Ministry has said.
_STEPS = (("gateway", "0002", "0003"), ("records", "0005", "0006"))
_TRIES = 6
_TABLES = ("records_batch", "gateway_submission", "records_record", "gateway_item")


def kinds() -> list[Kind]:
    return [
        Kind("upgrade:migration-back", Stage.FORWARDING, _back_and_forth, LANE, most=1),
        Kind("upgrade:migration-added", Stage.FORWARDING, _added, LANE, most=2),
    ]


def _back_and_forth(site: Site, rng: Random) -> None:
    room, before, after = rng.choice(_STEPS)
    back = _migrate(site, room, before, tries=1)
    try:
        if back:
            site.pause(rng.uniform(0.5, 1.5))
    finally:
        # Also after a way back that broke off half-way: it is one transaction, but who knows what the answer was.
        there = _migrate(site, room, after, tries=_TRIES)
    if not there:
        raise AssertionError(f"{room} could not be migrated to {after} again")
    if not back:
        raise Missed


def _migrate(site: Site, room: str, target: str, *, tries: int) -> bool:
    for number in range(tries):
        done = site.env.manage("migrate", room, target, "--skip-checks", "-v", "0", timeout=90)
        if done.returncode == 0:
            return True
        time.sleep(0.5 * (number + 1))
    return False


def _added(site: Site, rng: Random) -> None:
    """What an additive migration does: columns on the tables of the queue, held a moment, an index, and gone again."""
    table = rng.choice(_TABLES)
    try:
        with site.connect() as line:
            with line.transaction():
                line.execute("SET LOCAL lock_timeout = '3s'")
                line.execute(f"ALTER TABLE {table} ADD COLUMN campaign integer NOT NULL DEFAULT 0".encode())
                line.execute(f"CREATE INDEX campaign_{table} ON {table} (campaign)".encode())
                site.pause(rng.uniform(1, 3))
            site.pause(1.0)
    except psycopg.OperationalError:
        raise Missed from None
    finally:
        _drop(site, table)


def _drop(site: Site, table: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(psycopg.Error), site.connect() as line:
            line.execute("SET lock_timeout = '3s'")
            line.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS campaign".encode())
            return
        time.sleep(0.3)
    raise AssertionError(f"{table}: the column could not be dropped")
