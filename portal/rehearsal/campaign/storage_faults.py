"""Stored bytes rot: one bit of a hand-in before it is checked, one bit of a sealed package before it is sent.

The damage is made by SQL of a superuser and undone later, as a restore from a copy would. Each time the portal must
call the damage by its own name, neither refuse a school's file for it nor send a byte of it, and finish afterwards.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import psycopg

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage
from portal.rehearsal.campaign.site import Site

LANE = "storage"
_CATCH_SECONDS = 5.0
_NOTICE_SECONDS = 15.0
_REPAIR_SECONDS = 60.0
_REASON = "Diễn tập: đã khôi phục tệp từ bản sao."


def kinds() -> list[Kind]:
    return [
        Kind("storage:bit-flipped", Stage.RECORDS, _flip_hand_in, LANE, most=2),
        Kind("storage:package-bit-flipped", Stage.FORWARDING, _flip_package, LANE, most=2),
    ]


def _flip_hand_in(site: Site, rng: Random) -> float:
    with site.frozen(site.family("worker-records")):
        batch, content, piece, data = _caught(
            site,
            "SELECT b.id, c.content_id, c.index, c.data FROM records_batch b"
            " JOIN records_contentchunk c ON c.content_id = b.content_id WHERE b.state = 'RECEIVED'"
            " AND b.attempts_made = 0 AND b.set_aside_at IS NULL ORDER BY b.received_at LIMIT 1",
        )
        change = "UPDATE records_contentchunk SET data = %s WHERE content_id = %s AND index = %s"
        _execute(site, change, (flipped(bytes(data), rng), content, piece))
    try:
        noticed = _until(
            site, "SELECT state, set_aside_code FROM records_batch WHERE id = %s", batch,
            lambda row: row[1] != "" or row[0] in ("PROCESSED", "REFUSED"),
        )  # fmt: skip
    finally:
        _execute(site, change, (bytes(data), content, piece))
    if noticed is not None and noticed != ("RECEIVED", "CONTENT_DAMAGED"):
        raise AssertionError(f"batch {batch} with a flipped bit became {noticed}")
    _set_going(site, batch)
    if noticed is None:
        raise Missed  # the worker was dead meanwhile: the file is whole again, nobody has seen the damage
    return time.monotonic()


def _flip_package(site: Site, rng: Random) -> float:
    with site.frozen(site.family("worker-forwarding")):
        package, data = _caught(
            site,
            "SELECT s.id, d.packed FROM gateway_submission s JOIN gateway_document d ON d.submission_id = s.id"
            " WHERE s.state = 'QUEUED' AND s.first_sent_at IS NULL ORDER BY s.enqueued_at LIMIT 1",
        )
        change = "UPDATE gateway_document SET packed = %s WHERE submission_id = %s"
        _execute(site, change, (flipped(bytes(data), rng), package))
    try:
        noticed = _until(
            site, "SELECT state, reason_code FROM gateway_submission WHERE id = %s", package,
            lambda row: row[1] == "DOCUMENT_DAMAGED" or row[0] not in ("QUEUED", "SENDING"),
        )  # fmt: skip
    finally:
        _execute(site, change, (bytes(data), package))
    if noticed is None:
        raise Missed
    if noticed[1] != "DOCUMENT_DAMAGED":
        # A worker that died in the attempt leaves an unknown fate; the Ministry's own files tell whether it was sent.
        if noticed[0] == "UNCERTAIN":
            raise Missed
        raise AssertionError(f"package {package} with a flipped bit became {noticed}")
    return time.monotonic()


def flipped(data: bytes, rng: Random) -> bytes:
    """The same bytes but for one bit, anywhere."""
    place = rng.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _caught(site: Site, sql: str) -> tuple[Any, ...]:
    """The first row that this gives, within a few seconds."""
    end = time.monotonic() + _CATCH_SECONDS
    while time.monotonic() < end and not site.over.is_set():
        with _session(site) as line:
            row = line.execute(sql.encode()).fetchone()
        if row is not None:
            return tuple(row)
        site.pause(0.05)
    raise Missed


def _until(site: Site, sql: str, key: object, done: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...] | None:
    """The row as soon as it says so; None when it does not in time."""
    end = time.monotonic() + _NOTICE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(Missed), _session(site) as line:
            row = line.execute(sql.encode(), [key]).fetchone()
            if row is not None and done(tuple(row)):
                return tuple(row)
        time.sleep(0.1)
    return None


def _set_going(site: Site, batch: object) -> None:
    """As an officer does after the repair."""
    done = site.env.manage("records", "resume", "--batch", str(batch), "--reason", _REASON, timeout=60)
    if done.returncode:
        # The database was away: once more below, by hand.
        _execute(
            site,
            "UPDATE records_batch SET set_aside_at = NULL, set_aside_code = '', attempts_in_vain = 0 WHERE id = %s",
            (batch,),
        )


def _execute(site: Site, sql: str, values: tuple[object, ...]) -> None:
    """Surely: the damage must not outlive its fault because the database was away for a moment."""
    end = time.monotonic() + _REPAIR_SECONDS
    while True:
        try:
            with site.connect() as line, line.transaction():
                line.execute("SET LOCAL session_replication_role = replica")
                line.execute(sql.encode(), values)
            return
        except psycopg.Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@contextlib.contextmanager
def _session(site: Site) -> Iterator[psycopg.Connection[Any]]:
    try:
        with site.connect() as line:
            yield line
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise Missed from None
