"""The one writer of new Discrepancy rows: a difference between the two ledgers becomes a row that a person closes.

Found again it stays one open row. Opening one never changes a state or a verdict; taking and closing is
`reconciliation`'s.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from gateway.models import Discrepancy, Submission
from gateway.states import DiscrepancyKind


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which the two ledgers disagree."""

    kind: DiscrepancyKind
    explanation: str
    key: str = ""
    ours: str = ""
    theirs: str = ""


def is_held_there() -> Exists:
    """For a query of submissions: the Ministry holds a package we closed as refused, and no officer has settled yet
    what becomes of it. Its records and recalls do not travel in another one meanwhile."""
    return Exists(
        Discrepancy.objects.filter(submission=OuterRef("pk"), kind=DiscrepancyKind.TAKEN_THERE, closed_at__isnull=True)
    )


@transaction.atomic
def note(submission: Submission, difference: Difference, *, now: datetime, body: bytes = b"") -> bool:
    """Open a discrepancy unless the same one is open already; `body` is the answer that shows it."""
    # The submission first, as settling does: a comparison and a late answer that find the same wait, and do not lock
    # each other out.
    Submission.objects.select_for_update(no_key=True).values_list("pk").get(pk=submission.pk)
    _, created = Discrepancy.objects.get_or_create(
        kind=difference.kind,
        submission=submission,
        key=difference.key,
        closed_at=None,
        defaults={
            "ours": difference.ours,
            "theirs": difference.theirs,
            "explanation": difference.explanation,
            "evidence": zlib.compress(body) if body else None,
            "found_at": now,
        },
    )
    return created
