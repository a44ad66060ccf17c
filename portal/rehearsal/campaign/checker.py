"""The judge: compares the three witnesses after quiet time. It shares no code with the gateway, imports none of ours.

It is handed what they say (`testimony`) and knows nothing of how any of it came about.
"""

import hashlib
import json
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from portal.rehearsal.campaign.testimony import Handed, Made, Said

_EXAMPLES = 8
# What must be zero.
VIOLATIONS = (
    "lost", "unfinished", "double", "false_success", "altered", "other_bytes_same_id", "out_of_order",
    "refused_without_cause", "verdict_differs", "answer_changed", "cross_school", "receipt_missing", "receipt_unbound",
    "journal_gaps", "silent_rejection", "told_false", "both_ways",
)  # fmt: skip


@dataclass
class Findings:
    """Counts, and a few examples of everything that should not be."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def blame(self, name: str, example: str) -> None:
        self.counts[name] += 1
        if len(self.examples[name]) < _EXAMPLES:
            self.examples[name].append(example)

    @property
    def is_clean(self) -> bool:
        return not any(self.counts[name] for name in VIOLATIONS)


class Checker:
    """One comparison. Every invariant is one method; a crossing of two witnesses each."""

    def __init__(self, said: Said) -> None:
        self.findings = Findings()
        self._said = said

    def judge(self) -> Findings:
        counts = self.findings.counts
        counts["requests_seen"] = len(self._said.requests)
        counts["journal_lines_broken"] = self._said.broken_lines
        counts["records_in"] = sum(len(batch.records) for batch in self._said.batches.values())
        counts["batches_in"] = len(self._said.batches)
        counts["batches_acknowledged"] = sum(batch.acknowledged > 0 for batch in self._said.batches.values())
        counts["batches_never_known"] = sum(not (b.acknowledged or b.refused) for b in self._said.batches.values())
        for batch in self._said.batches.values():
            self._what_the_school_heard(batch)
            for made in batch.records:
                self._one_record(batch, made)
        self._effects()
        self._messages()
        self._receipts()
        self._order()
        self._journal()
        return self.findings

    # -- L against G and M ---------------------------------------------------------------------------------------
    def _what_the_school_heard(self, batch: Handed) -> None:
        if batch.acknowledged and batch.refused:
            self.findings.blame("both_ways", f"{batch.message_id}: acknowledged and refused")
        if batch.refused and not batch.acknowledged:
            self.findings.blame("refused_without_cause", f"batch {batch.message_id}")
        said = {json.dumps(receipt, sort_keys=True) for receipt in batch.receipts if receipt}
        if len(said) > 1:
            self.findings.blame("answer_changed", f"{batch.message_id}: {sorted(said)[:2]}")

    def _one_record(self, batch: Handed, made: Made) -> None:
        found = self._said.rows.get(made.sha256, [])
        for row in found:
            if row["school"] != made.school or row["batch_school"] != made.school:
                self.findings.blame("cross_school", f"{made.uuid}: {made.school} / {row['school']}")
        if not found:
            if batch.acknowledged:
                self._missing(batch, made)
            return
        best = max(found, key=lambda row: (row["state"] == "DISPATCHED", row["state"] == "ADMITTED"))
        self._fate(made, best)
        self._told(batch, made, best)

    def _missing(self, batch: Handed, made: Made) -> None:
        row = self._said.in_batches.get((made.school, batch.sha256))
        if row is None:
            self.findings.blame("lost", f"{made.uuid}: batch {batch.message_id} acknowledged, not in the database")
        elif row.get("refusal_code"):
            self.findings.blame("refused_without_cause", f"{made.uuid}: {row['refusal_code']} {row['refusal']}"[:200])
        elif row.get("set_aside_code"):
            self.findings.counts["set_aside_records"] += 1
            self.findings.blame("unfinished", f"{made.uuid}: batch set aside {row['set_aside_code']}")
        elif row["state"] in ("RECEIVED", "OPENED"):
            self.findings.blame("unfinished", f"{made.uuid}: batch {row['state']}")
        else:
            self.findings.blame(
                "lost", f"{made.uuid}: batch {batch.message_id} is {row['state']}, the record is not there"
            )

    def _fate(self, made: Made, row: dict[str, Any]) -> None:
        held = self._said.holdings.get(made.uuid)
        if row["state"] == "REFUSED":
            self.findings.blame("refused_without_cause", f"{made.uuid}: {row['findings'][:300]}")
        elif row["standing"] == "RECALLED" and row["state"] == "ADMITTED":
            self.findings.counts["withdrawn_before_leaving"] += 1
        elif row["state"] != "DISPATCHED":
            self.findings.blame("unfinished", f"{made.uuid}: record {row['state']}")
        elif row["verdict"] == "PENDING":
            state = self._said.submissions[row["submission"]]["state"]
            self.findings.blame("unfinished", f"{made.uuid}: no verdict, submission {row['submission']} {state}")
        elif row["verdict"] == "ACCEPTED":
            self._accepted(made, row, held)
        else:
            self._rejected(made, row, held)

    def _accepted(self, made: Made, row: dict[str, Any], held: dict[str, Any] | None) -> None:
        self.findings.counts["accepted"] += 1
        line = self._said.line_of.get((row["submission"], made.uuid))
        if line is None or line["verdict"] != 1 or not line["took_effect"]:
            self.findings.blame("false_success", f"{made.uuid}: accepted here by {row['submission']}, there {line}")
        if held is None:
            self.findings.blame("lost", f"{made.uuid}: accepted here, not held there")
        elif held["sha256"] != made.sha256:
            self.findings.blame("altered", f"{made.uuid}: made {made.sha256}, held {held['sha256']}")
        if row["digest"] != made.sha256 or row["key"] != made.uuid:
            self.findings.blame("altered", f"{made.uuid}: item {row['key']} {row['digest']}")

    def _rejected(self, made: Made, row: dict[str, Any], held: dict[str, Any] | None) -> None:
        self.findings.counts["rejected"] += 1
        if not row["errors"]:
            self.findings.blame("silent_rejection", made.uuid)
        line = self._said.line_of.get((row["submission"], made.uuid))
        if line is not None and line["verdict"] == 1:
            self.findings.blame("verdict_differs", f"{made.uuid}: rejected here, accepted there")
        if held is not None and held["messageid"] == row["submission"]:
            self.findings.blame("verdict_differs", f"{made.uuid}: rejected here, held there")

    def _told(self, batch: Handed, made: Made, row: dict[str, Any]) -> None:
        for status, _error in batch.told.get(made.uuid, []):
            if status == 1 and (row["verdict"] != "ACCEPTED" or made.uuid not in self._said.holdings):
                self.findings.blame("told_false", f"{made.uuid}: told accepted, is {row['state']}/{row['verdict']}")
            if status == 0 and row["verdict"] == "ACCEPTED" and row["standing"] == "IN_FORCE":
                self.findings.blame("told_false", f"{made.uuid}: told refused, is accepted")

    # -- M by itself, M against G ----------------------------------------------------------------------------------
    def _effects(self) -> None:
        known = {made.uuid: made for batch in self._said.batches.values() for made in batch.records}
        for uuid, held in self._said.holdings.items():
            if held["effects"] > 1:
                self.findings.blame("double", f"{uuid}: {held['effects']} effects")
            if uuid not in known:
                self.findings.blame("altered", f"{uuid}: held there, made by no school")
            elif known[uuid].school != held["school"]:
                self.findings.blame("cross_school", f"{uuid}: made by {known[uuid].school}, held for {held['school']}")
        for uuid, lines in self._said.lines.items():
            if sum(line["took_effect"] and self._said.messages[line["messageid"]]["type"] == 1 for line in lines) > 1:
                self.findings.blame("double", f"{uuid}: took effect by several messages")

    def _messages(self) -> None:
        """The same id always with the same bytes, and the bytes that we froze."""
        contents: dict[str, set[str]] = defaultdict(set)
        for line in self._said.requests:
            if line.get("service") in ("submit", "recall") and line.get("messageid") and line.get("content_sha256"):
                contents[line["messageid"]].add(line["content_sha256"])
                self.findings.counts["requests_with_content"] += 1
        self.findings.counts["packages_sent"] = len(contents)
        self.findings.counts["sent_more_than_once"] = sum(
            there["times_seen"] > 1 for there in self._said.messages.values()
        )
        for message_id, digests in contents.items():
            if len(digests) > 1:
                self.findings.blame("other_bytes_same_id", message_id)
        for message_id, there in self._said.messages.items():
            ours = self._said.submissions.get(message_id)
            if ours is None:
                self.findings.blame("altered", f"{message_id}: there, not here")
            elif ours["digest"] != there["document_sha256"]:
                self.findings.blame("altered", f"{message_id}: another document arrived")

    def _receipts(self) -> None:
        """Delivered if and only if a stored receipt proves it and the repository has the message."""
        proven: set[str] = set()
        for proof in self._said.proofs:
            body = zlib.decompress(bytes(proof["body"]))
            if hashlib.sha256(body).digest() != bytes(proof["sha256"]):
                self.findings.blame("receipt_unbound", f"{proof['submission']}: receipt altered")
            if self._said.submissions[proof["submission"]]["state"] != "REFUSED" and not _names(
                body, proof["submission"]
            ):
                self.findings.blame("receipt_unbound", f"{proof['submission']}: {body[:120]!r}")
            proven.add(proof["submission"])
        for identity, ours in self._said.submissions.items():
            if ours["state"] in ("ACKNOWLEDGED", "ANSWERED"):
                if identity not in self._said.messages:
                    self.findings.blame("false_success", f"{identity}: {ours['state']} here, unknown there")
                if identity not in proven:
                    self.findings.blame("receipt_missing", f"{identity}: {ours['state']}")
            if ours["state"] not in ("ANSWERED", "REFUSED"):
                self.findings.blame("unfinished", f"submission {identity}: {ours['state']} {ours['reason_code']}")
        for recall in self._said.recall_items:
            if (
                recall["verdict"] == "ACCEPTED"
                and self._said.holdings.get(recall["uuid"], {}).get("state") != "RECALLED"
            ):
                self.findings.blame("false_success", f"recall of {recall['uuid']} agreed here, not there")

    def _order(self) -> None:
        """A replacement never takes effect before the recall of what it replaces."""
        for old, new in self._said.recalled:
            held, replaced = self._said.holdings.get(new), self._said.holdings.get(old)
            recalls = [
                line for line in self._said.lines.get(old, []) if self._said.messages[line["messageid"]]["type"] == 5
            ]
            done = [self._said.messages[line["messageid"]]["judged_at"] for line in recalls if line["took_effect"]]
            if held is None or replaced is None:
                continue
            self.findings.counts["replacements_held"] += 1
            if not done or min(done) > held["held_at"]:
                self.findings.blame("out_of_order", f"{new} took effect before the recall of {old}")

    def _journal(self) -> None:
        """Each batch that came in has its entry."""
        for row in self._said.in_batches.values():
            if ("batch.received", row["id"]) not in self._said.entries:
                self.findings.blame("journal_gaps", f"batch {row['id']} without batch.received")
            if row["state"] == "PROCESSED" and ("batch.processed", row["id"]) not in self._said.entries:
                self.findings.blame("journal_gaps", f"batch {row['id']} without batch.processed")


def _names(body: bytes, message_id: str) -> bool:
    """Whether a stored answer speaks of this message and of no other."""
    try:
        said = json.loads(body)
    except ValueError:
        return False
    name = said.get("MessageId") or said.get("messageid") if isinstance(said, dict) else None
    return isinstance(name, str) and name.lower() == message_id.lower()
