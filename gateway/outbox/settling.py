"""Writes what became of one attempt: attempt, receipt, item verdicts and state in one short transaction.

Fencing: good news (an acknowledgement, verdicts) is taken from any worker, for the Ministry's word is true whoever
heard it; bad news only from the current attempt, because a newer one may know better. What contradicts our ledger opens
a discrepancy in the same transaction. Never calls the network.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from gateway import failpoints
from gateway.discrepancies import note
from gateway.models import Attempt, Item, Receipt, Submission
from gateway.outbox.claiming import Claim
from gateway.outbox.contradictions import found as contradictions_in
from gateway.outcomes import (
    Acknowledged,
    Evidence,
    FateUnknown,
    ItemError,
    ItemVerdict,
    Judged,
    NeverArrived,
    NotSent,
    Outcome,
    Refused,
    Waiting,
    after,
)
from gateway.states import SUBMISSION, AttemptOutcome, AttemptPurpose, ReceiptKind, SubmissionState, Verdict

_CLOSED: Final = (SubmissionState.ANSWERED, SubmissionState.REFUSED)

_JUDGE: Final = """
UPDATE gateway_item AS item SET verdict = new.verdict, errors = new.errors, judged_at = %s
  FROM unnest(%s::text[], %s::text[], %s::jsonb[]) AS new (key, verdict, errors)
 WHERE item.submission_id = %s AND item.key = new.key AND item.verdict = 'PENDING'
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """`applied`: the submission took the outcome; otherwise only the attempt and the evidence were kept."""

    applied: bool
    state: str
    judged: int = 0


@dataclass(slots=True)
class _Change:
    """What an outcome wants of the row; `good` news needs no fencing."""

    target: str
    good: bool
    outcome: AttemptOutcome
    fields: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    detail: str = ""
    evidence: Evidence | None = None
    http_status: int | None = None
    verdicts: Sequence[ItemVerdict] = ()


def settle(claim: Claim, outcome: Outcome, *, now: datetime) -> Settled:
    """Write what became of `claim`. Safe to be called late, twice, or by a worker that was thought dead."""
    failpoints.reach("P17" if claim.purpose == AttemptPurpose.COLLECT else "P15")
    with transaction.atomic():
        row = Submission.objects.select_for_update().get(pk=claim.submission_id)
        change = _change(row, claim, outcome, now)
        applies = _applies(row, claim, change)
        _close_attempt(claim, change, now)
        if change.evidence is not None and (applies or change.good):
            _keep_receipt(claim, change, now)
        contradictions, body = contradictions_in(row, outcome, applies=applies)
        judged = _judge(claim, change.verdicts, now) if applies else 0
        if applies:
            _write(row, change, now)
        for one in contradictions:
            note(row, one, now=now, body=body)
        settled = Settled(applies, row.state, judged)
    failpoints.reach("P18" if claim.purpose == AttemptPurpose.COLLECT else "P16")
    return settled


def _applies(row: Submission, claim: Claim, change: _Change) -> bool:
    if row.state in _CLOSED:
        return False
    if change.good:
        return SUBMISSION.allows(row.state, change.target)
    return row.attempts_made == claim.number and row.state == _claimed_state(claim)


def _claimed_state(claim: Claim) -> SubmissionState:
    match claim.purpose:
        case AttemptPurpose.SEND:
            return SubmissionState.SENDING
        case AttemptPurpose.ASK:
            return SubmissionState.UNCERTAIN
        case _:
            return SubmissionState.ACKNOWLEDGED


def _change(row: Submission, claim: Claim, outcome: Outcome, now: datetime) -> _Change:  # noqa: PLR0911 - one table
    """The one table from outcome to consequence for the row."""
    match outcome:
        case Acknowledged():
            return _Change(
                # Late good news must not reopen what is further on.
                target=SubmissionState.ACKNOWLEDGED,
                good=True,
                outcome=AttemptOutcome.ACKNOWLEDGED,
                fields={"next_attempt_at": after(now, outcome.delay), **_on_good_terms(row, now)},
                code=outcome.code,
                evidence=outcome.evidence,
            )
        case Judged():
            return _judged(row, outcome, now)
        case Waiting():
            return _Change(
                target=SubmissionState.ACKNOWLEDGED,
                good=True,
                outcome=AttemptOutcome.WAITING,
                fields={
                    "next_attempt_at": after(now, outcome.delay),
                    "polls": row.polls + 1,
                    **_on_good_terms(row, now),
                },
                code=outcome.code,
            )
        case NotSent():
            return _not_sent(row, claim, outcome, now)
        case FateUnknown():
            return _fate_unknown(row, claim, outcome, now)
        case NeverArrived():
            return _never_arrived(row, claim, outcome, now)
        case Refused():
            return _refused(claim, outcome)


def _judged(row: Submission, outcome: Judged, now: datetime) -> _Change:
    known = {verdict.key for verdict in outcome.verdicts}
    outstanding = Item.objects.filter(submission=row, verdict=Verdict.PENDING).exclude(key__in=known).exists()
    target = SubmissionState.ACKNOWLEDGED if outstanding else SubmissionState.ANSWERED
    schedule = {"next_attempt_at": after(now, outcome.delay) if outstanding else None}
    return _Change(
        target=target,
        good=True,
        outcome=AttemptOutcome.JUDGED,
        fields={**schedule, "polls": row.polls + 1, **_on_good_terms(row, now)},
        code=outcome.code,
        evidence=outcome.evidence,
        verdicts=outcome.verdicts,
    )


