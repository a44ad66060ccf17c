"""One package in full for an officer: why its fate is in doubt, and where the records of a refused one went.

Reads rows only; asks the Ministry nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_noop

from gateway.models import Attempt, Item, Submission
from gateway.states import AttemptPurpose, SubmissionState, Verdict

_SENT_BACK = gettext_noop("Trả về hàng chờ")


@dataclass(frozen=True)
class Doubt:
    """What is known about a package of which nobody can say whether it arrived."""

    sent: Attempt | None  # the handing over that brought no clear answer
    asked: int  # how often the Ministry was asked since
    answer: Attempt | None  # what it said last
    next_at: datetime | None


def doubt_of(row: Submission) -> Doubt | None:
    """The explanation of UNCERTAIN, also while an officer holds the package; None in every other state."""
    if SubmissionState.UNCERTAIN not in (row.state, row.held_from):
        return None
    sent = row.attempts.filter(purpose=AttemptPurpose.SEND).order_by("-number").first()
    asked = row.attempts.filter(purpose=AttemptPurpose.ASK, number__gt=sent.number if sent else 0)
    return Doubt(sent=sent, asked=asked.count(), answer=asked.order_by("-number").first(), next_at=row.next_attempt_at)


@dataclass(frozen=True)
class ItemLine:
    """One item of a package, and the later package its record went into when this one was refused."""

    item: Item
    now_in: Item | None
    waits: bool  # taken out of a refused package, in none yet

    @property
    def newest(self) -> Item:
        return self.now_in or self.item


def item_lines(row: Submission, items: Iterable[Item]) -> list[ItemLine]:
    shown = list(items)
    if row.state != SubmissionState.REFUSED:
        return [ItemLine(item, None, waits=False) for item in shown]
    later = _later(row, shown)
    return [ItemLine(item, later.get(item.key), waits=_waits(item) and item.key not in later) for item in shown]


def verdict_counts(row: Submission) -> list[tuple[str, str, int]]:
    """How many items stand at each verdict: code, words, number; those with none are left out."""
    rows = dict(row.items.order_by().values_list("verdict").annotate(n=Count("pk")))
    words = {one.value: str(one.label) for one in Verdict}
    if row.state == SubmissionState.REFUSED:
        words[Verdict.PENDING.value] = _SENT_BACK
    return [(code, words[code], rows[code]) for code in words if code in rows]


def _later(row: Submission, shown: list[Item]) -> dict[str, Item]:
    """By key, the newest item of the same kind that was made after this package's."""
    first = min((item.pk for item in shown), default=0)
    rows = Item.objects.filter(key__in=[item.key for item in shown], submission__kind=row.kind, pk__gt=first)
    rows = rows.exclude(submission=row.pk).select_related("submission", "record", "recall")
    return {item.key: item for item in rows.order_by("pk")}


def _waits(item: Item) -> bool:
    return item.verdict == Verdict.PENDING and not hasattr(item, "record") and not hasattr(item, "recall")


def still_here() -> Exists:
    """Whether something of a package has no verdict and went into no other package yet."""
    mine = Item.objects.filter(submission=OuterRef("pk"), verdict=Verdict.PENDING)
    newer = Item.objects.filter(key=OuterRef("key"), submission__kind="CERTIFICATE", pk__gt=OuterRef("pk"))
    certificate = Q(submission__kind="CERTIFICATE") & ~Exists(newer)
    return Exists(mine.filter(Q(record__isnull=False) | Q(recall__isnull=False) | certificate))


def with_still_here(rows: QuerySet[Submission]) -> QuerySet[Submission]:
    """Each row with `is_open`: REFUSED and yet to be packed anew."""
    return rows.annotate(is_open=still_here())
