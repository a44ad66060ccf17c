"""What the repository holds, as questions that the checkers of rehearsal and campaign ask.

Read only; never a pupil's name or number: a UUID, digests, counts and codes are enough to compare three witnesses.
"""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Iterator
from typing import Any

from .store import Stage, Store

_LEDGER = """
SELECT l.uuid, l.sha256, l.size, l.messageid, l.verdict, l.took_effect, l.errors, m.type, m.stage, m.times_seen,
       h.sha256, h.effects, h.state, h.signature_verified
  FROM line l JOIN message m ON m.messageid = l.messageid LEFT JOIN holding h ON h.uuid = l.uuid
 {where} ORDER BY l.uuid, m.received_at, l.position
"""


def entries(store: Store, *, uuid: str = "") -> Iterator[dict[str, Any]]:
    """One value for every UUID ever judged: digests, effects, and each message that brought it."""
    where, values = ("WHERE l.uuid = ?", (uuid.lower(),)) if uuid else ("", ())
    current: dict[str, Any] | None = None
    for row in store.stream(_LEDGER.format(where=where), values):
        if current is None or current["uuid"] != row[0]:
            if current is not None:
                yield current
            current = _entry(row)
        _add_message(current, row)
    if current is not None:
        yield current


def _entry(row: tuple[Any, ...]) -> dict[str, Any]:
    held, effects, state, verified = row[10:14]
    return {
        "uuid": row[0],
        "sha256": held or row[1],
        "size": row[2],
        "effects": effects or 0,
        "state": state or "",
        "verdict": "REJECTED",
        "signature_verified": bool(verified),
        "digests": [],
        "messageids": [],
        "recall_messageids": [],
        "errors": [],
    }


def _add_message(entry: dict[str, Any], row: tuple[Any, ...]) -> None:
    if row[7] != 1:
        entry["recall_messageids"].append(row[3])
        return
    entry["messageids"].append(row[3])
    if row[1] not in entry["digests"]:
        entry["digests"].append(row[1])
    if row[4] == 1:
        entry["verdict"] = "ACCEPTED"
    entry["errors"].extend(error[0] for error in json.loads(row[6]))


def totals(store: Store) -> dict[str, Any]:
    """Counts over everything."""
    stages = {
        Stage(stage).name: count for stage, count in store.rows("SELECT stage, count(*) FROM message GROUP BY stage")
    }
    one = store.rows(
        "SELECT count(*), coalesce(sum(times_seen - 1), 0), count(*) FILTER (WHERE error != '') FROM message"
    )[0]
    pending = "SELECT count(*) FROM message WHERE stage < 3 AND silent = 0"
    held = store.rows(
        "SELECT count(*), coalesce(sum(effects), 0), count(*) FILTER (WHERE state = 'RECALLED'),"
        " coalesce(sum(signature_verified), 0), count(*) FILTER (WHERE effects > 1) FROM holding"
    )[0]
    lines = dict(
        store.rows(
            "SELECT verdict, count(*) FROM line l JOIN message m USING (messageid) WHERE m.type = 1 GROUP BY verdict"
        )
    )
    return {
        "messages": one[0],
        "repeated": one[1],
        "refused_packages": one[2],
        "pending_messages": store.rows(pending)[0][0],
        "stages": stages,
        "accepted": lines.get(1, 0),
        "rejected": lines.get(0, 0),
        "held": held[0],
        "effects": held[1],
        "recalled": held[2],
        "signatures_verified": held[3],
        "double_effects": held[4],
        "error_codes": _codes(store),
    }


def messages(store: Store) -> Iterator[dict[str, Any]]:
    """Every acknowledged message with its stage and how often it came."""
    names = ("messageid", "type", "unit", "document_sha256", "stage", "silent", "error", "times_seen", "records",
             "received_at", "judged_at")  # fmt: skip
    for row in store.stream(f"SELECT {', '.join(names)} FROM message ORDER BY received_at"):  # noqa: S608
        yield dict(zip(names, row, strict=True))


def _codes(store: Store) -> dict[str, int]:
    tally: Tally[str] = Tally()
    for (errors,) in store.stream("SELECT errors FROM line WHERE errors != '[]'"):
        tally.update(error[0] for error in json.loads(errors))
    return dict(tally)
