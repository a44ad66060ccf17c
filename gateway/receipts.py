"""Collects verdicts: asks the Ministry about acknowledged submissions until every item has its answer.

Raw answers are kept, verdicts are written per item, a question without an answer changes nothing. A package that
waits longer than the endpoint's patience is overdue: it is shown to people, and goes on being asked about.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from django.db.models import QuerySet

from gateway import circuit, forwarding, outbox
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.ministry.errors import MinistryError
from gateway.models import Endpoint, Submission
from gateway.outbox import Claim, Settled
from gateway.states import SubmissionState


def collect(claim: Claim, client: MinistryClient, endpoint: Endpoint, *, now: datetime, rng: Random) -> Settled:
    """Ask once about one acknowledged submission, and settle."""
    try:
        outcome = forwarding.ask(claim, client, rng=rng)
    except MinistryError as problem:
        return forwarding.settle_trouble(problem, claim, client.description, endpoint, now=now, rng=rng)
    circuit.note_success(endpoint, now=now)
    return outbox.settle(claim, outcome, now=outbox.database_now())


def overdue(*, description: EndpointDescription, now: datetime) -> QuerySet[Submission]:
    """Acknowledged longer ago than the endpoint's patience and not answered in full, oldest first."""
    limit = now - timedelta(seconds=description.polling.overdue_after_seconds)
    return Submission.objects.filter(state=SubmissionState.ACKNOWLEDGED, acknowledged_at__lt=limit).order_by(
        "acknowledged_at"
    )
