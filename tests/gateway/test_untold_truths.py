"""Ways in which a record could be doubled, told false or forgotten although every single answer was handled."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from gateway import conf, duties, forwarding, reconciliation, session
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.ministry.errors import FateUnknown
from gateway.models import Attempt, Comparison, Discrepancy, Endpoint, Item, Submission
from gateway.outbox import Claim, Purpose
from tests.gateway.peer import Peer, Reply
from tests.gateway.test_forwarding import RNG, Act, Answer, act, client, receipt, token_or

__all__ = ["act", "client"]  # fixtures

pytestmark = pytest.mark.django_db


def opened() -> list[tuple[str, str, str, str]]:
    return list(Discrepancy.objects.order_by("pk").values_list("kind", "key", "ours", "theirs"))


def told(*rows: tuple[str, int, str], error: str = "") -> Answer:
    data = [{"ma_tra_cuu_uuid": key, "trang_thai": status, "error": code} for key, status, code in rows]
    return token_or(lambda request: receipt(request, Error=error, ResponseCode="4", data=data))


@pytest.mark.parametrize(
    ("rows", "code"),
    [([("a", 1, ""), ("b", 0, "X")], "CONTRADICTION"), ([("b", 0, "X"), ("khac", 0, "X")], "FOREIGN_LINES")],
)
def test_a_refusal_of_the_package_that_accepts_one_of_its_records_sends_nothing_again(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, rows: list[tuple[str, int, str]], code: str
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    peer.answer = told(*rows, error="PACKAGE_INVALID")
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED", "as REFUSED its records would travel in another package"
    assert set(Item.objects.values_list("verdict", flat=True)) == {"PENDING"}
    assert opened() == [("FOREIGN_ANSWER", "", "ACKNOWLEDGED", code)]
    peer.answer = told(("b", 0, "X"), error="PACKAGE_INVALID")
    assert act(Purpose.COLLECT).state == "REFUSED"


def test_a_refusal_of_the_package_after_one_of_its_records_was_accepted_is_seen_at_once(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    peer.answer = told(("a", 1, ""))
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    peer.answer = told(error="PACKAGE_INVALID")
    assert act(Purpose.COLLECT).state == "REFUSED"
    assert opened() == [("VERDICT_DIFFERS", "", "ACKNOWLEDGED", "PACKAGE_INVALID")]
    assert dict(Item.objects.values_list("key", "verdict")) == {"a": "ACCEPTED", "b": "PENDING"}


class Longest(Random):
    """Waits as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_a_package_that_breaks_the_other_side_each_time_is_sent_more_and_more_rarely(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], description: EndpointDescription, noon: datetime
) -> None:
    enqueue("a")
    first = claim()
    problem = FateUnknown("HTTP_500", "", status=500)

    def wait(failures: int) -> float:
        taken = dataclasses.replace(first, failures=failures)
        return forwarding.failure_delay(problem, taken, description, now=noon, rng=Longest())

    assert wait(0) == description.polling.ask_first_delay_seconds, "a first doubt is asked about soon"
    assert wait(20) == description.sending.longest_delay_seconds
    assert [wait(number) for number in range(20)] == sorted(wait(number) for number in range(20))


def test_whoever_holds_a_package_longer_than_its_lease_sends_nothing_any_more(
    peer: Peer, enqueue: Callable[..., UUID], claim: Callable[..., Claim], client: MinistryClient, endpoint: Endpoint,
    noon: datetime,
) -> None:  # fmt: skip
    """It was frozen before the call: meanwhile the package may have been asked about, refused and packed anew."""
    peer.answer = token_or(receipt)
    enqueue("a")
    late = dataclasses.replace(claim(), lease_ends=time.monotonic() + client.description.connection.total_timeout)
    forwarding.forward(late, client, endpoint, now=noon, rng=RNG)
    assert not [request for request in peer.requests if request.path == "/api/hoc-ba/gui"]
    assert Submission.objects.get().state == "QUEUED"
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.code) == ("NOT_SENT", "LEASE_ENDED")
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.failures_in_a_row) == ("OPEN", 0), "not the line's fault"


def test_a_claim_knows_when_its_lease_ends(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], description: EndpointDescription
) -> None:
    before = time.monotonic()
    enqueue("a")
    ends = claim().lease_ends
    assert before + description.sending.lease_seconds <= ends <= time.monotonic() + description.sending.lease_seconds


def close(submission_id: UUID, *, at: datetime, verdict: str = "ACCEPTED") -> None:
    Item.objects.filter(submission_id=submission_id).update(verdict=verdict, judged_at=at)
    rows = Submission.objects.filter(pk=submission_id)
    rows.update(state="ACKNOWLEDGED", acknowledged_at=at)
    rows.update(state="ANSWERED", closed_at=at, next_attempt_at=None)


@pytest.fixture
def served(line: Callable[..., conf.EndpointDescription]) -> MinistryClient:
    line()
    return session.client()


def test_the_night_looks_at_what_was_answered_that_day_however_long_it_had_waited(
    served: MinistryClient, enqueue: Callable[..., UUID], noon: datetime
) -> None:
    """Three days of outage: on the night after it was packed there was nothing to compare yet."""
    for day in range(5):
        duties.reconcile(client=served, now=noon + timedelta(days=day))
    outage = enqueue("a", now=noon + timedelta(hours=1))
    close(outage, at=noon + timedelta(days=4, hours=1))
    duties.reconcile(client=served, now=noon + timedelta(days=5))
    assert Comparison.objects.order_by("-pk")[0].total == 1
    duties.reconcile(client=served, now=noon + timedelta(days=7))
    assert Comparison.objects.order_by("-pk")[0].total == 0, "once is enough"


