"""The campaign's judge bites: a world in order is clean, and each planted difference is called by its name."""

import hashlib
import zlib
from collections.abc import Callable

import pytest

from portal.rehearsal.campaign.checker import VIOLATIONS, Checker, Findings
from portal.rehearsal.campaign.testimony import Handed, Made, Said

UUID, OLD, SHA, DOCUMENT, MESSAGE, SCHOOL = "u-1", "u-0", "aa", "dd", "m-1", "S1"
BODY = b'{"MessageId": "m-1", "Error": ""}'


def in_order() -> Said:
    """One record: handed in, acknowledged, packed, sent once, receipt kept, accepted, told so."""
    records = [Made(UUID, SHA, SCHOOL, "b-1", "API")]
    batch = Handed("b-1", records, "ff", acknowledged=1, receipts=[{"MessageId": "b-1"}])
    batch.told[UUID].append((1, ""))
    said = Said(batches={"b-1": batch})
    said.rows[SHA].append({
        "sha": SHA, "id": 1, "state": "DISPATCHED", "standing": "IN_FORCE", "uuid": UUID, "error_count": 0,
        "school": SCHOOL, "batch_school": SCHOOL, "message_id": "b-1", "item": 1, "verdict": "ACCEPTED", "key": UUID,
        "errors": [], "submission": MESSAGE, "digest": SHA, "findings": "[]",
    })  # fmt: skip
    said.in_batches[SCHOOL, "ff"] = {"school": SCHOOL, "message_id": "b-1", "id": "B", "state": "PROCESSED"}
    said.entries = {("batch.received", "B"), ("batch.processed", "B")}
    said.submissions[MESSAGE] = {"id": MESSAGE, "kind": "RECORDS", "state": "ANSWERED", "digest": DOCUMENT,
                                 "reason_code": ""}  # fmt: skip
    said.proofs.append(proof(BODY))
    said.messages[MESSAGE] = {"type": 1, "document_sha256": DOCUMENT, "times_seen": 1, "judged_at": 5.0}
    line = {"messageid": MESSAGE, "uuid": UUID, "sha256": SHA, "verdict": 1, "took_effect": 1, "errors": "[]"}
    said.lines[UUID].append(line)
    said.line_of[MESSAGE, UUID] = line
    said.holdings[UUID] = {"uuid": UUID, "sha256": SHA, "effects": 1, "messageid": MESSAGE, "school": SCHOOL,
                           "state": "HELD", "held_at": 5.0}  # fmt: skip
    said.requests.append({"service": "submit", "messageid": MESSAGE, "content_sha256": "cc"})
    return said


def proof(body: bytes) -> dict[str, object]:
    return {"submission": MESSAGE, "kind": "VERDICTS", "http_status": 200, "body": zlib.compress(body),
            "sha256": hashlib.sha256(body).digest()}  # fmt: skip


def judged(said: Said) -> Findings:
    return Checker(said).judge()


def row(said: Said) -> dict[str, object]:
    return said.rows[SHA][0]


def test_a_world_in_order_is_clean() -> None:
    findings = judged(in_order())

    assert findings.is_clean, dict(findings.examples)
    assert findings.counts["accepted"] == 1


def _lost(said: Said) -> None:
    said.rows.clear()
    said.in_batches.clear()
    said.entries.clear()


def _swallowed(said: Said) -> None:
    said.rows.clear()


def _other_bytes(said: Said) -> None:
    said.requests.append({"service": "submit", "messageid": MESSAGE, "content_sha256": "ee"})


def _replaced_too_early(said: Said) -> None:
    said.recalled.append((OLD, UUID))
    said.holdings[OLD] = {**said.holdings[UUID], "uuid": OLD, "state": "RECALLED", "held_at": 1.0}
    said.batches["b-1"].records.append(Made(OLD, "zz", SCHOOL, "b-1", "API"))
    said.rows["zz"].append({**row(said), "sha": "zz", "uuid": OLD, "state": "REFUSED"})
    said.messages["m-r"] = {"type": 5, "document_sha256": "rr", "times_seen": 1, "judged_at": 9.0}
    said.submissions["m-r"] = {"id": "m-r", "state": "REFUSED", "digest": "rr", "reason_code": "X"}
    said.lines[OLD].append({"messageid": "m-r", "uuid": OLD, "verdict": 2, "took_effect": 1})


def _replaced_though_not_recalled(said: Said) -> None:
    _replaced_too_early(said)
    said.holdings[OLD]["state"] = "IN_FORCE"
    said.lines[OLD][-1].update(verdict=3, took_effect=0)


def _not_opened(said: Said) -> None:
    said.rows.clear()
    said.in_batches[SCHOOL, "ff"].update(state="RECEIVED")


PLANTED: dict[str, Callable[[Said], None]] = {
    "lost": _lost,
    "lost, the batch is there but the record is not": _swallowed,
    "unfinished": lambda said: row(said).update(state="ADMITTED", verdict=None),
    "unfinished, batch not opened": _not_opened,
    "unfinished, no verdict": lambda said: row(said).update(verdict="PENDING"),
    "double": lambda said: said.holdings[UUID].update(effects=2),
    "false_success": lambda said: said.line_of[MESSAGE, UUID].update(verdict=0, took_effect=0),
    "false_success, never arrived": lambda said: said.messages.clear() or said.lines.clear(),  # type: ignore[func-returns-value]
    "altered": lambda said: said.holdings[UUID].update(sha256="bb"),
    "altered, the package": lambda said: said.messages[MESSAGE].update(document_sha256="ff"),
    "altered, foreign": lambda said: said.holdings.update({"u-9": {**said.holdings[UUID], "uuid": "u-9"}}),
    "other_bytes_same_id": _other_bytes,
    "out_of_order": _replaced_too_early,
    "out_of_order, the recall was refused": _replaced_though_not_recalled,
    "refused_without_cause": lambda said: row(said).update(state="REFUSED", verdict=None),
    "verdict_differs": lambda said: row(said).update(verdict="REJECTED", errors=[{"code": "E"}]),
    "silent_rejection": lambda said: row(said).update(verdict="REJECTED", errors=[]),
    "answer_changed": lambda said: said.batches["b-1"].receipts.append({"MessageId": "b-1", "Error": "X"}),
    "cross_school": lambda said: row(said).update(school="S2"),
    "receipt_missing": lambda said: said.proofs.clear(),
    "receipt_unbound": lambda said: said.proofs.append(proof(BODY.replace(b"m-1", b"m-2"))),
    "receipt_unbound, a page": lambda said: said.proofs.append(proof(b"<html>200</html>")),
    "journal_gaps": lambda said: said.entries.discard(("batch.received", "B")),
    "told_false": lambda said: said.batches["b-1"].told[UUID].append((0, "E01")),
    "both_ways": lambda said: setattr(said.batches["b-1"], "refused", 1),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_called_by_its_name(planted: str) -> None:
    said = in_order()
    PLANTED[planted](said)

    findings = judged(said)

    assert findings.counts[planted.partition(",")[0]] >= 1
    assert not findings.is_clean


def test_every_violation_has_been_planted() -> None:
    assert {name.partition(",")[0] for name in PLANTED} == set(VIOLATIONS)
