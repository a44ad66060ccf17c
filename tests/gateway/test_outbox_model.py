"""A model of the outbox beside the real database: whatever order things happen in, the promises hold.

The model plays the Ministry too: it knows which packages really arrived. Rules send, lose replies, freeze workers, wake
or kill them, expire leases, ask, judge, hold and release, and restore a copy. Races by real threads: test_outbox_races.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from gateway import circuit, conf, outbox, processes
from gateway.models import Attempt, Endpoint, Item, Submission
from gateway.outbox import Claim, NewItem, Purpose, settling
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
from gateway.states import SUBMISSION

PROOF = Evidence(200, b"{}")
LEASE = timedelta(seconds=60)
START = datetime(2026, 6, 1, tzinfo=UTC)
# The names of workers that the kernel would call dead.
DEAD: set[str] = set()


@dataclass(frozen=True)
class Frozen:
    """A worker that holds a claim and has not come back: what it saw, it saw then."""

    claim: Claim
    there: bool


class OutboxModel(RuleBasedStateMachine):
    """`arrived` is the Ministry's truth; `latest` the number of the only attempt whose bad news may count."""

    frozen = Bundle("frozen")
    endpoint: Endpoint

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.arrived: dict[UUID, int] = {}
        self.judged: set[UUID] = set()
        # Packages whose last sending nobody has explained yet: they may be asked about, never sent again.
        self.doubt: set[UUID] = set()
        self.latest: dict[UUID, int] = {}
        self.workers: list[str] = []
        DEAD.clear()
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
        worker = f"w{len(self.workers)}"
        self.workers.append(worker)
        claims = outbox.claim_due(
            purpose=purpose, endpoint_id=self.endpoint.pk, now=self.now, lease=LEASE, worker=worker
        )
        if not claims:
            return None
        assert claims[0].number > self.latest.get(claims[0].submission_id, 0)
        self.latest[claims[0].submission_id] = claims[0].number
        return claims[0]

    def claim_to_send(self) -> Claim | None:
        claim = self.claim(Purpose.SEND)
        if claim is not None:
            assert claim.submission_id not in self.doubt, "sent again although the first may have arrived"
            assert claim.submission_id not in self.arrived, "sent again although the Ministry has it"
            self.doubt.add(claim.submission_id)
        return claim

    @rule(target=frozen, arrives=st.booleans())
    def send_and_freeze(self, arrives: bool) -> Frozen | None:
        """A worker sends and does not come back (yet); the bytes may or may not have arrived."""
        claim = self.claim_to_send()
        if claim is None:
            return None
        if arrives:
            self.arrive(claim)
        return Frozen(claim, arrives)

    @rule(target=frozen)
    def ask_and_freeze(self) -> Frozen | None:
        claim = self.claim(Purpose.ASK)
        return None if claim is None else Frozen(claim, claim.submission_id in self.arrived)

    @rule(target=frozen, second_arrives=st.booleans(), by_asking=st.booleans())
    def a_worker_is_overtaken(self, second_arrives: bool, by_asking: bool) -> Frozen | None:
        """The first worker freezes, its package is found never to have arrived and is on its way a second time, or
        its fate is open again: all that the first one can still say is out of date."""
        first = self.claim_to_send()
        if first is None:
            return None
        self.time_passes(61)
        if by_asking:
            asking = self.claim(Purpose.ASK)
            assert asking is not None
            first = asking if asking.submission_id == first.submission_id else first
            self.time_passes(61)
        self.ask(answered=True)
        second = self.claim_to_send()
        if second is not None:
            if second_arrives:
                self.arrive(second)
            if by_asking:
                self.settle(second, FateUnknown("TIMEOUT", "", 1.0))
        return Frozen(first, False)

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
            self.settle(claim, self.ask_outcome(claim.submission_id in self.arrived, answered))

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

    @rule(frozen=consumes(frozen), good=st.booleans())
    def a_frozen_worker_comes_back(self, frozen: Frozen | None, good: bool) -> None:
        """Late, after its lease, maybe twice overtaken: it tells what it saw when it looked."""
        if frozen is None:
            return
        say = self.ask_outcome if frozen.claim.purpose == Purpose.ASK else self.send_outcome
        self.settle(frozen.claim, say(frozen.there, good))

    @rule(seconds=st.sampled_from([1, 30, 61, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.pass_time(seconds)
        outbox.expire_leases(now=self.now)

    @rule(frozen=consumes(frozen))
    def a_frozen_worker_dies(self, frozen: Frozen | None) -> None:
        """Its package need not wait for the lease; everybody else's does."""
        if frozen is None:
            return
        held = Attempt.objects.get(pk=frozen.claim.attempt_id)
        others = Submission.objects.exclude(pk=held.submission_id).filter(lease_until__gte=self.now)
        leases = dict(others.values_list("pk", "lease_until"))
        DEAD.add(held.worker)
        outbox.expire_leases(now=self.now)
        row = Submission.objects.get(pk=held.submission_id)
        if held.outcome == "OPEN" and row.attempts_made == held.number:
            assert row.state != "SENDING"
            assert row.lease_until is None
        assert dict(Submission.objects.filter(pk__in=leases).values_list("pk", "lease_until")) == leases

    @rule()
    def a_copy_is_restored(self) -> None:
        """What looks unsent may have left after the copy: everything that waits is asked about first."""
        outbox.after_restore(now=self.now)
        assert not Submission.objects.filter(state="QUEUED").exists()

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

    def ask_outcome(self, there: bool, answered: bool) -> Outcome:
        if not answered:
            return FateUnknown("TIMEOUT", "", 1.0)
        return Waiting(1.0) if there else NeverArrived(PROOF, 1.0, needed=1)

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        settled = outbox.settle(claim, outcome, now=self.now)
        bad = isinstance(outcome, NotSent | NeverArrived | FateUnknown)
        if bad and settled.applied:
            assert claim.number == self.latest[claim.submission_id], "an overtaken worker had the last word"
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
def test_no_order_of_events_loses_doubles_or_lies(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_dead", DEAD.__contains__)
    run_state_machine_as_test(
        OutboxModel,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


_REAL = settling._applies


def unfenced(row: Submission, claim: Claim, change: Any) -> bool:
    """Bad news from any worker."""
    return row.state not in settling._CLOSED and SUBMISSION.allows(row.state, change.target)


def fenced_by_state_alone(row: Submission, claim: Claim, change: Any) -> bool:
    """Bad news from whoever finds the state in which it left the package."""
    return _REAL(row, claim, change) or (not change.good and row.state == settling._claimed_state(claim))


def fenced_unless_asking(row: Submission, claim: Claim, change: Any) -> bool:
    """Bad news from whoever asked, however long ago."""
    asking = claim.purpose == Purpose.ASK
    return fenced_by_state_alone(row, claim, change) if asking else _REAL(row, claim, change)


def overtake(*, by_asking: bool) -> None:
    """One story of the model, told from its beginning: a worker is overtaken and then speaks."""
    model = OutboxModel()
    try:
        model.enqueue()
        model.a_frozen_worker_comes_back(model.a_worker_is_overtaken(second_arrives=True, by_asking=by_asking), True)
        model.claim_to_send()
    finally:
        model.teardown()


@pytest.mark.django_db
@pytest.mark.parametrize("by_asking", [False, True])
@pytest.mark.parametrize("mutant", [unfenced, fenced_by_state_alone, fenced_unless_asking, _REAL])
def test_the_model_sees_a_fence_that_is_missing(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, mutant: Callable[..., bool], by_asking: bool
) -> None:
    monkeypatch.setattr(settling, "_applies", mutant)
    if mutant is _REAL or (mutant is fenced_unless_asking and not by_asking):
        overtake(by_asking=by_asking)
        return
    with pytest.raises(AssertionError, match="overtaken worker had the last word"):
        overtake(by_asking=by_asking)
