"""A model of the outbox beside the real database: whatever order things happen in, the promises hold.

The model plays the Ministry too: it knows which packages really arrived. Rules send, lose replies, freeze workers, wake
them, expire leases, ask, judge, hold and release; races are run by real threads.
"""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from gateway import circuit, conf, outbox
from gateway.models import Attempt, Endpoint, Item, Submission
from gateway.outbox import Claim, NewItem, Purpose
from gateway.outcomes import (
    Acknowledged,
    Evidence,
    FateUnknown,
    ItemVerdict,
    Judged,
    NeverArrived,
    NotSent,
    Outcome,
    Waiting,
)

PROOF = Evidence(200, b"{}")
LEASE = timedelta(seconds=60)
START = datetime(2026, 6, 1, tzinfo=UTC)


class OutboxModel(RuleBasedStateMachine):
    """`arrived` is the Ministry's truth; `frozen` are workers that hold a claim and have not come back."""

    frozen = Bundle("frozen")
    endpoint: Endpoint

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.arrived: dict[UUID, int] = {}
        self.judged: set[UUID] = set()
        # Packages whose last sending nobody has explained yet: they may be asked about, never sent again.
        self.doubt: set[UUID] = set()
        self.documents: dict[UUID, str] = {}
        self.endpoint = circuit.row(conf.endpoint())
        self.saved = transaction.atomic()
        self.saved.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.saved.__exit__(None, None, None)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def enqueue(self) -> None:
        submission_id = uuid4()
        with transaction.atomic():
            outbox.enqueue(
                submission_id=submission_id,
                kind="RECORDS",
                unit_code="79",
                school_year=2025,
                document=b"<A/>",
                items=[NewItem("a", b"d"), NewItem("b", b"d")],
                now=self.now,
            )
        self.documents[submission_id] = outbox.load_content(submission_id)

    def claim(self, purpose: Purpose) -> Claim | None:
        claims = outbox.claim_due(purpose=purpose, endpoint_id=self.endpoint.pk, now=self.now, lease=LEASE, worker="w")
        return claims[0] if claims else None

    def claim_to_send(self) -> Claim | None:
        claim = self.claim(Purpose.SEND)
        if claim is not None:
            assert claim.submission_id not in self.doubt, "sent again although the first may have arrived"
            self.doubt.add(claim.submission_id)
        return claim

    @rule(target=frozen, arrives=st.booleans())
    def send_and_freeze(self, arrives: bool) -> Claim | None:
        """A worker sends and does not come back (yet); the bytes may or may not have arrived."""
        claim = self.claim_to_send()
        if claim is not None and arrives:
            self.arrive(claim)
        return claim

    @rule(target=frozen)
    def ask_and_freeze(self) -> Claim | None:
        return self.claim(Purpose.ASK)

    @rule(arrives=st.booleans(), answered=st.booleans())
    def send(self, arrives: bool, answered: bool) -> None:
        claim = self.claim_to_send()
        if claim is None:
            return
        if arrives:
            self.arrive(claim)
        self.settle(claim, self.send_outcome(arrives, answered))

    @rule(answered=st.booleans())
    def ask(self, answered: bool) -> None:
        claim = self.claim(Purpose.ASK)
        if claim is not None:
            self.settle(claim, self.ask_outcome(claim, answered))

    @rule(complete=st.booleans())
    def collect(self, complete: bool) -> None:
        claim = self.claim(Purpose.COLLECT)
        if claim is None:
            return
        assert claim.submission_id in self.arrived, "asked for verdicts of something the Ministry never had"
        verdicts = [ItemVerdict("a", "ACCEPTED"), *([ItemVerdict("b", "REJECTED")] if complete else [])]
        if complete:
            self.judged.add(claim.submission_id)
        self.settle(claim, Judged(PROOF, verdicts, complete, 1.0))

    @rule(claim=consumes(frozen), good=st.booleans())
    def a_frozen_worker_comes_back(self, claim: Claim | None, good: bool) -> None:
        """Late, after its lease, maybe twice overtaken: it tells what it saw."""
        if claim is None:
            return
        if claim.purpose == Purpose.ASK:
            self.settle(claim, self.ask_outcome(claim, good))
        else:
            self.settle(claim, self.send_outcome(claim.submission_id in self.arrived, good))

    @rule(seconds=st.sampled_from([1, 30, 61, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.pass_time(seconds)
        outbox.expire_leases(now=self.now)

    @rule()
    def the_line_is_back(self) -> None:
        outbox.release_all_due(endpoint=self.endpoint, now=self.now)

    @rule(held=st.booleans())
    def an_officer_acts(self, held: bool) -> None:
        wanted = ["HELD"] if held else ["QUEUED", "UNCERTAIN"]
        submission_id = Submission.objects.filter(state__in=wanted).values_list("pk", flat=True).first()
        if submission_id is None:
            return
        if held:
            outbox.release(submission_id, now=self.now)
        else:
            outbox.hold(submission_id, reason="x", now=self.now)

    def arrive(self, claim: Claim) -> None:
        assert outbox.load_content(claim.submission_id) == self.documents[claim.submission_id]
        self.arrived[claim.submission_id] = self.arrived.get(claim.submission_id, 0) + 1

    def send_outcome(self, arrived: bool, answered: bool) -> Outcome:
        if arrived:
            return Acknowledged(PROOF, 1.0) if answered else FateUnknown("TIMEOUT", "", 1.0)
        return NotSent("TCP", "", 1.0) if answered else FateUnknown("TIMEOUT", "", 1.0)

    def ask_outcome(self, claim: Claim, answered: bool) -> Outcome:
        if not answered:
            return FateUnknown("TIMEOUT", "", 1.0)
        there = claim.submission_id in self.arrived
        return Waiting(1.0) if there else NeverArrived(PROOF, 1.0, needed=1)

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        settled = outbox.settle(claim, outcome, now=self.now)
        if settled.applied and not isinstance(outcome, FateUnknown):
            self.doubt.discard(claim.submission_id)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every package is either closed or has a next step: a time, a lease, or an officer."""
        for row in Submission.objects.exclude(state__in=["ANSWERED", "REFUSED", "HELD"]):
            assert row.next_attempt_at is not None or row.lease_until is not None

    @invariant()
    def no_false_success(self) -> None:
        """What we call received or answered, the Ministry really has."""
        for row in Submission.objects.filter(state__in=["ACKNOWLEDGED", "ANSWERED"]):
            assert row.pk in self.arrived
        assert set(Submission.objects.filter(state="ANSWERED").values_list("pk", flat=True)) <= self.judged

    @invariant()
    def nothing_arrived_is_thought_never_to_have_left(self) -> None:
        for row in Submission.objects.filter(pk__in=self.arrived):
            assert row.first_sent_at is not None

    @invariant()
    def verdicts_are_the_ministrys(self) -> None:
        wrong = Item.objects.filter(submission__in=self.judged).exclude(verdict="PENDING")
        assert all(item.verdict == {"a": "ACCEPTED", "b": "REJECTED"}[item.key] for item in wrong)

    @invariant()
    def attempts_are_numbered_without_gaps(self) -> None:
        for row in Submission.objects.all():
            numbers = list(Attempt.objects.filter(submission=row).values_list("number", flat=True))
            assert sorted(numbers) == list(range(1, row.attempts_made + 1))


@pytest.mark.django_db
@pytest.mark.slow
def test_no_order_of_events_loses_doubles_or_lies(endpoint: Endpoint) -> None:
    run_state_machine_as_test(
        OutboxModel,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def in_threads(act: Callable[[int], object], number: int = 6) -> list[object]:
    """Run `act` at the same moment in real threads, each with its own connection."""
    gate, results = threading.Barrier(number), [None] * number

    def run(index: int) -> None:
        try:
            gate.wait()
            results[index] = act(index)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_the_same_moment_never_share_a_package(
    enqueue: Callable[..., UUID], endpoint: Endpoint, noon: datetime
) -> None:
    expected = {enqueue(now=noon) for _ in range(30)}

    def claim_all(_: int) -> list[UUID]:
        mine: list[UUID] = []
        while claims := outbox.claim_due(
            purpose=Purpose.SEND, endpoint_id=endpoint.pk, now=noon, lease=LEASE, worker="w", limit=3
        ):
            mine += [claim.submission_id for claim in claims]
        return mine

    taken = list(itertools.chain.from_iterable(in_threads(claim_all)))  # type: ignore[arg-type]
    assert len(taken) == 30
    assert set(taken) == expected


@pytest.mark.django_db(transaction=True)
def test_good_and_bad_news_at_the_same_moment_end_in_good_news(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    for _ in range(8):
        submission_id = enqueue(now=noon)
        mine = claim(now=noon)

        def settle(index: int, mine: Claim = mine) -> bool:
            news = Acknowledged(PROOF, 60.0) if index == 0 else FateUnknown("TIMEOUT", "", 60.0)
            return outbox.settle(mine, news, now=noon).applied

        in_threads(settle, 4)
        assert Submission.objects.get(pk=submission_id).state == "ACKNOWLEDGED"


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_expires_while_its_worker_settles_gives_one_of_two_legal_ends(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    for _ in range(8):
        submission_id = enqueue(now=noon)
        mine = claim(now=noon)
        late = noon + timedelta(hours=1)

        def act(index: int, mine: Claim = mine, late: datetime = late) -> object:
            if index:
                return outbox.expire_leases(now=late)
            return outbox.settle(mine, NotSent("TCP", "", 999_999.0), now=late)

        in_threads(act, 3)
        row = Submission.objects.get(pk=submission_id)
        assert row.state in ("QUEUED", "UNCERTAIN")
        Submission.objects.filter(pk=row.pk).update(next_attempt_at=noon + timedelta(days=400))
