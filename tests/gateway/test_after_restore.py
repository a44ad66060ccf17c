"""Our database comes from a copy, the Ministry's ledger does not: what looks unsent may have arrived since the copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command

from gateway import outbox
from gateway.models import Attempt, Item, Submission
from gateway.outbox import Claim, Purpose
from gateway.outcomes import Acknowledged, Evidence, FateUnknown
from tests.gateway.peer import Peer, Reply, Request
from tests.gateway.test_forwarding import Act, act, client, lines, receipt, token_or

__all__ = ["act", "client"]  # fixtures

pytestmark = pytest.mark.django_db
PROOF = Evidence(200, b"{}")


def refuse(request: Request) -> Reply:
    return Reply(400, receipt(request, Error="YEAR_CLOSED").body)


def test_what_waits_is_asked_about_before_it_is_sent_and_no_refusal_of_it_stands_unasked(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, noon: datetime
) -> None:
    enqueue("a")
    assert outbox.after_restore(now=noon) == 1
    row = Submission.objects.get()
    assert (row.state, row.reason_code, row.first_sent_at) == ("UNCERTAIN", "RESTORED", noon)
    peer.answer = token_or(lambda request: receipt(request, Error="MESSAGE_UNKNOWN"))
    assert act(Purpose.ASK).state == "QUEUED"
    peer.answer = token_or(refuse)
    assert act().state == "UNCERTAIN", "the Ministry may have taken it after the copy was made"
    peer.answer = lines(("a", 1))
    assert act(Purpose.ASK).state == "ANSWERED"
    assert Item.objects.get().verdict == "ACCEPTED"


def test_a_package_an_officer_holds_stays_held_and_is_asked_about_when_released(
    enqueue: Callable[..., UUID], noon: datetime
) -> None:
    submission_id = enqueue("a")
    outbox.hold(submission_id, reason="chờ", now=noon)
    assert outbox.after_restore(now=noon) == 1
    row = Submission.objects.get()
    assert (row.state, row.held_from, row.attempts_made) == ("HELD", "UNCERTAIN", 1)
    outbox.release(submission_id, now=noon)
    assert Submission.objects.get().state == "UNCERTAIN"


def test_what_is_asked_about_anyway_is_left_alone(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    enqueue("a")
    outbox.settle(claim(), FateUnknown("TIMEOUT", "", 60.0), now=noon)
    enqueue("b", now=noon + timedelta(seconds=1))
    outbox.settle(claim(now=noon + timedelta(seconds=1)), Acknowledged(PROOF, 60.0), now=noon)
    before = list(Submission.objects.order_by("pk").values())
    assert outbox.after_restore(now=noon) == 0
    assert list(Submission.objects.order_by("pk").values()) == before


def test_it_is_said_once_from_the_command_line(enqueue: Callable[..., UUID], noon: datetime) -> None:
    enqueue("a")
    enqueue("b")
    out = StringIO()
    call_command("outbox", "restored", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"asked_first": 2}
    assert set(Attempt.objects.values_list("outcome", "code", "number")) == {("LEASE_EXPIRED", "RESTORED", 1)}
