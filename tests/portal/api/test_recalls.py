"""Transactions 5 and 6: a school's software withdraws records, all or none, and asks what became of it."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from gateway.exchange.envelope import encode_content
from gateway.models import Item
from portal.records import dispatch, processing, recall
from portal.records.models import Batch, Recall, Record
from portal.rehearsal.batches import signed_list


@pytest.fixture
def admitted(cast, software):
    school = software(cast.made("02"))
    made = cast.records(school.made, 2)
    school.submit(cast.signed_list(school.made, made), "gd-1")
    processing.process_batch(batch_id=Batch.objects.get().id)
    return school, made


def ask(cast, post, school, uuids, message_id="th-1", by=None):
    records = [
        cast.replaced(
            cast.records(school.made, 1)[0], f"<HOC_BA><MA_TRA_CUU_UUID>{u}</MA_TRA_CUU_UUID></HOC_BA>".encode()
        )
        for u in uuids
    ]
    at = cast.province.calendar.moment(month=5, day=30)
    document = signed_list(records, identity=cast.pki.organisation(by or school.made), at=at)
    message = {"authenticationRequest": school.authentication(message_id, 5), "content": encode_content(document)}
    return post("exchange-recall", message)


def query(post, school, message_id="th-1"):
    asked = {"messageid": message_id, "ma_don_vi": school.made.code, "type": 6, "function": ""}
    return post("exchange-query-recall", asked, token=school.token)


def test_a_recall_is_asked_for_and_waits_for_an_officer_after_closing(cast, post, admitted):
    school, made = admitted
    status, receipt = ask(cast, post, school, [made[0].lookup_uuid])
    assert (status, receipt["Error"], receipt["ResponseCode"]) == (200, "", "RECEIVED")
    assert ask(cast, post, school, [made[0].lookup_uuid]) == (status, receipt)
    assert Recall.objects.count() == 1
    assert [line["trang_thai"] for line in query(post, school)[1]["data"]] == [1]
    recall.decline(recall=Recall.objects.get(), decided_by=_officer(), decision="Chưa đủ căn cứ", now=_now())
    line = query(post, school)[1]["data"][0]
    assert (line["trang_thai"], line["error_description"]) == (3, "Chưa đủ căn cứ")


def test_of_a_record_that_the_ministry_refused_nothing_is_left_to_wait_for(cast, post, admitted):
    """The Ministry does not hold it: once granted, the recall is done, and no package will ever carry it."""
    school, made = admitted
    dispatch.dispatch_due(now=datetime.now(UTC) + timedelta(minutes=2), at_once=True)
    Item.objects.update(verdict="REJECTED", judged_at=_now())
    ask(cast, post, school, [made[0].lookup_uuid])
    assert [line["trang_thai"] for line in query(post, school)[1]["data"]] == [1]
    recall.approve(recall=Recall.objects.get(), decided_by=_officer(), now=_now())
    assert recall.dispatch_due(now=_now()) == 0
    assert [line["trang_thai"] for line in query(post, school)[1]["data"]] == [2]


def test_a_recall_that_names_a_strange_record_asks_for_nothing(cast, post, admitted):
    school, made = admitted
    strange = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    status, receipt = ask(cast, post, school, [made[0].lookup_uuid, strange])
    assert (status, receipt["Error"]) == (422, "RECORD_UNKNOWN")
    assert not Recall.objects.exists()
    assert query(post, school)[0] == 404


def test_a_recall_sealed_by_another_school_asks_for_nothing(cast, post, admitted):
    school, made = admitted
    _, receipt = ask(cast, post, school, [made[0].lookup_uuid], by=cast.made("03"))
    assert receipt["Error"].startswith("LIST_SEAL_")
    assert set(Record.objects.values_list("standing", flat=True)) == {"IN_FORCE"}


def _officer():
    from portal.accounts.models import User

    return User.objects.get(username="chuyenvien1")


def _now() -> datetime:
    return datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
