"""A package of recalls that the Ministry refuses as a whole: none of them waits for ever, and one culprit is found."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from gateway import circuit, conf
from gateway.models import Endpoint, Item, Submission
from portal.records import dispatch, recall
from portal.records.models import Recall, Record
from portal.records.states import RecallState
from portal.rehearsal.batches import unsigned_batch


@pytest.fixture
def now():
    return datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def four(cast, hand_in, now, django_user_model):
    """Four recalls in one package on its way."""
    hand_in(cast.made("02"), unsigned_batch(cast.records(cast.made("02"), 4)).data)
    dispatch.dispatch_due(now=now + timedelta(minutes=2))
    Item.objects.update(verdict="ACCEPTED", judged_at=now)
    clerk, officer = django_user_model.objects.order_by("id")[:2]
    for record in Record.objects.all():
        asked = recall.request(record=record, reason="Sai điểm", requested_by=clerk, now=now)
        if asked.state == RecallState.REQUESTED:
            recall.approve(recall=asked, decided_by=officer, now=now)
    assert recall.dispatch_due(now=now) == 4
    return Submission.objects.get(kind="RECALL")


def refuse(submission, code, now):
    Submission.objects.filter(pk=submission.pk).update(state="SENDING", lease_until=now, next_attempt_at=None)
    Submission.objects.filter(pk=submission.pk).update(
        state="REFUSED", lease_until=None, reason_code=code, closed_at=now, next_attempt_at=None
    )


def waiting():
    return Submission.objects.filter(kind="RECALL", state="QUEUED").order_by("enqueued_at", "pk")


@pytest.mark.parametrize("code", ["PACKAGE_TOO_BIG", "STRUCTURE_INVALID"])
def test_recalls_of_a_package_refused_without_a_culprit_go_again_in_halves(four, now, code):
    refuse(four, code, now)
    assert recall.dispatch_due(now=now) == 4
    assert [one.items_count for one in waiting()] == [2, 2]
    assert {one.details["split_from"] for one in waiting()} == {str(four.pk)}
    assert recall.dispatch_due(now=now) == 0
    for half in list(waiting()):
        refuse(half, code, now)
    recall.dispatch_due(now=now)
    assert [one.items_count for one in waiting()] == [1, 1, 1, 1]
    assert set(Recall.objects.values_list("state", flat=True)) == {RecallState.DISPATCHED}
    assert not Recall.objects.filter(item__submission__state="REFUSED").exists()


def test_recalls_beside_a_named_culprit_go_again_together(four, now):
    Item.objects.filter(submission=four, position=1).update(verdict="REJECTED", judged_at=now)
    refuse(four, "STRUCTURE_INVALID", now)
    assert recall.dispatch_due(now=now) == 3
    assert [one.items_count for one in waiting()] == [3]


def test_recalls_refused_for_our_seal_wait_for_a_person(four, now):
    endpoint = Endpoint.objects.get()
    refuse(four, "SEAL_INVALID", now)
    assert recall.dispatch_due(now=now) == 0
    circuit.pause(endpoint, "SEAL_REFUSED", "x", description=conf.endpoint(), now=now, rng=random.Random(1))
    circuit.resume(endpoint, now=now + timedelta(minutes=1))
    assert recall.dispatch_due(now=now + timedelta(minutes=2)) == 4
    assert [one.items_count for one in waiting()] == [4]


def test_recalls_sent_on_behalf_of_schools_carry_the_schools_code(four, now, settings):
    settings.RECORDS = {**getattr(settings, "RECORDS", {}), "on_behalf_of_schools": True}
    refuse(four, "STRUCTURE_INVALID", now)
    assert recall.dispatch_due(now=now) == 4
    school = Record.objects.select_related("school").first().school
    assert {one.unit_code for one in waiting()} == {school.code}
