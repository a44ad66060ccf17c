"""A recall that the Ministry refuses: the next version waits, and an officer asks again or settles it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.models import Item
from portal.audit.models import Entry
from portal.records import dispatch, recall
from portal.records.models import Recall, Record
from portal.records.states import RecallState
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.records import finish, make_draft

LATER = timedelta(minutes=2)
NEW = UUID("6f0c2ad0-0000-4000-8000-00000000c0de")


@pytest.fixture
def now():
    return datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def people(django_user_model):
    return django_user_model.objects.order_by("id")[:2]


@pytest.fixture
def sent(cast, hand_in, now, people):
    """The recall of an accepted record on its way to the Ministry; the pupil's next version is admitted."""
    school = cast.made("02")
    made = cast.records(school, 1)
    hand_in(school, unsigned_batch(made).data)
    dispatch.dispatch_due(now=now + LATER)
    Item.objects.update(verdict="ACCEPTED", judged_at=now)
    clerk, officer = people
    asked = recall.request(record=Record.objects.get(), reason="Sai điểm", requested_by=clerk, now=now)
    recall.approve(recall=asked, decided_by=officer, now=now)
    recall.dispatch_due(now=now)
    draft = make_draft(cast.province, cast.pki, school, made[0].number)
    draft.lookup_uuid = NEW
    draft.general["MA_TRA_CUU_UUID"] = str(NEW)
    hand_in(school, unsigned_batch([finish(draft)]).data)
    return Recall.objects.get()


@pytest.fixture
def refused(sent, now):
    """The same, refused by the Ministry."""
    Item.objects.filter(submission__kind="RECALL").update(
        verdict="REJECTED", judged_at=now, errors=[{"code": "E", "field": "", "message": "Chưa thu hồi được"}]
    )
    return Recall.objects.get()


def next_version():
    return Record.objects.get(lookup_uuid=NEW)


def test_the_next_version_waits_while_the_former_one_is_in_force_there(refused, now):
    assert list(recall.refused_there()) == [refused]
    assert dispatch.dispatch_due(now=now + LATER).records == 0
    assert dispatch.held_back_by(next_version()) == refused


def test_asked_for_again_it_leaves_in_a_package_of_its_own_and_then_the_next_version(refused, now, people):
    first = refused.item_id
    recall.ask_again(recall=refused, decided_by=people[1], now=now, reason="Đầu mối của Bộ bảo gửi lại.")
    assert recall.dispatch_due(now=now) == 1
    refused.refresh_from_db()
    assert (refused.state, refused.item.verdict) == (RecallState.DISPATCHED, "PENDING")
    assert refused.item_id != first
    assert refused.item.submission_id != Item.objects.get(pk=first).submission_id
    assert dispatch.dispatch_due(now=now + LATER).records == 0, "decided on, not only asked again"
    Item.objects.filter(pk=refused.item_id).update(verdict="ACCEPTED", judged_at=now)
    assert dispatch.held_back_by(next_version()) is None
    assert dispatch.dispatch_due(now=now + LATER).records == 1
    entry = Entry.objects.get(action="recall.asked_again")
    assert entry.detail["item"] == first, "which answer it was that we did not take for the last word"


def test_settled_by_an_officer_the_next_version_leaves(refused, now, people):
    clerk, officer = people
    with pytest.raises(recall.RecallRefused) as why:
        recall.settle(recall=refused, decided_by=officer, now=now, reason=" ")
    assert why.value.code == "REASON_MISSING"
    with pytest.raises(recall.RecallRefused) as why:
        recall.settle(recall=refused, decided_by=clerk, now=now, reason="Xong")
    assert why.value.code == "FOUR_EYES"
    recall.settle(recall=refused, decided_by=officer, now=now, reason="Bộ xác nhận không giữ bản cũ.")
    assert not recall.refused_there().exists()
    assert dispatch.dispatch_due(now=now + LATER).records == 1
    assert Entry.objects.get(action="recall.settled").reason == "Bộ xác nhận không giữ bản cũ."


def test_one_settled_by_mistake_is_asked_for_again(refused, now, people):
    recall.settle(recall=refused, decided_by=people[1], now=now, reason="Nhầm học sinh.")
    recall.ask_again(recall=refused, decided_by=people[1], now=now)
    assert dispatch.dispatch_due(now=now + LATER).records == 0, "the next version waits again"
    assert recall.dispatch_due(now=now) == 1


@pytest.mark.parametrize("verdict", ["PENDING", "ACCEPTED"])
def test_only_a_recall_that_was_refused_there_is_asked_for_again_or_settled(sent, now, people, verdict):
    if verdict != "PENDING":
        Item.objects.filter(pk=sent.item_id).update(verdict=verdict, judged_at=now)
    for act in (recall.ask_again, recall.settle):
        with pytest.raises(recall.RecallRefused) as why:
            act(recall=sent, decided_by=people[1], now=now, reason="Xong")
        assert why.value.code == "NOT_REFUSED_THERE"
