"""What differs between one submission of ours and the Ministry's answer about it. Reads rows, asks nobody, writes none.

Packages we hold for refused are looked at too: a record that took effect there although we put it into another package
is the one difference that could become a double effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.conf import EndpointDescription
from gateway.discrepancies import Difference
from gateway.exchange.messages import QueryAnswer
from gateway.models import Submission
from gateway.outbox import contradictions
from gateway.states import DiscrepancyKind, SubmissionKind, SubmissionState, Verdict


def differences(submission: Submission, answer: QueryAnswer, description: EndpointDescription) -> list[Difference]:
    """What differs between our items and the Ministry's lines for one submission."""
    refused = submission.state == SubmissionState.REFUSED
    if answer.receipt is not None and answer.receipt.error in description.answers.unknown:
        if refused:
            return []  # refused at the door: they need not keep it
        text = "Bộ đã cấp biên nhận nhưng nay trả lời không có giao dịch này."
        return [Difference(DiscrepancyKind.MISSING_THERE, text, ours=submission.state)]
    ours = {key.lower(): (key, verdict) for key, verdict in submission.items.values_list("key", "verdict")}
    theirs = _theirs(submission, answer, description)
    found = [_foreign(key, verdict) for key, verdict in theirs.items() if key not in ours]
    for lower, (key, verdict) in ours.items():
        found += _one_item(key, verdict, theirs.get(lower), refused=refused)
    stage = answer.receipt.response_code if answer.receipt is not None else ""
    if answer.receipt is not None and stage not in description.answers.finished:
        found += contradictions.held_although_refused(submission)
    return found


def _theirs(submission: Submission, answer: QueryAnswer, description: EndpointDescription) -> Mapping[str, str]:
    values, recall = description.verdicts, submission.kind == SubmissionKind.RECALL
    accepted = values.recall_accepted if recall else values.accepted
    rejected = values.recall_rejected if recall else values.rejected
    found: dict[str, str] = {}
    for line in answer.lines:
        if line.status in accepted | rejected:
            found[line.lookup_uuid.lower()] = "ACCEPTED" if line.status in accepted else "REJECTED"
        else:
            found.setdefault(line.lookup_uuid.lower(), "PENDING")
    return found


def _foreign(key: str, verdict: str) -> Difference:
    text = "Bộ trả kết quả cho học bạ không có trong gói này."
    return Difference(DiscrepancyKind.UNKNOWN_HERE, text, key=key[:100], theirs=verdict)


def _one_item(key: str, ours: str, theirs: str | None, *, refused: bool) -> list[Difference]:
    if ours == Verdict.PENDING and not refused:
        return []  # not a difference: it is still to come, and `overdue` watches it
    if theirs is not None:
        return contradictions.verdict_differs(key, ours, theirs, refused=refused)
    if refused:
        return []  # refused at the door: they need not keep it
    text = "Ta có kết quả nhưng nay Bộ không nêu học bạ này."
    return [Difference(DiscrepancyKind.MISSING_THERE, text, key=key, ours=ours)]
