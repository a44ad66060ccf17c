"""Reads what the three witnesses say into plain rows: the schools' ledger, our database, the repository's own files.

Plain SQL, SQLite and JSON lines only; like the checker it imports nothing of what is judged.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

Row = dict[str, Any]


@dataclass
class Made:
    """A record as a school made it."""

    uuid: str
    sha256: str
    school: str
    message_id: str
    door: str


@dataclass
class Handed:
    message_id: str
    records: list[Made]
    sha256: str = ""
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    receipts: list[Any] = field(default_factory=list)
    told: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Witnesses:
    """Where the three lie."""

    ledger: Path
    database: dict[str, str]
    repository: Path


@dataclass
class Said:
    """Everything the three witnesses say, as plain rows; `read` fills it, tests make it up."""

    batches: dict[str, Handed] = field(default_factory=dict)
    recalled: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    in_batches: dict[tuple[str, str], Row] = field(default_factory=dict)
    submissions: dict[str, Row] = field(default_factory=dict)
    proofs: list[Row] = field(default_factory=list)
    recall_items: list[Row] = field(default_factory=list)
    entries: set[tuple[str, str]] = field(default_factory=set)
    messages: dict[str, Row] = field(default_factory=dict)
    lines: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    line_of: dict[tuple[str, str], Row] = field(default_factory=dict)
    holdings: dict[str, Row] = field(default_factory=dict)
    requests: list[Row] = field(default_factory=list)
    broken_lines: int = 0


def read(witnesses: Witnesses) -> Said:
    """All three, after quiet time."""
    said = Said()
    said.batches, said.recalled = _read_ledger(witnesses.ledger)
    names = " ".join(f"{key}={value}" for key, value in witnesses.database.items())
    with psycopg.connect(names, autocommit=True) as line:
        _read_database(said, line)
    _read_repository(said, witnesses.repository)
    return said


def _read_database(said: Said, line: psycopg.Connection[Any]) -> None:
    columns = "SELECT encode(r.sha256, 'hex') AS sha, r.id, r.state, r.standing, r.lookup_uuid::text AS uuid,"
    for row in _rows(
        line,
        f"{columns} r.error_count, s.code AS school, bs.code AS batch_school, b.message_id, i.id AS item,"
        " i.verdict, i.key, i.errors, i.submission_id::text AS submission, encode(i.digest, 'hex') AS digest,"
        " r.findings::text AS findings"
        " FROM records_record r JOIN schools_school s ON s.id = r.school_id"
        " JOIN records_batch b ON b.id = r.batch_id JOIN schools_school bs ON bs.id = b.school_id "
        " LEFT JOIN gateway_item i ON i.id = r.item_id",
    ):
        said.rows[row["sha"]].append(row)
    # By its bytes: at the browser's door the id of a batch is ours, not the school's.
    for row in _rows(
        line,
        "SELECT s.code AS school, b.sha256, b.message_id, b.id::text AS id, b.state, b.refusal_code, b.refusal,"
        " b.set_aside_code, b.record_count FROM records_batch b JOIN schools_school s ON s.id = b.school_id"
        " ORDER BY b.state <> 'REFUSED', b.received_at",
    ):
        said.in_batches[row["school"], row["sha256"]] = row
    said.submissions = {
        row["id"]: row
        for row in _rows(
            line,
            "SELECT id::text AS id, kind, state, encode(digest, 'hex') AS digest, acknowledged_at, reason_code,"
            " enqueued_at, closed_at FROM gateway_submission",
        )
    }
    said.proofs = _rows(
        line, "SELECT submission_id::text AS submission, kind, http_status, body, sha256 FROM gateway_receipt"
    )
    said.recall_items = _rows(
        line,
        "SELECT rc.id::text AS id, rc.state, r.lookup_uuid::text AS uuid, i.verdict, i.submission_id::text AS"
        " submission FROM records_recall rc JOIN records_record r ON r.id = rc.record_id"
        " LEFT JOIN gateway_item i ON i.id = rc.item_id",
    )
    said.entries = {
        (row["action"], row["subject_id"])
        for row in _rows(line, "SELECT action, subject_id FROM audit_entry WHERE subject_kind = 'batch'")
    }


def _read_repository(said: Said, folder: Path) -> None:
    store = sqlite3.connect(f"file:{folder / 'repository.sqlite3'}?mode=ro", uri=True, timeout=30)
    store.row_factory = sqlite3.Row
    try:
        said.messages = {row["messageid"]: dict(row) for row in store.execute(
            "SELECT messageid, type, unit, document_sha256, stage, received_at, error, times_seen, judged_at,"
            " records FROM message")}  # fmt: skip
        for row in store.execute("SELECT messageid, uuid, sha256, verdict, took_effect, errors FROM line"):
            said.lines[row["uuid"]].append(dict(row))
            said.line_of[row["messageid"], row["uuid"]] = dict(row)
        said.holdings = {row["uuid"]: dict(row) for row in store.execute(
            "SELECT uuid, sha256, effects, messageid, school, state, held_at FROM holding")}  # fmt: skip
    finally:
        store.close()
    said.requests = list(_journal_lines(folder / "journal.jsonl", said))


def _rows(line: psycopg.Connection[Any], sql: str) -> list[dict[str, Any]]:
    with line.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(sql.encode()).fetchall()


def _journal_lines(path: Path, said: Said) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for raw in file:
            try:
                line = json.loads(raw)
            except ValueError:
                said.broken_lines += 1
                continue
            if line.get("event") == "RECEIVED":
                yield line


def _read_ledger(path: Path) -> tuple[dict[str, Handed], list[tuple[str, str]]]:
    batches: dict[str, Handed] = {}
    recalled: list[tuple[str, str]] = []
    with path.open("rb") as file:
        for raw in file:
            line = json.loads(raw)
            if line["event"] == "RECALLED":
                recalled.append((line["lookup_uuid"], line["replacement"]))
                continue
            name = line["message_id"]
            if line["event"] == "MADE":
                made = [Made(uuid, sha, line["school"], name, line["door"]) for uuid, sha in line["records"]]
                batches[name] = Handed(name, made, line["sha256"])
                continue
            _note(batches[name], line)
    return batches, recalled


def _note(batch: Handed, line: dict[str, Any]) -> None:
    match line["event"]:
        case "ACKNOWLEDGED":
            batch.acknowledged += 1
            batch.receipts.append(line["receipt"])
        case "REFUSED":
            batch.refused += 1
        case "UNKNOWN":
            batch.unknown += 1
        case "TOLD":
            for uuid, status, error in line["lines"]:
                batch.told[uuid].append((status, error))
