"""The simulator's own memory: SQLite, written through in full before anything is acknowledged.

It is the only writer of its file. A message that was acknowledged is on disk with its document; what was judged was
judged in one transaction with its effects, so a kill at any moment leaves either all of it or none.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    messageid TEXT PRIMARY KEY, type INTEGER NOT NULL, unit TEXT NOT NULL, home_unit TEXT NOT NULL,
    school_year TEXT NOT NULL, document_sha256 TEXT NOT NULL, stage INTEGER NOT NULL, received_at REAL NOT NULL,
    due_at REAL, silent INTEGER NOT NULL DEFAULT 0, plan TEXT NOT NULL DEFAULT '{}', receipt BLOB NOT NULL,
    error TEXT NOT NULL DEFAULT '', error_description TEXT NOT NULL DEFAULT '', times_seen INTEGER NOT NULL DEFAULT 1,
    records INTEGER, judged_at REAL);
CREATE INDEX IF NOT EXISTS message_due ON message (due_at) WHERE due_at IS NOT NULL AND silent = 0;
CREATE TABLE IF NOT EXISTS line (
    messageid TEXT NOT NULL, position INTEGER NOT NULL, uuid TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    pupil_code TEXT NOT NULL, pupil_name TEXT NOT NULL, pupil_cccd TEXT NOT NULL, verdict INTEGER NOT NULL,
    errors TEXT NOT NULL, took_effect INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (messageid, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS line_uuid ON line (uuid);
CREATE TABLE IF NOT EXISTS holding (
    uuid TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, effects INTEGER NOT NULL,
    messageid TEXT NOT NULL, school TEXT NOT NULL, state TEXT NOT NULL, held_at REAL NOT NULL,
    signature_verified INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certificate (
    sha256 TEXT NOT NULL, unit TEXT NOT NULL, serial TEXT NOT NULL, der BLOB NOT NULL, messageid TEXT,
    kind TEXT NOT NULL, provider TEXT NOT NULL, approved INTEGER, decide_at REAL,
    PRIMARY KEY (sha256, unit)) WITHOUT ROWID;
"""


class Stage(IntEnum):
    """The five stages of a message that the central system shows."""

    NEWLY_RECEIVED = 1  # ours: to be taken up
    PROCESSING = 2  # ours: the judge has it
    PROCESSED = 3  # ours: verdicts reached
    REPLY_MADE = 4  # theirs: to be fetched
    REPLY_READ = 5  # nobody's


@dataclass(frozen=True, slots=True)
class Message:
    """One transaction of type 1, 3 or 5 as it was acknowledged."""

    messageid: str
    type: int
    unit: str
    home_unit: str
    school_year: str
    document_sha256: str
    stage: int
    received_at: float
    due_at: float | None
    silent: int
    plan: str
    receipt: bytes
    error: str
    error_description: str
    times_seen: int
    records: int | None
    judged_at: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on one record: `verdict` as it travels (type 1: 1/0; type 5: 1/2/3); errors = (code, field, text)."""

    position: int
    uuid: str
    sha256: str
    size: int
    pupil_code: str
    pupil_name: str
    pupil_cccd: str
    verdict: int
    errors: tuple[tuple[str, str, str], ...]
    took_effect: bool = False

    def row(self, messageid: str) -> tuple[Any, ...]:
        errors = json.dumps(self.errors, ensure_ascii=False)
        pupil = (self.pupil_code, self.pupil_name, self.pupil_cccd)
        place = (messageid, self.position, self.uuid, self.sha256, self.size)
        return (*place, *pupil, self.verdict, errors, int(self.took_effect))


@dataclass(frozen=True, slots=True)
class Holding:
    """A record that the repository holds or held."""

    uuid: str
    sha256: str
    size: int
    messageid: str
    school: str
    signature_verified: bool


class Store:
    """One connection for writing and small questions, its own read connection for the bulk export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.documents.mkdir(parents=True, exist_ok=True)
        self._path = folder / "repository.sqlite3"
        self._lock = threading.RLock()
        self._connection = self._open()
        self._connection.executescript(_SCHEMA)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")
        return connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or none of it, on disk when the block is left."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a long answer, read beside the writer."""
        connection = self._open()
        try:
            yield from connection.execute(sql, values)
        finally:
            connection.close()

    # -- documents -------------------------------------------------------------------------------------------------
    def keep_document(self, sha256: str, packed: bytes) -> None:
        """Put the packed document on disk for good, before its message is acknowledged."""
        path = self.document_path(sha256)
        if not path.exists():
            write_through(path, packed)

    def document_path(self, sha256: str) -> Path:
        return self.documents / f"{sha256}.gz"

    # -- messages --------------------------------------------------------------------------------------------------
    def message(self, messageid: str) -> Message | None:
        rows = self.rows("SELECT * FROM message WHERE messageid = ?", (messageid,))
        return Message(*rows[0]) if rows else None

    def add_message(self, message: Message, connection: sqlite3.Connection) -> None:
        values = [getattr(message, name) for name in Message.__dataclass_fields__]
        marks = ",".join("?" * len(values))
        connection.execute(f"INSERT INTO message VALUES ({marks})", values)  # noqa: S608 only question marks

    def lines(self, messageid: str) -> list[Line]:
        sql = (
            "SELECT position, uuid, sha256, size, pupil_code, pupil_name, pupil_cccd, verdict, errors, took_effect"
            " FROM line WHERE messageid = ? ORDER BY position"
        )
        return [_line_of(row) for row in self.rows(sql, (messageid,))]

    def add_lines(self, messageid: str, lines: Iterable[Line], connection: sqlite3.Connection) -> None:
        rows = [line.row(messageid) for line in lines]
        connection.executemany("INSERT OR REPLACE INTO line VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)

    def next_due(self) -> Message | None:
        """The message that is to be judged first, due or not."""
        sql = "SELECT * FROM message WHERE due_at IS NOT NULL AND silent = 0 ORDER BY due_at LIMIT 1"
        rows = self.rows(sql)
        return Message(*rows[0]) if rows else None

    # -- holdings --------------------------------------------------------------------------------------------------
    def holdings(self, uuids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
        """uuid → (state, school, sha256) of those we hold or held."""
        found: dict[str, tuple[str, str, str]] = {}
        for start in range(0, len(uuids), 500):
            part = uuids[start : start + 500]
            marks = ",".join("?" * len(part))
            sql = f"SELECT uuid, state, school, sha256 FROM holding WHERE uuid IN ({marks})"  # noqa: S608
            found.update({row[0]: (row[1], row[2], row[3]) for row in self.rows(sql, part)})
        return found

    def hold(self, holdings: Iterable[Holding], now: float, connection: sqlite3.Connection) -> None:
        rows = [(h.uuid, h.sha256, h.size, h.messageid, h.school, now, int(h.signature_verified)) for h in holdings]
        connection.executemany(
            "INSERT INTO holding VALUES (?,?,?,1,?,?,'HELD',?,?)"
            " ON CONFLICT (uuid) DO UPDATE SET effects = effects + 1, sha256 = excluded.sha256",
            rows,
        )


def _line_of(row: tuple[Any, ...]) -> Line:
    *plain, errors, effect = row
    return Line(*(*plain, tuple(tuple(error) for error in json.loads(errors)), bool(effect)))


def write_through(path: Path, data: bytes) -> None:
    """Write a file so that a power cut leaves the whole of it or nothing under its name."""
    draft = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
