"""Our ledger against theirs: asks the Ministry about each submission of a period and writes down every difference.

Four kinds: the Ministry does not know what it acknowledged, it answers on something we never sent, its verdict
differs from the one we keep, its answer is overdue. A difference stays one open row until a person closes it with a
note; nothing here changes a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q

from gateway.conf import EndpointDescription
from gateway.exchange.messages import QueryAnswer
from gateway.ministry.client import Message, MinistryClient
from gateway.ministry.errors import MinistryError
from gateway.models import Discrepancy, Submission
from gateway.states import DiscrepancyKind, SubmissionKind, SubmissionState, Verdict

_LEDGER = (SubmissionState.ACKNOWLEDGED, SubmissionState.ANSWERED)


@dataclass(slots=True)
class Comparison:
    """How many submissions were asked about, and what came of it."""

    asked: int = 0
    unanswered: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which the two ledgers disagree."""

    kind: DiscrepancyKind
    explanation: str
    key: str = ""
    ours: str = ""
    theirs: str = ""


def reconcile(
    *,
    client: MinistryClient,
    since: datetime,
    until: datetime,
    now: datetime,
    unit_code: str | None = None,
    school_year: int | None = None,
) -> Comparison:
    """Compare every submission enqueued in the period (of one unit or one year, if asked)."""
    chosen = Q(enqueued_at__gte=since, enqueued_at__lt=until, state__in=_LEDGER)
    chosen &= Q(kind__in=[SubmissionKind.RECORDS, SubmissionKind.RECALL])
    if unit_code is not None:
        chosen &= Q(unit_code=unit_code)
    if school_year is not None:
        chosen &= Q(school_year=school_year)
    found = Comparison()
    for submission in Submission.objects.filter(chosen).order_by("enqueued_at").iterator(chunk_size=200):
        _compare_one(client, submission, found, now)
    return found


def day_of(moment: datetime, description: EndpointDescription) -> tuple[datetime, datetime]:
    """The local day that `moment` lies in, from midnight to midnight."""
    midnight = moment.astimezone(ZoneInfo(description.sending.timezone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return midnight, midnight + timedelta(days=1)


def differences(submission: Submission, answer: QueryAnswer, client: MinistryClient) -> list[Difference]:
    """What differs between our items and the Ministry's lines for one submission."""
    codes, values = client.description.answers, client.description.verdicts
    recall = submission.kind == SubmissionKind.RECALL
    if answer.receipt is not None and answer.receipt.error in codes.unknown:
        text = "Bộ đã cấp biên nhận nhưng nay trả lời không có giao dịch này."
        return [Difference(DiscrepancyKind.MISSING_THERE, text, ours=submission.state)]
    ours = {key.lower(): (key, verdict) for key, verdict in submission.items.values_list("key", "verdict")}
    accepted = values.recall_accepted if recall else values.accepted
    rejected = values.recall_rejected if recall else values.rejected
    theirs: dict[str, str] = {}
    for line in answer.lines:
        if line.status in accepted | rejected:
            theirs[line.lookup_uuid.lower()] = "ACCEPTED" if line.status in accepted else "REJECTED"
        else:
            theirs.setdefault(line.lookup_uuid.lower(), "PENDING")
    found = [_foreign(key, verdict) for key, verdict in theirs.items() if key not in ours]
    for lower, (key, verdict) in ours.items():
        found += _one_item(key, verdict, theirs.get(lower))
    return found


def note(submission: Submission, difference: Difference, *, now: datetime) -> bool:
    """Open a discrepancy unless the same one is open already."""
    _, created = Discrepancy.objects.get_or_create(
        kind=difference.kind,
        submission=submission,
        key=difference.key,
        closed_at=None,
        defaults={
            "ours": difference.ours,
            "theirs": difference.theirs,
            "explanation": difference.explanation,
            "found_at": now,
        },
    )
    return created


def note_overdue(submissions: Iterable[Submission], *, now: datetime) -> int:
    """Packages whose answer is overdue, each once."""
    text = "Bộ đã nhận gói nhưng quá hạn chưa trả đủ kết quả; liên hệ đầu mối kỹ thuật của Bộ."
    return sum(note(one, Difference(DiscrepancyKind.OVERDUE, text, ours=one.state), now=now) for one in submissions)


def take(discrepancy_id: int, *, owner: str, now: datetime) -> bool:
    """Somebody takes a difference upon them, or hands it to another; True if it is open."""
    if not owner.strip():
        raise ValueError("a discrepancy is taken by somebody")
    return bool(
        Discrepancy.objects.filter(pk=discrepancy_id, closed_at__isnull=True).update(owner=owner[:150], owned_at=now)
    )


def close(discrepancy_id: int, *, by: str, closing_note: str, now: datetime) -> bool:
    """A person explains a difference away; True if it was open."""
    if not closing_note.strip():
        raise ValueError("a discrepancy is closed with a note")
    return bool(
        Discrepancy.objects.filter(pk=discrepancy_id, closed_at__isnull=True).update(
            closed_at=now, closed_by=by, closing_note=closing_note
        )
    )


def _compare_one(client: MinistryClient, submission: Submission, found: Comparison, now: datetime) -> None:
    message = Message(submission.pk, submission.unit_code, submission.school_year)
    try:
        answer, _ = client.look_up(message, recall=submission.kind == SubmissionKind.RECALL)
    except MinistryError:
        found.unanswered += 1
        return
    found.asked += 1
    found.opened += sum(note(submission, one, now=now) for one in differences(submission, answer, client))


def _foreign(key: str, verdict: str) -> Difference:
    text = "Bộ trả kết quả cho học bạ không có trong gói này."
    return Difference(DiscrepancyKind.UNKNOWN_HERE, text, key=key[:100], theirs=verdict)


def _one_item(key: str, ours: str, theirs: str | None) -> list[Difference]:
    if ours == Verdict.PENDING:
        return []  # not a difference: it is still to come, and `overdue` watches it
    if theirs is None:
        text = "Ta có kết quả nhưng nay Bộ không nêu học bạ này."
        return [Difference(DiscrepancyKind.MISSING_THERE, text, key=key, ours=ours)]
    if theirs != ours:
        text = "Kết quả Bộ trả lúc này khác kết quả đã nhận trước đây."
        return [Difference(DiscrepancyKind.VERDICT_DIFFERS, text, key=key, ours=ours, theirs=theirs)]
    return []
