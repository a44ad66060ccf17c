"""After the last fault: everything is let go, and the system gets time, and nothing else, to bring its work to an end.

Then schools ask for their answers and the journal's chain is verified.
"""

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg

from gateway.simulator.control import ControlRefused
from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.campaign import clock_faults
from portal.rehearsal.campaign.ledger import SchoolLedger
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.doors import DoorClosed, Line, SoftwareDoor
from portal.rehearsal.parcels import API
from portal.rehearsal.paths import door_paths

_OPEN = """
SELECT (SELECT count(*) FROM records_batch WHERE state IN ('RECEIVED', 'OPENED') AND set_aside_at IS NULL),
       (SELECT count(*) FROM records_record WHERE state = 'RECEIVED' OR (state = 'ADMITTED' AND standing = 'IN_FORCE')),
       (SELECT count(*) FROM gateway_submission WHERE closed_at IS NULL)
           + (SELECT count(*) FROM gateway_item i JOIN records_record r ON r.item_id = i.id WHERE verdict = 'PENDING'),
       -- One that nobody approved, because a fault fell between the officers' two acts, waits for a person, not for us.
       (SELECT count(*) FROM records_recall WHERE state = 'APPROVED')
"""
_QUERIES = 250
_CALM_LOOKS = 3
_STANDSTILL = 30.0


def wait(site: Site, *, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Until nothing is under way three looks in a row; what was still open when the time was over. `meanwhile` is what
    people go on doing."""
    started = time.monotonic()
    calm, left, best = 0, (-1, -1, -1, -1), 1 << 40
    deadline = started + seconds
    while time.monotonic() < min(deadline, started + 3 * seconds):
        let_go(site)
        meanwhile()
        left = _open(site)
        if 0 <= sum(left) < best:
            # A busy machine is slow, not lost: as long as less is open than ever before, it gets time.
            best = sum(left)
            deadline = max(deadline, time.monotonic() + _STANDSTILL)
        calm = calm + 1 if left == (0, 0, 0, 0) else 0
        if calm >= _CALM_LOOKS:
            break
        time.sleep(0.5)
    names = ("batches", "records", "submissions", "recalls")
    return {"drain_seconds": round(time.monotonic() - started, 1), "left_open": dict(zip(names, left, strict=True))}


def let_go(site: Site) -> None:
    """Every fault that could still hold something is taken back."""
    for order in site.orders.glob("P*"):
        if ".taken-" not in order.name:
            order.unlink(missing_ok=True)
    clock_faults.set_right(site)
    if site.ballast is not None:
        site.ballast.unlink(missing_ok=True)
    for pids in site.env.pids().values():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)
    with contextlib.suppress(OSError, http.client.HTTPException, ControlRefused, ValueError):
        site.control.clear_faults()
        site.control.end_silence()


def _open(site: Site) -> tuple[int, int, int, int]:
    try:
        with site.connect() as line:
            row = line.execute(_OPEN).fetchone()
    except psycopg.Error:
        row = None
    return tuple(row) if row else (-1, -1, -1, -1)


def ask_answers(rehearsal: Rehearsal, base_url: str, ledger: SchoolLedger) -> int:
    """Transaction 2 of schools' software for a spread of the batches that were acknowledged, written down."""
    asked = 0
    for message_id, school_code in _some(ledger):
        school = rehearsal.province.school(school_code)
        line = Line(base_url, timeout=20)
        door = SoftwareDoor(line, school.api_user_name, rehearsal.state.api_password, school.code, door_paths())
        try:
            lines = door.query_lines(message_id)
        except (OSError, http.client.HTTPException, DoorClosed, ValueError):
            continue
        finally:
            line.close()
        ledger.told(message_id, [(str(one["ma_tra_cuu_uuid"]), _word(one), str(one.get("error", ""))) for one in lines])
        asked += 1
    return asked


def _word(line: dict[str, Any]) -> int:
    """1 the Ministry has accepted it, 0 it is refused by one of the two, -1 nothing final."""
    ministry = line.get("trang_thai_bo")
    if line.get("trang_thai") == 0 or ministry == 0:
        return 0
    return 1 if ministry == 1 else -1


def _some(ledger: SchoolLedger) -> list[tuple[str, str]]:
    schools: dict[str, str] = {}
    acknowledged: list[str] = []
    with ledger.path.open("rb") as file:
        for raw in file:
            line = json.loads(raw)
            if line["event"] == "MADE" and line["door"] == API:
                schools[line["message_id"]] = line["school"]
            elif line["event"] == "ACKNOWLEDGED" and line["message_id"] in schools:
                acknowledged.append(line["message_id"])
    unique = list(dict.fromkeys(acknowledged))
    step = max(1, len(unique) // _QUERIES)
    return [(message_id, schools[message_id]) for message_id in unique[::step]]


def verify_journal(site: Site) -> str:
    """Seal what is open, then verify the chain, with the portal's own command; "intact" or what it said."""
    for what in ("seal", "verify"):
        done = site.env.manage("journal", what, timeout=120)
        if done.returncode:
            return (done.stderr or done.stdout).strip()[-400:]
    return "intact"