def test_a_day_that_a_person_asks_for_is_the_day_of_packing(
    served: MinistryClient, enqueue: Callable[..., UUID], noon: datetime
) -> None:
    close(enqueue("a", now=noon - timedelta(days=3)), at=noon)
    asked = reconciliation.ask_for(
        since=noon - timedelta(hours=1), until=noon + timedelta(days=1), now=noon, asked_by="an"
    )
    assert asked.total == 0


def compare(served: MinistryClient, noon: datetime) -> Comparison:
    return reconciliation.reconcile(client=served, since=noon, until=noon + timedelta(days=1), now=noon)


@pytest.mark.parametrize(("verdict", "found"), [("ACCEPTED", 1), ("REJECTED", 0)])
def test_a_package_that_was_accepted_and_is_refused_now_is_a_difference(
    peer: Peer, served: MinistryClient, enqueue: Callable[..., UUID], noon: datetime, verdict: str, found: int
) -> None:
    close(enqueue("a"), at=noon, verdict=verdict)
    peer.answer = told(error="STRUCTURE_INVALID")
    asked = compare(served, noon)
    assert (asked.asked, asked.unanswered) == (1, 0)
    assert opened() == [("VERDICT_DIFFERS", "", "ANSWERED", "STRUCTURE_INVALID")][:found]


def test_a_comparison_that_is_answered_about_something_else_says_so(
    peer: Peer, served: MinistryClient, enqueue: Callable[..., UUID], noon: datetime
) -> None:
    close(enqueue("a"), at=noon)
    peer.answer = token_or(lambda request: receipt(request, MessageId="khac"))
    compare(served, noon)
    assert opened() == [("FOREIGN_ANSWER", "", "ANSWERED", "RECEIPT_FOREIGN")]


def test_a_record_refused_because_the_ministry_holds_it_already_is_looked_at_by_a_person(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    """After our database was restored from a copy: what was sent since is sent again in other packages."""
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    peer.answer = told(("a", 0, "UUID_HELD"), ("b", 0, "E1"))
    assert act(Purpose.COLLECT).state == "ANSWERED"
    assert opened() == [("VERDICT_DIFFERS", "a", "REJECTED", "ACCEPTED")]
    assert "đã giữ" in Discrepancy.objects.get().explanation


def test_answers_of_the_line_are_still_told_apart(peer: Peer, enqueue: Callable[..., UUID], act: Act) -> None:
    peer.answer = token_or(lambda _: Reply(500))
    enqueue("a")
    assert act().state == "UNCERTAIN"
    assert opened() == []


def test_a_refusal_with_a_long_code_is_a_refusal_all_the_same(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    code = "E" * 100
    peer.answer = token_or(lambda request: Reply(422, receipt(request, Error=code).body))
    enqueue("a", "b")
    row = act()
    assert (row.state, row.reason_code) == ("REFUSED", code[:60])


def test_a_question_that_was_not_answered_is_asked_again_the_next_night_but_not_for_ever(
    peer: Peer, served: MinistryClient, enqueue: Callable[..., UUID], noon: datetime
) -> None:
    close(enqueue("a"), at=noon)
    peer.answer = token_or(lambda _: Reply(200, b"<html>"))
    totals = []
    for day in range(1, 11):
        now = noon + timedelta(days=day)
        duties.reconcile(client=served, now=now)
        newest = Comparison.objects.order_by("-pk")[0]
        reconciliation.work_on(newest, client=served, clock=lambda now=now: now, budget=None)
        totals.append(newest.total)
    assert totals == [1] * 3 + [0] * 7, "after three nights it is for an officer: the page counts the unanswered"


def test_a_bare_413_refuses_no_record_that_travels_alone(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    """A page of something in between: no school is told that the Ministry refused its record, and packing learns
    nothing from it."""
    peer.answer = token_or(lambda _: Reply(413, b"<html>413 Request Entity Too Large</html>"))
    enqueue("a")
    assert act().state == "UNCERTAIN"
    assert Item.objects.get().verdict == "PENDING"
    endpoint.refresh_from_db()
    assert (endpoint.refused_bytes, endpoint.failures_in_a_row) == (None, 1)


def test_a_413_that_names_the_message_is_the_ministrys_word_on_the_record(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    peer.answer = token_or(lambda request: Reply(413, receipt(request, Error="PACKAGE_TOO_BIG").body))
    enqueue("a")
    row = act()
    assert (row.state, row.reason_code) == ("REFUSED", "PACKAGE_TOO_BIG")
    assert Item.objects.get().verdict == "REJECTED"


def test_a_recall_refused_because_it_was_done_already_is_looked_at_by_a_person(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", kind="RECALL")
    act()
    peer.answer = told(("a", 3, "ALREADY_RECALLED"))
    assert act(Purpose.COLLECT).state == "ANSWERED"
    assert opened() == [("VERDICT_DIFFERS", "a", "REJECTED", "ACCEPTED")]
    assert "đã thu hồi" in Discrepancy.objects.get().explanation
