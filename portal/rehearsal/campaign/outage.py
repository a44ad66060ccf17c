"""Three days without the Ministry, by time-warp: a queue of many records, then the line comes back.

Real packages go in through the doors while the repository is down; SQL copies of them (new ids, same sealed bytes) fill
the queue. The schedule is then moved hour by hour. Measured: attempts meanwhile, first delivery, drain, order, storm.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from portal.rehearsal.bootstrap import open_rehearsal
from portal.rehearsal.campaign.site import Site, replace_file
from portal.rehearsal.handing_in import Counter as HandingIn
from portal.rehearsal.making import Maker, Wish
from portal.rehearsal.parcels import API
from portal.rehearsal.paths import door_paths

HOURS = 72
_SOURCE_RECORDS = 400
_STEP_SECONDS = 0.4
_STALLED = 240.0
# Copies: the id and the times differ, the sealed document is the very same bytes.
_FRESH = """
    SELECT gen_random_uuid() AS fresh_id, s.id AS source_id, n
      FROM gateway_submission s, generate_series(1, %(times)s) AS n WHERE s.kind = 'RECORDS'
"""
_INSERTS = (
    """
    INSERT INTO gateway_submission (id, endpoint_id, kind, unit_code, school_year, digest, document_bytes, items_count,
        details, state, held_from, reason_code, reason, enqueued_at, next_attempt_at, attempts_made, failures, polls,
        unknown_answers)
    SELECT fresh_id, endpoint_id, kind, unit_code, school_year, digest, document_bytes, items_count, details, 'QUEUED',
        '', '', '', enqueued_at + n * interval '10 seconds', enqueued_at + n * interval '10 seconds', 0, 0, 0, 0
      FROM fresh JOIN gateway_submission s ON s.id = source_id
    """,
    "INSERT INTO gateway_document (submission_id, packed) SELECT fresh_id, packed FROM fresh"
    " JOIN gateway_document d ON d.submission_id = source_id",
    "INSERT INTO gateway_item (submission_id, position, key, digest, verdict, errors) SELECT fresh_id, position, key,"
    " digest, 'PENDING', '[]' FROM fresh JOIN gateway_item i ON i.submission_id = source_id",
)


@dataclass
class Outage:
    """One outage; every wait is bounded."""

    site: Site
    records: int
    seed: str
    tell: Callable[[str], None]
    facts: dict[str, Any] = field(default_factory=dict)

    def play(self) -> dict[str, Any]:
        started = time.monotonic()
        self.site.env.stop("simulator")
        self._hand_in()
        self._fill_queue()
        self._pass_three_days()
        self._recover()
        self._judge()
        self.facts["seconds"] = round(time.monotonic() - started, 1)
        return self.facts

    def _hand_in(self) -> None:
        """Real batches through the real doors: taking in goes on while the Ministry is away."""
        rehearsal = open_rehearsal(self.site.env.var / "rehearsal")
        maker = Maker(rehearsal.province, rehearsal.pki, {})
        doors = HandingIn(rehearsal, self.site.env.url.rstrip("/"), door_paths((API,)))
        wanted = min(self.records, _SOURCE_RECORDS)
        begun = time.monotonic()
        for parcel in maker.parcels(Wish(wanted, mix=1.0, batch_size=100, doors=(API,))):
            doors.hand_in(parcel)
        doors.close()
        self.facts["handed_in"] = wanted
        self.facts["hand_in_refused"] = len(doors.ledger.refused_batches)
        self.facts["hand_in_seconds"] = round(time.monotonic() - begun, 1)
        self._until("SELECT coalesce(sum(items_count), 0) FROM gateway_submission", wanted)
        self._until("SELECT count(*) FROM gateway_endpoint WHERE state = 'PAUSED'", 1)

    def _fill_queue(self) -> None:
        have = self._one("SELECT sum(items_count) FROM gateway_submission WHERE kind = 'RECORDS'")
        times = max(0, -(-(self.records - have) // have))
        if times:
            with self.site.connect() as line, line.transaction():
                line.execute("SET LOCAL statement_timeout = '300s'")
                line.execute("CREATE TEMP TABLE fresh ON COMMIT DROP AS" + _FRESH, {"times": times})
                for statement in _INSERTS:
                    line.execute(statement)
        with self.site.connect() as line:
            line.execute("ANALYZE gateway_submission, gateway_item")
        self.facts["waiting_records"] = self._one("SELECT sum(items_count) FROM gateway_submission")
        self.facts["waiting_packages"] = self._one("SELECT count(*) FROM gateway_submission")

    def _pass_three_days(self) -> None:
        """Hour by hour; between two hours beat, workers and probes do what they want."""
        before = self._one("SELECT count(*) FROM gateway_attempt")
        for _ in range(HOURS):
            with self.site.connect() as line, line.transaction():
                line.execute(
                    "UPDATE gateway_submission SET next_attempt_at = next_attempt_at - interval '1 hour',"
                    " enqueued_at = enqueued_at - interval '1 hour' WHERE next_attempt_at IS NOT NULL"
                )
                line.execute(
                    "UPDATE gateway_endpoint SET next_probe_at = next_probe_at - interval '1 hour',"
                    " paused_at = paused_at - interval '1 hour'"
                )
            time.sleep(_STEP_SECONDS)
        self.facts["hours"] = HOURS
        self.facts["attempts_during_outage"] = self._one("SELECT count(*) FROM gateway_attempt") - before
        self.facts["given_up"] = self._one("SELECT count(*) FROM gateway_submission WHERE closed_at IS NOT NULL")
        self.facts["endpoint_cause"] = self._text("SELECT cause FROM gateway_endpoint")

    def _recover(self) -> None:
        self.tell("Bộ trở lại")
        self.site.env.restart("simulator")
        back = time.monotonic()
        delivered = "SELECT count(*) FROM gateway_submission WHERE acknowledged_at IS NOT NULL"
        self._until(delivered, 1)
        self.facts["first_delivery_s"] = round(time.monotonic() - back, 2)
        self._until(delivered, self.facts["waiting_packages"])
        self.facts["delivered_s"] = round(time.monotonic() - back, 1)
        self._until(
            "SELECT count(*) FROM gateway_submission WHERE closed_at IS NOT NULL", self.facts["waiting_packages"]
        )
        seconds = time.monotonic() - back
        self.facts["drained_s"] = round(seconds, 1)
        self.facts["records_per_second"] = round(self.facts["waiting_records"] / seconds, 1)

    def _judge(self) -> None:
        folder = self.site.env.installation.places.simulator
        with self.site.connect() as line:
            ours = line.execute(
                "SELECT id::text, encode(digest, 'hex') FROM gateway_submission ORDER BY enqueued_at, id"
            ).fetchall()
            pending = line.execute("SELECT count(*) FROM gateway_item WHERE verdict <> 'ACCEPTED'").fetchone()
        there = _messages(folder)
        self.facts["lost"] = sum(identity not in there for identity, _ in ours) + (pending[0] if pending else 0)
        self.facts["altered"] = sum(there[name][0] != digest for name, digest in ours if name in there)
        self.facts["sent_more_than_once"] = sum(seen > 1 for _, seen in there.values())
        self.facts["judged_twice"] = _judged_twice(folder)
        self.facts |= _order_and_storm(folder, [identity for identity, _ in ours])
        self.facts["clean"] = not (
            self.facts["lost"]
            or self.facts["altered"]
            or self.facts["judged_twice"]
            or self.facts["given_up"]
            or self.facts["hand_in_refused"]
            or not self.facts["order_kept"]
            or self.facts["attempts_during_outage"] > HOURS * 4
        )

    def _one(self, sql: str) -> int:
        with self.site.connect() as line:
            row = line.execute(sql.encode()).fetchone()
        return int(row[0] or 0) if row else 0

    def _text(self, sql: str) -> str:
        with self.site.connect() as line:
            row = line.execute(sql.encode()).fetchone()
        return str(row[0]) if row else ""

    def _until(self, sql: str, wanted: int) -> None:
        """Raises TimeoutError when nothing has moved for minutes."""
        last, moved = -1, time.monotonic()
        while True:
            try:
                found = self._one(sql)
            except psycopg.OperationalError:
                found = last
            if found >= wanted:
                return
            if found != last:
                last, moved = found, time.monotonic()
            if time.monotonic() - moved > _STALLED:
                raise TimeoutError(f"stuck at {found} of {wanted}: {sql}")
            time.sleep(0.1)


def _messages(folder: Path) -> dict[str, tuple[str, int]]:
    store = sqlite3.connect(f"file:{folder / 'repository.sqlite3'}?mode=ro", uri=True, timeout=30)
    try:
        rows = store.execute("SELECT messageid, document_sha256, times_seen FROM message WHERE type = 1")
        return {row[0]: (row[1], row[2]) for row in rows}
    finally:
        store.close()


def _journal_requests(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for raw in file:
            line = json.loads(raw)
            if line.get("event") == "RECEIVED":
                yield line


def _judged_twice(folder: Path) -> int:
    """The queue holds copies of the same records: what must be unique here is the verdict per message and place."""
    store = sqlite3.connect(f"file:{folder / 'repository.sqlite3'}?mode=ro", uri=True, timeout=30)
    try:
        row = store.execute(
            "SELECT count(*) FROM (SELECT 1 FROM line GROUP BY messageid, uuid HAVING count(*) > 1)"
        ).fetchone()
        return int(row[0])
    finally:
        store.close()


def _order_and_storm(folder: Path, wanted: list[str]) -> dict[str, Any]:
    """First arrival of every package against the order of enqueueing; requests in the busiest second."""
    arrival: dict[str, int] = {}
    per_second: Counter[int] = Counter()
    per_service: Counter[str] = Counter()
    for line in _journal_requests(folder / "journal.jsonl"):
        per_second[int(line["at"])] += 1
        per_service[str(line.get("service", ""))] += 1
        if line.get("service") == "submit" and "messageid" in line:
            arrival.setdefault(line["messageid"], len(arrival))
    displaced = [abs(arrival[name] - place) for place, name in enumerate(wanted) if name in arrival]
    worst = max(displaced, default=0)
    return {
        "order_displacement_max": worst,
        # Several workers send at once, and what was tried before the outage waits for its own moment.
        "order_kept": worst <= max(16, len(wanted) // 50),
        "requests_peak_per_second": max(per_second.values(), default=0),
        "requests": dict(per_service),
    }


def play(site: Site, *, records: int, seed: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """The whole outage; the environment stands already."""
    file = site.env.installation.simulator_file
    judging = "[judging]\ndelay_seconds = 0.1\nsignature_share = 0.0\nrefuse_held = false\n"
    replace_file(file, file.read_text("utf-8").replace("[judging]\n", judging))
    return Outage(site, records, seed, tell).play()
