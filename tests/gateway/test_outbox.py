"""The outbox against the real database: frozen documents, claims, fencing, what each outcome does to a row."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.utils import ProgrammingError

from gateway import conf, outbox
from gateway.exchange import envelope
from gateway.models import Attempt, Document, Endpoint, Item, Receipt, Submission
from gateway.outbox import Claim, NewItem, Purpose
from gateway.outcomes import (
    Acknowledged,
    Evidence,
    FateUnknown,
    ItemError,
    ItemVerdict,
    Judged,
    NeverArrived,
    NotSent,
    Refused,
    Waiting,
)

pytestmark = pytest.mark.django_db
Refusal = (InternalError, ProgrammingError, IntegrityError)
PROOF = Evidence(200, b'{"MessageId":"x"}')
DOCUMENT = '<DANH_SACH_HOC_BA id="dataDanhSach"><HOC_BA id="x">Đặng Thị Ánh</HOC_BA></DANH_SACH_HOC_BA>'.encode()


# Of GZip's head: how hard it tried, on which system. Neither says anything about the document.
_SAYS_NOTHING = (12, 13)


def test_a_document_is_frozen_with_its_digest_and_comes_back_byte_for_byte(enqueue: Callable[..., UUID]) -> None:
    submission_id = enqueue("a", "b")
    row = Submission.objects.get(pk=submission_id)
    assert bytes(row.digest) == hashlib.sha256(DOCUMENT).digest()
    assert (row.document_bytes, row.items_count, row.state) == (len(DOCUMENT), 2, "QUEUED")
    first = outbox.load_content(submission_id)
    assert first == outbox.load_content(submission_id)
    assert envelope.decode_content(first, max_bytes=10_000) == DOCUMENT


def test_items_come_back_in_the_order_in_which_they_were_given(endpoint: Endpoint, noon: datetime) -> None:
    keys = [f"key-{number:03}" for number in range(250)]
    with transaction.atomic():
        primary_keys = outbox.enqueue(
            submission_id=UUID(int=1),
            kind="RECORDS",
            unit_code="79",
            school_year=2025,
            document=DOCUMENT,
            items=[NewItem(key, b"d") for key in keys],
            now=noon,
        )
    found = Item.objects.in_bulk(primary_keys)
    assert [found[pk].key for pk in primary_keys] == keys
    assert [found[pk].position for pk in primary_keys] == list(range(250))


@pytest.mark.django_db(transaction=True)
def test_enqueueing_outside_a_transaction_is_refused(endpoint: Endpoint, noon: datetime) -> None:
    with pytest.raises(outbox.NotInTransaction):
        outbox.enqueue(
            submission_id=UUID(int=1),
            kind="RECORDS",
            unit_code="79",
            school_year=2025,
            document=DOCUMENT,
            items=[NewItem("a", b"d")],
            now=noon,
        )


def test_a_claim_takes_the_oldest_first_and_leaves_an_attempt(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    later = enqueue("b", now=noon - timedelta(seconds=1))
    first = enqueue("a", now=noon - timedelta(minutes=1))
    taken = claim()
    assert taken.submission_id == first
    assert (taken.number, taken.first_sent_at) == (1, noon)
    assert (state_of(first), state_of(later)) == ("SENDING", "QUEUED")
    attempt = Attempt.objects.get(submission_id=first)
    assert (attempt.number, attempt.purpose, attempt.outcome) == (1, "SEND", "OPEN")


def test_nothing_is_claimed_before_its_time(
    enqueue: Callable[..., UUID], endpoint: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    enqueue("a", now=noon + timedelta(seconds=1))
    none = outbox.claim_due(
        purpose=Purpose.SEND, endpoint_id=endpoint.pk, now=noon, lease=description.lease(), worker="w"
    )
    assert none == []


def test_no_more_than_the_agreed_number_is_on_the_wire(
    enqueue: Callable[..., UUID], endpoint: Endpoint, description: conf.EndpointDescription, noon: datetime
) -> None:
    for _ in range(5):
        enqueue()

    def take() -> int:
        return len(
            outbox.claim_due(
                purpose=Purpose.SEND,
                endpoint_id=endpoint.pk,
                now=noon,
                lease=description.lease(),
                worker="w",
                limit=2,
                on_the_wire=3,
            )
        )

    assert [take(), take(), take()] == [2, 1, 0]


def test_an_acknowledgement_is_kept_raw_and_the_first_question_is_scheduled(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    submission_id = enqueue("a")
    settled = outbox.settle(claim(), Acknowledged(PROOF, 1.0, "00"), now=noon)
    row = Submission.objects.get(pk=submission_id)
    assert (settled.applied, row.state, row.next_attempt_at) == (True, "ACKNOWLEDGED", noon + timedelta(seconds=1))
    receipt = Receipt.objects.get(submission_id=submission_id)
    assert bytes(receipt.sha256) == hashlib.sha256(PROOF.body).digest()
    assert Attempt.objects.get(submission_id=submission_id).outcome == "ACKNOWLEDGED"


def test_verdicts_are_written_per_item_and_the_last_one_closes_the_submission(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    submission_id = enqueue("a", "b", "c")
    outbox.settle(claim(), Acknowledged(PROOF, 0.0), now=noon)
    errors = (ItemError("E1", "SO_CCCD", "sai"), ItemError("E2", "HO_TEN", "thiếu"))
    part = [ItemVerdict("a", "ACCEPTED"), ItemVerdict("b", "REJECTED", errors)]
    first = outbox.settle(claim(Purpose.COLLECT), Judged(PROOF, part, False, 0.0), now=noon)
    assert (first.judged, first.state) == (2, "ACKNOWLEDGED")
    second = outbox.settle(
        claim(Purpose.COLLECT), Judged(PROOF, [*part, ItemVerdict("c", "ACCEPTED")], True, 0.0), now=noon
    )
    assert (second.judged, second.state) == (1, "ANSWERED")
    found = {item.key: item for item in Item.objects.filter(submission_id=submission_id)}
    assert [error["code"] for error in found["b"].errors] == ["E1", "E2"]
    assert Submission.objects.get(pk=submission_id).closed_at == noon


def test_a_verdict_that_stands_is_never_overwritten(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    enqueue("a", "b")
    outbox.settle(claim(), Acknowledged(PROOF, 0.0), now=noon)
    outbox.settle(claim(Purpose.COLLECT), Judged(PROOF, [ItemVerdict("a", "ACCEPTED")], False, 0.0), now=noon)
    outbox.settle(claim(Purpose.COLLECT), Judged(PROOF, [ItemVerdict("a", "REJECTED")], False, 0.0), now=noon)
    assert Item.objects.get(key="a").verdict == "ACCEPTED"


def test_an_expired_lease_is_uncertain_never_queued(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    claim()
    late = noon + timedelta(minutes=10)
    assert outbox.expire_leases(now=noon) == 0
    assert outbox.expire_leases(now=late) == 1
    assert state_of(submission_id) == "UNCERTAIN"
    assert Attempt.objects.get(submission_id=submission_id).outcome == "LEASE_EXPIRED"


def test_bad_news_of_a_fenced_worker_is_not_taken_but_its_good_news_is(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    frozen = claim()
    late = noon + timedelta(minutes=10)
    outbox.expire_leases(now=late)
    claim(Purpose.ASK, late)
    assert not outbox.settle(frozen, NotSent("DNS", "", 5.0), now=late).applied
    assert state_of(submission_id) == "UNCERTAIN"
    assert outbox.settle(frozen, Acknowledged(PROOF, 1.0), now=late).applied
    assert state_of(submission_id) == "ACKNOWLEDGED"
    assert Receipt.objects.filter(submission_id=submission_id).count() == 1


def test_only_unknown_to_me_permits_sending_again_with_the_same_bytes(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    before = outbox.load_content(submission_id)
    outbox.settle(claim(), FateUnknown("TIMEOUT", "", 0.0), now=noon)
    assert state_of(submission_id) == "UNCERTAIN"
    outbox.settle(claim(Purpose.ASK), FateUnknown("TIMEOUT", "", 0.0), now=noon)
    assert state_of(submission_id) == "UNCERTAIN"
    outbox.settle(claim(Purpose.ASK), NeverArrived(PROOF, 5.0, needed=1), now=noon)
    assert state_of(submission_id) == "QUEUED"
    assert claim().number == 4
    assert outbox.load_content(submission_id) == before


def test_a_question_that_finds_the_package_there_ends_the_doubt(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    outbox.settle(claim(), FateUnknown("TIMEOUT", "", 0.0), now=noon)
    outbox.settle(claim(Purpose.ASK), Waiting(0.0, "2"), now=noon)
    assert state_of(submission_id) == "ACKNOWLEDGED"


def test_an_acknowledged_package_counts_as_lost_only_after_several_unknown_answers(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    outbox.settle(claim(), Acknowledged(PROOF, 0.0), now=noon)
    states = []
    for _ in range(3):
        outbox.settle(claim(Purpose.COLLECT), NeverArrived(PROOF, 0.0, needed=3), now=noon)
        states.append(state_of(submission_id))
    assert states == ["ACKNOWLEDGED", "ACKNOWLEDGED", "UNCERTAIN"]


def test_proof_that_nothing_left_queues_again_and_clears_the_first_sending(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    submission_id = enqueue("a")
    outbox.settle(claim(), NotSent("DNS", "", 7.0), now=noon)
    row = Submission.objects.get(pk=submission_id)
    assert (row.state, row.first_sent_at, row.failures) == ("QUEUED", None, 1)
    assert row.next_attempt_at == noon + timedelta(seconds=7)


def test_a_refused_package_closes_with_its_reason_and_names_its_culprits(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    submission_id = enqueue("a", "b")
    culprit = ItemVerdict("b", "REJECTED", (ItemError("E", "F", "m"),))
    outbox.settle(claim(), Refused(PROOF, "PACKAGE_INVALID", "hỏng", [culprit]), now=noon)
    row = Submission.objects.get(pk=submission_id)
    assert (row.state, row.reason_code, row.closed_at) == ("REFUSED", "PACKAGE_INVALID", noon)
    verdicts = dict(row.items.values_list("key", "verdict"))
    assert verdicts == {"a": "PENDING", "b": "REJECTED"}


@pytest.mark.parametrize(("blames", "verdict"), [(True, "REJECTED"), (False, "PENDING")])
def test_the_only_item_of_a_refused_package_is_refused_unless_the_seal_is_to_blame(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, blames: bool, verdict: str
) -> None:
    enqueue("a")
    outbox.settle(claim(), Refused(PROOF, "X", "lý do", blames_items=blames), now=noon)
    assert Item.objects.get().verdict == verdict


def test_an_officer_holds_and_releases_what_waits_but_not_what_is_on_the_wire(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    outbox.hold(submission_id, reason="chờ xác minh", now=noon)
    assert state_of(submission_id) == "HELD"
    outbox.release(submission_id, now=noon)
    claim()
    with pytest.raises(outbox.ActRefused) as refusal:
        outbox.hold(submission_id, reason="x", now=noon)
    assert refusal.value.code == "NOT_HOLDABLE"


def test_a_held_uncertain_package_goes_on_asking_when_released(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    outbox.settle(claim(), FateUnknown("TIMEOUT", "", 0.0), now=noon)
    outbox.hold(submission_id, reason="x", now=noon)
    outbox.release(submission_id, now=noon)
    assert state_of(submission_id) == "UNCERTAIN"


def test_when_the_line_is_back_everything_goes_in_the_order_of_enqueueing(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], endpoint: Endpoint, noon: datetime
) -> None:
    ids = [enqueue(now=noon + timedelta(seconds=number)) for number in range(3)]
    now = noon + timedelta(minutes=1)
    for delay in (300.0, 100.0, 200.0):
        outbox.settle(claim(now=now), NotSent("TCP", "", delay), now=now)
    assert outbox.release_all_due(endpoint=endpoint, now=now) == 3
    assert [claim(now=now).submission_id for _ in range(3)] == ids


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE gateway_submission SET state = 'ANSWERED', acknowledged_at = now()",
        "UPDATE gateway_submission SET digest = '\\x00'",
        "DELETE FROM gateway_item",
        "UPDATE gateway_item SET verdict = 'ACCEPTED' WHERE verdict = 'REJECTED'",
        "UPDATE gateway_document SET packed = '\\x00'",
        "UPDATE gateway_attempt SET detail = 'khác' WHERE outcome <> 'OPEN'",
        "DELETE FROM gateway_attempt",
        "UPDATE gateway_receipt SET body = '\\x00'",
        "DELETE FROM gateway_receipt",
        "DELETE FROM gateway_submission",
    ],
)
def test_the_database_itself_refuses_what_must_never_happen(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, forbidden: str
) -> None:
    from django.db import connection

    enqueue("a")
    outbox.settle(claim(), Refused(PROOF, "X", "lý do"), now=noon)
    with pytest.raises(Refusal), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(forbidden)


def test_documents_are_dropped_only_long_after_the_last_verdict(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime
) -> None:
    enqueue("a")
    enqueue("b", now=noon + timedelta(seconds=1))
    outbox.settle(claim(), Judged(PROOF, [ItemVerdict("a", "ACCEPTED")], True, 0.0), now=noon)
    keep = timedelta(days=90)
    assert outbox.drop_documents(now=noon + timedelta(days=89), keep=keep) == 0
    assert outbox.drop_documents(now=noon + timedelta(days=91), keep=keep) == 1
    assert Document.objects.count() == 1


def test_a_worker_that_wakes_up_cannot_take_back_what_another_is_sending(
    enqueue: Callable[..., UUID], claim: Callable[..., Claim], noon: datetime, state_of: Callable[[UUID], str]
) -> None:
    submission_id = enqueue("a")
    frozen = claim()
    late = noon + timedelta(minutes=10)
    outbox.expire_leases(now=late)
    outbox.settle(claim(Purpose.ASK, late), NeverArrived(PROOF, 0.0, needed=1), now=late)
    second = claim(now=late)
    assert not outbox.settle(frozen, NotSent("TCP", "", 0.0), now=late).applied
    assert not outbox.settle(frozen, FateUnknown("TIMEOUT", "", 0.0), now=late).applied
    assert state_of(submission_id) == "SENDING"
    assert outbox.settle(second, Acknowledged(PROOF, 1.0), now=late).applied


@pytest.mark.parametrize("place", range(0, 60, 3))
def test_a_package_whose_stored_bytes_have_changed_is_never_handed_out(
    enqueue: Callable[..., UUID], place: int
) -> None:
    submission_id = enqueue("a")
    row = Document.objects.get(submission_id=submission_id)
    changed = bytearray(row.packed)
    changed[place] ^= 0x10
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE gateway_document SET packed = %s WHERE submission_id = %s", [changed, submission_id])
    if place in _SAYS_NOTHING:
        return
    with pytest.raises(outbox.DocumentDamaged):
        outbox.load_content(submission_id)


@pytest.mark.parametrize("escape", ["none", "backslash", "entity"])
def test_an_intact_package_is_known_by_its_digest_under_every_escape_rule(escape: envelope.EscapeRule) -> None:
    digest = hashlib.sha256(DOCUMENT).digest()
    assert envelope.is_package_of(envelope.pack(DOCUMENT, escape=escape), digest)
    assert not envelope.is_package_of(envelope.pack(DOCUMENT + b" ", escape=escape), digest)
