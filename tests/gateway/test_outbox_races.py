"""Races over the outbox by real threads, each with a connection of its own: claims, late news, leases, the wire."""

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections

from gateway import outbox
from gateway.models import Endpoint, Submission
from gateway.outbox import Claim, Purpose
from gateway.outcomes import Acknowledged, Evidence, FateUnknown, NeverArrived, NotSent, Outcome

PROOF = Evidence(200, b"{}")
LEASE = timedelta(seconds=60)


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


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_overtaken_never_has_a_say_against_the_one_that_is_sending(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    for _ in range(8):
        submission_id = enqueue(now=noon)
        zombie = claim(now=noon)
        late = noon + timedelta(hours=1)
        outbox.expire_leases(now=late)
        outbox.settle(claim(Purpose.ASK, late), NeverArrived(PROOF, 1.0, needed=1), now=late)
        sending = claim(now=late)
        words = [NotSent("TCP", "", 1.0), FateUnknown("TIMEOUT", "", 1.0), NeverArrived(PROOF, 1.0, needed=1)]

        def act(
            index: int,
            zombie: Claim = zombie,
            sending: Claim = sending,
            words: list[Outcome] = words,
            at: datetime = late,
        ) -> bool:
            if index == 3:
                return outbox.settle(sending, FateUnknown("TIMEOUT", "", 999_999.0), now=at).applied
            return outbox.settle(zombie, words[index], now=at).applied

        assert in_threads(act, 4) == [False, False, False, True]
        assert Submission.objects.get(pk=submission_id).state == "UNCERTAIN"
        Submission.objects.filter(pk=submission_id).update(next_attempt_at=noon + timedelta(days=400))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("allowed", [1, 3])
def test_never_more_packages_are_on_the_wire_than_the_ministry_allows(
    enqueue: Callable[..., UUID], endpoint: Endpoint, noon: datetime, allowed: int
) -> None:
    for _ in range(12):
        enqueue(now=noon)

    def claim_once(_: int) -> int:
        return len(
            outbox.claim_due(
                purpose=Purpose.SEND, endpoint_id=endpoint.pk, now=noon, lease=LEASE, worker="w", on_the_wire=allowed
            )
        )

    assert sum(in_threads(claim_once, 8)) == allowed  # type: ignore[arg-type, call-overload]
    assert Submission.objects.filter(state="SENDING").count() == allowed