def _not_sent(row: Submission, claim: Claim, outcome: NotSent, now: datetime) -> _Change:
    back = _claimed_state(claim)
    sending = claim.purpose == AttemptPurpose.SEND
    fields: dict[str, Any] = {"next_attempt_at": after(now, outcome.delay)}
    if not outcome.link:
        fields["failures"] = row.failures + 1
    if sending and claim.first_sent_at == claim.claimed_at:
        # This was the first try and nothing left: the Ministry cannot have it.
        fields["first_sent_at"] = None
    return _Change(
        target=SubmissionState.QUEUED if sending else back,
        good=False,
        outcome=AttemptOutcome.LINK_REFUSED if outcome.link else AttemptOutcome.NOT_SENT,
        fields=fields,
        code=outcome.code,
        detail=outcome.detail,
        http_status=outcome.http_status,
    )


def _fate_unknown(row: Submission, claim: Claim, outcome: FateUnknown, now: datetime) -> _Change:
    collecting = claim.purpose == AttemptPurpose.COLLECT
    return _Change(
        # A question that was not answered changes nothing about a package that was acknowledged.
        target=SubmissionState.ACKNOWLEDGED if collecting else SubmissionState.UNCERTAIN,
        good=False,
        outcome=AttemptOutcome.LINK_REFUSED if outcome.link else AttemptOutcome.FATE_UNKNOWN,
        fields={"next_attempt_at": after(now, outcome.delay), "failures": row.failures + 1},
        code=outcome.code,
        detail=outcome.detail,
        http_status=outcome.http_status,
    )


def _never_arrived(row: Submission, claim: Claim, outcome: NeverArrived, now: datetime) -> _Change:
    unknown = row.unknown_answers + 1
    enough = unknown >= outcome.needed
    asking = claim.purpose == AttemptPurpose.ASK
    lost = SubmissionState.QUEUED if asking else SubmissionState.UNCERTAIN
    return _Change(
        target=lost if enough else _claimed_state(claim),
        good=False,
        outcome=AttemptOutcome.NEVER_ARRIVED,
        fields={
            "next_attempt_at": now if enough else after(now, outcome.delay),
            "unknown_answers": 0 if enough else unknown,
        },
        code="MESSAGE_UNKNOWN",
        evidence=outcome.evidence if enough else None,
    )


def _refused(claim: Claim, outcome: Refused) -> _Change:
    verdicts = outcome.culprits
    if not verdicts and outcome.blames_items and claim.items_count == 1:
        error = ItemError(outcome.code, "", outcome.detail)
        key = Item.objects.values_list("key", flat=True).get(submission_id=claim.submission_id)
        verdicts = (ItemVerdict(key, "REJECTED", (error,)),)
    return _Change(
        target=SubmissionState.REFUSED,
        good=False,
        outcome=AttemptOutcome.PACKAGE_REFUSED,
        fields={"next_attempt_at": None},
        code=outcome.code,
        detail=outcome.detail,
        evidence=outcome.evidence,
        verdicts=verdicts,
    )


def _on_good_terms(row: Submission, now: datetime) -> dict[str, Any]:
    return {"failures": 0, "unknown_answers": 0, "acknowledged_at": row.acknowledged_at or now}


def _write(row: Submission, change: _Change, now: datetime) -> None:
    for name, value in change.fields.items():
        setattr(row, name, value)
    row.state = SUBMISSION.check(row.state, change.target)
    row.lease_until = None
    row.held_from = ""
    row.reason_code = "" if change.good else (change.code or change.outcome)[:60]
    row.reason = "" if change.good else change.detail
    if row.state in _CLOSED:
        row.next_attempt_at, row.closed_at = None, now
    changed = ("state", "lease_until", "held_from", "reason_code", "reason", "next_attempt_at", "closed_at")
    row.save(update_fields=[*change.fields, *changed])


def _close_attempt(claim: Claim, change: _Change, now: datetime) -> None:
    # A worker thought dead finds its attempt closed already; the row is append-only and stays as it is.
    Attempt.objects.filter(pk=claim.attempt_id, outcome=AttemptOutcome.OPEN).update(
        outcome=change.outcome,
        code=change.code[:60],
        detail=change.detail[:2000],
        http_status=change.evidence.http_status if change.evidence else change.http_status,
        ended_at=now,
    )


def _keep_receipt(claim: Claim, change: _Change, now: datetime) -> None:
    if change.evidence is None:
        return
    verdicts = change.outcome in (AttemptOutcome.JUDGED, AttemptOutcome.PACKAGE_REFUSED)
    kind = ReceiptKind.VERDICTS if verdicts else ReceiptKind.ACKNOWLEDGEMENT
    sha256 = hashlib.sha256(change.evidence.body).digest()
    kept = Receipt.objects.filter(submission_id=claim.submission_id, kind=kind).order_by("-pk")
    newest = kept.values_list("sha256", "http_status").first()
    if newest is not None and (bytes(newest[0]), newest[1]) == (sha256, change.evidence.http_status):
        return  # a question asked again, answered as before: nothing that the newest one does not prove
    Receipt.objects.create(
        submission_id=claim.submission_id,
        attempt_id=claim.attempt_id,
        kind=kind,
        http_status=change.evidence.http_status,
        body=zlib.compress(change.evidence.body),
        sha256=sha256,
        received_at=now,
    )


def _judge(claim: Claim, verdicts: Sequence[ItemVerdict], now: datetime) -> int:
    """All verdicts in one statement; one that stands already is left alone."""
    if not verdicts:
        return 0
    errors = [json.dumps([error.to_json() for error in one.errors], ensure_ascii=False) for one in verdicts]
    with connection.cursor() as cursor:
        cursor.execute(
            _JUDGE,
            [now, [one.key for one in verdicts], [one.verdict for one in verdicts], errors, claim.submission_id],
        )
        return int(cursor.rowcount)
