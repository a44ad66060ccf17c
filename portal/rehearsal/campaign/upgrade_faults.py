"""The schema changes while everything runs: one migration back and forth again, columns and an index under a lock.

Through `manage.py migrate`, as an administrator would who has found that the new version must wait. Doors and workers
meet a schema they do not know for some seconds; nothing of the queue may suffer. A room's newest migration is taken
back unless that would throw away what a school or the Ministry has said: columns of the tables that hold it are only
given up where they are named below as our own pace of work, which a look at the rows gives back.
"""

import contextlib
import time
from random import Random

import psycopg
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import AddField, AlterField, FieldOperation

from portal.rehearsal.campaign.kinds import Kind, Missed, NotRun, Stage
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.campaign.storage_faults import LANE

_ROOMS = ("gateway", "records")
# The way back through a column of these would throw away what a school or the Ministry has said …
_KEPT = {"submission", "item", "attempt", "receipt", "document", "batch", "record", "recall", "content", "contentchunk"}
# … but for those that only say when and how often we look: forgotten, they cost one look too many.
_PACE = {("batch", name) for name in ("rechecks", "evidence_mark", "answers_mark", "waits_for")}
# Fields whose newest change named another choice and left the column as it was.
_CHOICES = {("recall", "state")}
_TRIES = 6
_TABLES = ("records_batch", "gateway_submission", "records_record", "gateway_item")


def kinds() -> list[Kind]:
    return [
        Kind("upgrade:migration-back", Stage.FORWARDING, _back_and_forth, LANE, most=1),
        Kind("upgrade:migration-added", Stage.FORWARDING, _added, LANE, most=2),
    ]


def _back_and_forth(site: Site, rng: Random) -> None:
    steps = last_steps()
    if not steps:
        raise NotRun("the last migration of every room holds what schools or the Ministry have said")
    room, before = rng.choice(steps)
    back = _migrate(site, room, before, tries=1)
    try:
        if back:
            site.pause(rng.uniform(0.5, 1.5))
    finally:
        # Also after a way back that broke off half-way: it is one transaction, but who knows what the answer was.
        there = _migrate(site, room, "", tries=_TRIES)
    if not there:
        raise AssertionError(f"{room} could not be migrated forwards again")
    if not back:
        raise Missed


def last_steps() -> list[tuple[str, str]]:
    """Rooms whose newest migration can be taken back, each with the one before it."""
    loader = MigrationLoader(None)
    found = []
    for room in _ROOMS:
        names = sorted(name for app, name in loader.disk_migrations if app == room)
        newest = loader.disk_migrations[room, names[-1]]
        if (
            len(names) > 1
            and not any(map(_loses, newest.operations))
            and all(one.reversible for one in newest.operations)
        ):
            found.append((room, names[-2]))
    return found


def _loses(operation: Operation) -> bool:
    """Whether its way back would throw away what somebody has said."""
    if not isinstance(operation, FieldOperation):
        return False
    changed = operation.model_name.lower(), operation.name
    harmless = _PACE if isinstance(operation, AddField) else _CHOICES if isinstance(operation, AlterField) else set()
    return changed[0] in _KEPT and changed not in harmless


def _migrate(site: Site, room: str, target: str, *, tries: int) -> bool:
    for number in range(tries):
        done = site.env.manage("migrate", room, *([target] if target else []), "--skip-checks", "-v", "0", timeout=90)
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
