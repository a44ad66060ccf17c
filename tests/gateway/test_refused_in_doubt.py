"""A refusal that follows an attempt of unknown fate: the Ministry may hold the package all the same, so it is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from gateway import outbox
from gateway.models import Attempt, Item
from gateway.outbox import Purpose
from tests.gateway.peer import Peer, Reply, Request
from tests.gateway.test_forwarding import Act, act, client, lines, receipt, token_or

__all__ = ["act", "client"]  # fixtures

pytestmark = pytest.mark.django_db
IN_DOUBT = "REFUSED_IN_DOUBT"


def refuse(request: Request) -> Reply:
    return Reply(400, receipt(request, Error="STRUCTURE_INVALID").body)


def unknown(request: Request) -> Reply:
    return receipt(request, Error="MESSAGE_UNKNOWN")


def lose_and_send_again(peer: Peer, act: Act) -> None:
    """The first reply is lost, the question brings "unknown to me", and the package goes out once more."""
    peer.answer = token_or(lambda _: Reply(reset=True))
    assert act().state == "UNCERTAIN"
    peer.answer = token_or(unknown)
    assert act(Purpose.ASK).state == "QUEUED"


def assert_the_ministry_had_taken_it(peer: Peer, act: Act, submission_id: UUID) -> None:
    """Asked now, it says "accepted", and that counts."""
    peer.answer = token_or(lines(("a", 1)))
    assert act(Purpose.ASK).state == "ANSWERED"
    assert Item.objects.get(submission_id=submission_id).verdict == "ACCEPTED"


def test_a_refusal_after_a_lost_reply_is_no_verdict_before_the_ministry_was_asked(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    submission_id = enqueue("a")
    lose_and_send_again(peer, act)
    peer.answer = token_or(refuse)
    row = act()
    assert (row.state, row.reason_code) == ("UNCERTAIN", IN_DOUBT)
    assert Item.objects.get(submission_id=submission_id).verdict == "PENDING"
    assert_the_ministry_had_taken_it(peer, act, submission_id)


def test_a_package_that_the_ministry_does_not_have_is_refused_when_it_is_refused_again(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    submission_id = enqueue("a")
    lose_and_send_again(peer, act)
    peer.answer = token_or(refuse)
    act()
    peer.answer = token_or(unknown)
    assert act(Purpose.ASK).state == "QUEUED"
    peer.answer = token_or(refuse)
    assert act().state == "REFUSED"
    assert Item.objects.get(submission_id=submission_id).verdict == "REJECTED"
    assert Attempt.objects.filter(submission_id=submission_id, code=IN_DOUBT).count() == 1


def test_a_refusal_where_nothing_can_have_arrived_before_stands_at_once(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    enqueue("a")
    peer.answer = token_or(lambda request: Reply(503, receipt(request, Error="BUSY").body))
    assert act().state == "QUEUED"
    peer.answer = token_or(refuse)
    assert act().state == "REFUSED"


def test_a_package_in_doubt_anew_is_asked_about_anew_before_a_refusal_stands(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    submission_id = enqueue("a")
    lose_and_send_again(peer, act)
    peer.answer = token_or(refuse)
    act()
    peer.answer = token_or(unknown)
    assert act(Purpose.ASK).state == "QUEUED"
    lose_and_send_again(peer, act)
    peer.answer = token_or(refuse)
    row = act()
    assert (row.state, row.reason_code) == ("UNCERTAIN", IN_DOUBT), "what was asked before says nothing about since"
    assert_the_ministry_had_taken_it(peer, act, submission_id)


def test_a_refusal_of_what_the_ministry_once_gave_a_receipt_for_is_asked_about(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    submission_id = enqueue("a")
    peer.answer = token_or(receipt)
    assert act().state == "ACKNOWLEDGED"
    peer.answer = token_or(unknown)
    assert [act(Purpose.COLLECT).state for _ in range(3)][-1] == "UNCERTAIN"
    assert act(Purpose.ASK).state == "QUEUED"
    peer.answer = token_or(refuse)
    row = act()
    assert (row.state, row.reason_code) == ("UNCERTAIN", IN_DOUBT)
    assert_the_ministry_had_taken_it(peer, act, submission_id)


def test_an_officer_who_permits_sending_again_does_not_answer_for_the_ministry(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, noon: datetime
) -> None:
    submission_id = enqueue("a")
    lose_and_send_again(peer, act)
    peer.answer = token_or(refuse)
    assert act().state == "UNCERTAIN"
    outbox.requeue(submission_id, now=noon, resend=True)
    row = act()
    assert (row.state, row.reason_code) == ("UNCERTAIN", IN_DOUBT), "nobody has asked since the doubt"
