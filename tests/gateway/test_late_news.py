"""News that fits no ledger: what it contradicts stays as it is, and an officer sees it at once, not next night."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from gateway import conf, outbox, reconciliation, session, sync
from gateway.models import Discrepancy, Item, Submission
from gateway.outbox import Claim, Purpose
from gateway.outcomes import Acknowledged, Evidence, ItemVerdict, Judged, NeverArrived, Refused, Waiting
from tests.gateway.notices import NOTICES
from tests.gateway.peer import Peer, Reply, Request, as_json
from tests.gateway.test_forwarding import Act, Answer, act, client, lines, receipt, token_or

__all__ = ["act", "client"]  # fixtures

pytestmark = pytest.mark.django_db
PROOF = Evidence(200, b'{"MessageId":"x"}')
DENIAL = Evidence(400, b'{"Error":"STRUCTURE_INVALID"}')


def opened() -> list[tuple[str, str, str, str]]:
    return list(Discrepancy.objects.order_by("pk").values_list("kind", "key", "ours", "theirs"))


@pytest.fixture
def overtaken(enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime) -> Callable[..., Claim]:
    """A worker that froze with its package on the wire, while another sent it again and had it refused at the door."""

    def freeze(*keys: str) -> Claim:
        enqueue(*keys)
        frozen = claim()
        late = noon + timedelta(minutes=10)
        outbox.expire_leases(now=late)
        outbox.settle(claim(Purpose.ASK, late), NeverArrived(PROOF, 0.0, needed=1), now=late)
        assert outbox.settle(claim(now=late), Refused(DENIAL, "STRUCTURE_INVALID", "hỏng"), now=late).applied
        return frozen

    return freeze


def test_a_receipt_for_a_package_that_was_closed_as_refused_is_seen_at_once(
    overtaken: Callable[..., Claim], noon: datetime
) -> None:
    frozen = overtaken("a", "b")
    for _ in range(2):  # told twice, it stays one
        assert not outbox.settle(frozen, Acknowledged(PROOF, 1.0), now=noon).applied
    assert opened() == [("TAKEN_THERE", "", "REFUSED", "ACKNOWLEDGED")]
    found = Discrepancy.objects.get()
    assert zlib.decompress(bytes(found.evidence or b"")) == PROOF.body
    assert "đã đóng" in found.explanation
    assert Submission.objects.get().state == "REFUSED"
    assert set(Item.objects.values_list("verdict", flat=True)) == {"PENDING"}


def test_verdicts_on_a_package_that_was_closed_as_refused_are_seen_record_by_record(
    overtaken: Callable[..., Claim], noon: datetime
) -> None:
    frozen = overtaken("a", "b", "c")
    Item.objects.filter(key="b").update(verdict="REJECTED", judged_at=noon)
    told = [ItemVerdict("a", "ACCEPTED"), ItemVerdict("b", "ACCEPTED"), ItemVerdict("c", "REJECTED")]
    outbox.settle(frozen, Judged(PROOF, told, True, 0.0), now=noon)
    assert opened() == [
        ("TAKEN_THERE", "a", "REFUSED", "ACCEPTED"),
        ("VERDICT_DIFFERS", "b", "REJECTED", "ACCEPTED"),
    ]
    assert dict(Item.objects.values_list("key", "verdict")) == {"a": "PENDING", "b": "REJECTED", "c": "PENDING"}


def test_the_only_record_of_a_refused_package_that_the_ministry_holds_is_a_differing_verdict(
    overtaken: Callable[..., Claim], noon: datetime
) -> None:
    frozen = overtaken("a")
    outbox.settle(frozen, Judged(PROOF, [ItemVerdict("a", "ACCEPTED")], True, 0.0), now=noon)
    assert opened() == [("VERDICT_DIFFERS", "a", "REJECTED", "ACCEPTED")]
    assert Item.objects.get().verdict == "REJECTED"


def test_an_answer_still_processing_about_a_refused_package_says_that_it_is_held_there(
    overtaken: Callable[..., Claim], noon: datetime
) -> None:
    frozen = overtaken("a", "b")
    outbox.settle(frozen, Waiting(1.0, "2"), now=noon)
    assert opened() == [], "an answer that names no message proves nothing"
    outbox.settle(frozen, Waiting(1.0, "2", PROOF), now=noon)
    assert opened() == [("TAKEN_THERE", "", "REFUSED", "ACKNOWLEDGED")]


def test_a_package_refused_when_it_was_judged_had_its_receipt_before(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    enqueue("a", "b")
    frozen = claim()
    late = noon + timedelta(minutes=10)
    outbox.expire_leases(now=late)
    outbox.settle(claim(Purpose.ASK, late), Waiting(0.0, "2", PROOF), now=late)
    outbox.settle(claim(Purpose.COLLECT, late), Refused(DENIAL, "STRUCTURE_INVALID", "hỏng"), now=late)
    outbox.settle(frozen, Acknowledged(PROOF, 1.0), now=late)
    assert opened() == [], "taken first and refused then: no contradiction"


def test_a_verdict_that_contradicts_one_that_stands_is_seen_at_once(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    enqueue("a", "b")
    outbox.settle(claim(), Acknowledged(PROOF, 0.0), now=noon)
    outbox.settle(claim(Purpose.COLLECT), Judged(PROOF, [ItemVerdict("a", "ACCEPTED")], False, 0.0), now=noon)
    last = claim(Purpose.COLLECT)
    outbox.settle(last, Judged(PROOF, [ItemVerdict(key, "REJECTED") for key in "ab"], True, 0.0), now=noon)
    assert opened() == [("VERDICT_DIFFERS", "a", "ACCEPTED", "REJECTED")]
    outbox.settle(last, Judged(PROOF, [ItemVerdict(key, "ACCEPTED") for key in "ab"], True, 0.0), now=noon)
    assert opened()[1:] == [("VERDICT_DIFFERS", "b", "REJECTED", "ACCEPTED")], "also once the package is closed"
    assert dict(Item.objects.values_list("key", "verdict")) == {"a": "ACCEPTED", "b": "REJECTED"}


def conflict(request: Request) -> Reply:
    return Reply(409, receipt(request, Error="MESSAGE_CONFLICT").body)


STRANGE: dict[str, tuple[Answer, str, str]] = {
    "same id, other bytes": (conflict, "MESSAGE_CONFLICT", "MESSAGE_CONFLICT"),
    "another message": (lambda request: receipt(request, MessageId="khac"), "FOREIGN_ANSWER", "RECEIPT_FOREIGN"),
    "no message": (lambda request: receipt(request, MessageId=""), "FOREIGN_ANSWER", "RECEIPT_UNBOUND"),
    "another unit": (lambda request: receipt(request, ma_don_vi="01"), "FOREIGN_ANSWER", "RECEIPT_FOREIGN_UNIT"),
    "a refusal of no message": (
        lambda request: Reply(400, receipt(request, MessageId="", Error="PACKAGE_INVALID").body),
        "FOREIGN_ANSWER",
        "RECEIPT_UNBOUND",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_an_answer_that_belongs_to_something_else_is_shown_with_its_words(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, name: str
) -> None:
    answer, kind, code = STRANGE[name]
    peer.answer = token_or(answer)
    enqueue("a")
    assert act().state == "UNCERTAIN"
    assert opened() == [(kind, "", "SENDING", code)]
    found = Discrepancy.objects.get()
    assert b"MessageId" in zlib.decompress(bytes(found.evidence or b""))
    peer.answer = token_or(lambda request: receipt(request, Error="MESSAGE_UNKNOWN"))
    act(Purpose.ASK)
    peer.answer = token_or(answer)
    act()
    assert len(opened()) == 1, "told again, it stays one"


@pytest.mark.parametrize(
    ("rows", "code"), [([("a", 1), ("khac", 1)], "FOREIGN_LINES"), ([("a", 1), ("a", 0)], "CONTRADICTION")]
)
def test_verdicts_of_something_else_are_shown_with_their_words(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, rows: list[tuple[str, int]], code: str
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    peer.answer = lines(*rows)
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    assert opened() == [("FOREIGN_ANSWER", "", "ACKNOWLEDGED", code)]


@pytest.mark.parametrize(
    "answer", [lambda _: Reply(200, b"<html>OK</html>"), lambda _: Reply(500), lambda _: Reply(reset=True)]
)
def test_trouble_of_the_line_is_no_discrepancy(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, answer: Answer
) -> None:
    peer.answer = token_or(answer)
    enqueue("a")
    act()
    assert opened() == []


def test_the_nightly_look_finds_the_same_and_opens_nothing_twice(
    peer: Peer,
    overtaken: Callable[..., Claim],
    line: Callable[..., conf.EndpointDescription],
    noon: datetime,
) -> None:
    line()
    frozen = overtaken("a", "b")
    outbox.settle(frozen, Acknowledged(PROOF, 1.0), now=noon)
    outbox.settle(frozen, Judged(PROOF, [ItemVerdict("a", "ACCEPTED")], False, 1.0), now=noon)
    before = opened()
    data: list[dict[str, object]] = []
    peer.answer = token_or(lambda request: receipt(request, ResponseCode="2", data=data))
    for lines_there in ([], [{"ma_tra_cuu_uuid": "a", "trang_thai": 1}]):
        data[:] = lines_there
        reconciliation.reconcile(client=session.client(), since=noon, until=noon + timedelta(days=1), now=noon)
    assert opened() == before
    assert before == [("TAKEN_THERE", "", "REFUSED", "ACKNOWLEDGED"), ("TAKEN_THERE", "a", "REFUSED", "ACCEPTED")]


def test_the_nightly_look_sees_a_refused_package_that_the_ministry_is_still_working_on(
    peer: Peer, overtaken: Callable[..., Claim], line: Callable[..., conf.EndpointDescription], noon: datetime
) -> None:
    line()
    overtaken("a", "b")
    peer.answer = token_or(lambda _: as_json([]))
    reconciliation.reconcile(client=session.client(), since=noon, until=noon + timedelta(days=1), now=noon)
    assert opened() == [], "an empty list names no package"
    peer.answer = token_or(lambda request: receipt(request, ResponseCode="2", data=[]))
    reconciliation.reconcile(client=session.client(), since=noon, until=noon + timedelta(days=1), now=noon)
    assert opened() == [("TAKEN_THERE", "", "REFUSED", "ACKNOWLEDGED")]


def test_people_are_told_once_by_the_next_watch(
    overtaken: Callable[..., Claim],
    line: Callable[..., conf.EndpointDescription],
    noon: datetime,
    settings: pytest.FixtureRequest,
) -> None:
    line()
    settings.GATEWAY_NOTIFY = "tests.gateway.notices.note"
    NOTICES.clear()
    frozen = overtaken("a", "b")
    outbox.settle(frozen, Acknowledged(PROOF, 1.0), now=noon)
    for minute in range(1, 4):
        sync.run("WATCH", noon + timedelta(minutes=minute))
    assert [one["event"] for one in NOTICES] == ["DISCREPANCIES"]
    assert "trang Đối soát" in NOTICES[0]["message"]
