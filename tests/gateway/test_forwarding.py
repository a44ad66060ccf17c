"""From claim to settlement over real TLS: what each behaviour of the Ministry does to the package and to the line."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from gateway import circuit, forwarding, receipts
from gateway.conf import EndpointDescription
from gateway.exchange import envelope
from gateway.ministry.client import MinistryClient
from gateway.models import Attempt, Document, Endpoint, Item, Receipt, Submission
from gateway.outbox import Claim, Purpose
from gateway.session import RowTokens
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db
RNG = random.Random(1)
Answer = Callable[[Request], Reply]


def token_or(answer: Answer) -> Answer:
    """A Ministry that logs everybody in and answers everything else as the test wants."""

    def serve(request: Request) -> Reply:
        if request.path == "/api/token":
            return as_json({"token": "T1", "expires_in": 600})
        return answer(request)

    return serve


def receipt(request: Request, **fields: object) -> Reply:
    found = request.json
    identity = found.get("authenticationRequest", found)
    return as_json({"MessageId": identity["messageid"], "Error": "", "ResponseCode": "00"} | fields)


@pytest.fixture
def client(line: Callable[..., EndpointDescription], endpoint: Endpoint, noon: datetime) -> MinistryClient:
    return MinistryClient(line(), tokens=RowTokens("test"), clock=lambda: noon)


Act = Callable[..., Submission]


@pytest.fixture
def act(client: MinistryClient, endpoint: Endpoint, claim: Callable[..., Claim], noon: datetime) -> Act:
    """Make the next attempt, whatever it is for."""

    def make(purpose: Purpose = Purpose.SEND, now: datetime = noon + timedelta(hours=2)) -> Submission:
        taken = claim(purpose, now)
        step = receipts.collect if purpose == Purpose.COLLECT else forwarding.forward
        step(taken, client, endpoint, now=now, rng=RNG)
        endpoint.refresh_from_db()
        row = Submission.objects.get(pk=taken.submission_id)
        if row.next_attempt_at is not None:
            Submission.objects.filter(pk=row.pk).update(next_attempt_at=noon)
        return row

    return make


def test_a_package_goes_out_with_its_frozen_content_and_the_names_of_the_spec(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    submission_id = enqueue("a")
    assert act().state == "ACKNOWLEDGED"
    sent = peer.requests[-1].json
    identity = sent["authenticationRequest"]
    assert isinstance(identity, dict)
    assert (identity["messageid"], identity["type"], identity["token"]) == (str(submission_id), 1, "T1")
    assert identity["password"] == envelope.hash_password("mat-khau-mo-phong")
    assert b"DANH_SACH" in envelope.decode_content(str(sent["content"]), max_bytes=10_000)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("an HTML page with 200", lambda _: Reply(200, b"<html>OK</html>")),
        ("an empty answer", lambda _: Reply(200, b"")),
        ("a receipt for another message", lambda request: receipt(request, MessageId="khac")),
        ("a receipt that names no message", lambda request: receipt(request, MessageId="")),
        ("an unknown response code", lambda request: receipt(request, ResponseCode="99X")),
        ("an unknown error", lambda request: receipt(request, Error="E-LA")),
        ("a refusal that names no message", lambda request: receipt(request, MessageId="", Error="PACKAGE_INVALID")),
        ("500", lambda _: Reply(500, b"")),
        ("the right receipt with 500", lambda request: Reply(500, receipt(request).body)),
        ("an HTML 502", lambda _: Reply(502, b"<html>Bad gateway</html>")),
        ("a redirect", lambda _: Reply(302, headers={"Location": "/"})),
        ("a cut", lambda _: Reply(reset=True)),
        ("409", lambda request: Reply(409, receipt(request, Error="MESSAGE_ID_REUSED").body)),
    ],
)
def test_what_proves_nothing_is_uncertain_and_asked_about_first(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, name: str, answer: Answer
) -> None:
    peer.answer = token_or(answer)
    submission_id = enqueue("a")
    row = act()
    assert (row.state, row.acknowledged_at) == ("UNCERTAIN", None), name
    assert Receipt.objects.count() == 0
    peer.answer = token_or(lambda request: receipt(request, Error="MESSAGE_UNKNOWN"))
    peer.requests.clear()
    assert act(Purpose.ASK).state == "QUEUED"
    assert [request.path for request in peer.requests] == ["/api/hoc-ba/ket-qua"]
    peer.answer = token_or(receipt)
    assert act().state == "ACKNOWLEDGED"
    assert Attempt.objects.filter(submission_id=submission_id).count() == 3


def test_every_attempt_carries_the_same_message_id_and_the_same_bytes(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    enqueue("a")
    for _ in range(3):
        peer.answer = token_or(lambda _: Reply(reset=True))
        act()
        peer.answer = token_or(lambda request: receipt(request, Error="MESSAGE_UNKNOWN"))
        act(Purpose.ASK)
    sent = {request.body for request in peer.requests if request.path == "/api/hoc-ba/gui"}
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("status", "error", "cause"),
    [
        (403, "ADDRESS_REFUSED", "ADDRESS_REFUSED"),
        (403, "CERTIFICATE_REFUSED", "CERTIFICATE_REFUSED"),
        (401, "CREDENTIALS_REFUSED", "LOGIN_REFUSED"),
        (403, "UNIT_REFUSED", "UNIT_REFUSED"),
    ],
)
def test_a_refusal_of_the_line_pauses_the_endpoint_with_its_cause_and_blames_no_package(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint, status: int, error: str, cause: str
) -> None:
    peer.answer = token_or(lambda request: Reply(status, receipt(request, Error=error).body))
    enqueue("a")
    row = act()
    assert (row.state, row.failures) == ("QUEUED", 0)
    assert (endpoint.state, endpoint.cause) == ("PAUSED", cause)
    assert endpoint.next_probe_at is not None


def test_a_bare_403_page_pauses_the_line_but_leaves_the_package_uncertain(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    peer.answer = token_or(lambda _: Reply(403, b"<html>Forbidden</html>"))
    enqueue("a")
    assert act().state == "UNCERTAIN"
    assert endpoint.cause == "ADDRESS_REFUSED"


def test_a_token_refused_once_is_renewed_and_the_package_goes_through(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    tokens = iter(["old", "new"])

    def serve(request: Request) -> Reply:
        if request.path == "/api/token":
            return as_json({"token": next(tokens), "expires_in": 600})
        if request.headers["authorization"] == "Bearer old":
            return as_json({"Error": "TOKEN_EXPIRED"}, 401)
        return receipt(request)

    peer.answer = serve
    enqueue("a")
    assert act().state == "ACKNOWLEDGED"
    endpoint.refresh_from_db()
    assert endpoint.token == "new"


def test_a_token_refused_twice_pauses_the_endpoint_until_a_probe_with_a_new_token_gets_through(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint, client: MinistryClient, noon: datetime
) -> None:
    peer.answer = token_or(lambda _: as_json({"Error": "TOKEN_INVALID"}, 401))
    enqueue("a")
    assert act(now=noon).state == "QUEUED"
    assert endpoint.cause == "TOKEN_REFUSED"
    assert [request.path for request in peer.requests].count("/api/token") == 2
    peer.requests.clear()
    peer.answer = token_or(lambda _: as_json({"data": [{"ma": "USB_TOKEN"}]}))
    assert circuit.probe(client, now=noon + timedelta(minutes=10), rng=RNG) is True
    assert peer.requests[0].path == "/api/token", "the refused token is not offered a third time"
    peer.answer = token_or(receipt)
    assert act(now=noon + timedelta(minutes=11)).state == "ACKNOWLEDGED"


@pytest.mark.parametrize("body", [b"<html>413</html>", b'{"Error":"PACKAGE_TOO_LARGE"}'])
def test_a_package_that_is_too_big_is_closed_and_its_size_remembered(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint, body: bytes
) -> None:
    peer.answer = token_or(lambda _: Reply(413, body))
    enqueue("a", "b")
    row = act()
    assert (row.state, row.reason_code) == ("REFUSED", "PACKAGE_TOO_BIG")
    assert endpoint.refused_bytes == row.document_bytes
    assert set(Item.objects.values_list("verdict", flat=True)) == {"PENDING"}


def test_a_refused_seal_closes_the_package_and_waits_for_a_person(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    peer.answer = token_or(lambda request: Reply(422, receipt(request, Error="SEAL_INVALID").body))
    enqueue("a")
    assert act().state == "REFUSED"
    assert (endpoint.cause, endpoint.next_probe_at) == ("SEAL_REFUSED", None)
    assert Item.objects.get().verdict == "PENDING"


def test_busy_in_the_ministrys_own_words_queues_and_honours_retry_after(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint, description: EndpointDescription
) -> None:
    peer.answer = token_or(lambda _: as_json({"Error": "BUSY"}, 503, Retry_After="120"))
    enqueue("a")
    now = datetime.fromisoformat("2026-06-01T14:00:00+00:00")
    row = act(now=now)
    assert row.state == "QUEUED"
    assert endpoint.not_before_at == now + timedelta(seconds=120)
    assert not circuit.may_send(endpoint, description=description, now=now + timedelta(seconds=119))
    assert circuit.may_send(endpoint, description=description, now=now + timedelta(seconds=121))


def test_an_absurd_retry_after_is_cut(peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint) -> None:
    peer.answer = token_or(lambda _: Reply(429, b"slow down", headers={"Retry-After": "99999999"}))
    enqueue("a")
    now = datetime.fromisoformat("2026-06-01T14:00:00+00:00")
    assert act(now=now).state == "UNCERTAIN"
    assert endpoint.not_before_at == now + timedelta(hours=1)


def lines(*rows: tuple[str, int], code: str = "4") -> Answer:
    data = [
        {"ma_tra_cuu_uuid": key, "trang_thai": status, "error": "" if status else "E1", "error_description": "sai"}
        for key, status in rows
    ]
    return token_or(lambda request: receipt(request, ResponseCode=code, data=data))


def test_verdicts_are_collected_per_record_with_several_errors_each(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    enqueue("A1", "B2")
    act()
    peer.answer = lines(("a1", 1), ("B2", 0), ("B2", 0))
    assert act(Purpose.COLLECT).state == "ANSWERED"
    found = {item.key: item for item in Item.objects.all()}
    assert found["A1"].verdict == "ACCEPTED"
    assert len(found["B2"].errors) == 2


@pytest.mark.parametrize(
    "rows", [[("a", 1), ("khac", 1)], [("a", 1), ("a", 0)], [("a", 7)]], ids=["foreign", "contradiction", "unknown"]
)
def test_an_answer_that_cannot_be_trusted_gives_no_verdict_at_all(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, rows: list[tuple[str, int]]
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    peer.answer = lines(*rows)
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    assert set(Item.objects.values_list("verdict", flat=True)) == {"PENDING"}


def test_a_package_refused_at_the_question_names_its_culprit(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", "b")
    act()
    data = [{"ma_tra_cuu_uuid": "b", "trang_thai": 0, "error": "X"}]
    peer.answer = token_or(lambda request: receipt(request, Error="PACKAGE_INVALID", ResponseCode="4", data=data))
    assert act(Purpose.COLLECT).state == "REFUSED"
    assert dict(Item.objects.values_list("key", "verdict")) == {"a": "PENDING", "b": "REJECTED"}


def test_an_empty_bare_list_proves_nothing_about_an_uncertain_package(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(lambda _: Reply(reset=True))
    enqueue("a")
    act()
    peer.answer = token_or(lambda _: as_json([]))
    assert act(Purpose.ASK).state == "UNCERTAIN"


def test_a_recall_is_asked_with_type_six_and_waits_for_the_ministrys_decision(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(receipt)
    enqueue("a", kind="RECALL")
    act()
    assert (peer.requests[-1].path, peer.requests[-1].json["authenticationRequest"]["type"]) == ("/api/thu-hoi/gui", 5)
    peer.answer = lines(("a", 1))
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    peer.answer = lines(("a", 2))
    assert act(Purpose.COLLECT).state == "ANSWERED"
    assert Item.objects.get().verdict == "ACCEPTED"
    assert peer.requests[-1].json["type"] == 6


def test_a_certificate_is_registered_and_its_approval_awaited_through_the_same_outbox(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    peer.answer = token_or(lambda request: as_json({"messageid": request.json["authenticationRequest"]["messageid"]}))
    details = {
        "serial_number": "01",
        "ngay_hieu_luc": "2026-01-01",
        "ma_kieu_chu_ky": "USB_TOKEN",
        "nha_phat_hanh": "X",
    }
    submission_id = enqueue("01", kind="CERTIFICATE", document=b"\x30\x82\xff", details=details)
    assert act().state == "ACKNOWLEDGED"
    assert peer.requests[-1].json["content"] == "MIL/"
    identity = {"messageid": str(submission_id), "serial_number": "01"}
    peer.answer = token_or(lambda _: as_json(identity))
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    peer.answer = token_or(lambda _: as_json(identity | {"trang_thai_phe_duyet": 1}))
    assert act(Purpose.COLLECT).state == "ANSWERED"


def test_several_packages_failing_in_a_row_pause_the_line_but_one_alone_does_not(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    peer.answer = token_or(lambda _: Reply(500))
    enqueue("a")
    act()
    for _ in range(5):
        act(Purpose.ASK)
    assert endpoint.state == "OPEN"
    for key in "bc":
        enqueue(key)
        act()
    assert (endpoint.state, endpoint.cause) == ("PAUSED", "UNAVAILABLE")


def test_one_probe_opens_the_line_again_and_releases_what_waited(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint, client: MinistryClient, noon: datetime
) -> None:
    peer.answer = token_or(lambda request: Reply(403, receipt(request, Error="ADDRESS_REFUSED").body))
    enqueue("a")
    act(now=noon)
    later = noon + timedelta(minutes=1)
    peer.answer = token_or(lambda _: as_json({"Error": "ADDRESS_REFUSED"}, 403))
    assert circuit.probe(client, now=later, rng=RNG) is False
    assert circuit.probe(client, now=later, rng=RNG) is None, "a second worker finds nothing to do"
    peer.answer = token_or(lambda _: as_json({"data": [{"ma": "USB_TOKEN"}]}))
    assert circuit.probe(client, now=later + timedelta(minutes=10), rng=RNG) is True
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.cause) == ("OPEN", "")


def test_no_secret_and_no_pupil_stands_in_an_attempt(peer: Peer, enqueue: Callable[..., UUID], act: Act) -> None:
    peer.answer = token_or(lambda _: Reply(500, "Đặng Thị Ánh".encode()))
    enqueue("a")
    act()
    written = json.dumps(list(Attempt.objects.values("code", "detail")), ensure_ascii=False)
    assert "Ánh" not in written
    assert "mat-khau" not in written


def store_bytes(submission_id: UUID, packed: bytes) -> None:
    """As a failing disk would: past every trigger."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE gateway_document SET packed = %s WHERE submission_id = %s", [packed, submission_id])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_a_damaged_package_stays_here_and_goes_out_when_its_bytes_are_back(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, endpoint: Endpoint
) -> None:
    peer.answer = token_or(receipt)
    submission_id = enqueue("a")
    packed = bytes(Document.objects.get(submission_id=submission_id).packed)
    store_bytes(submission_id, packed[:20] + bytes([packed[20] ^ 1]) + packed[21:])
    row = act()
    assert (row.state, row.reason_code, row.first_sent_at) == ("QUEUED", "DOCUMENT_DAMAGED", None)
    assert [request for request in peer.requests if request.path != "/api/token"] == []
    assert endpoint.state == "OPEN"
    store_bytes(submission_id, packed)
    assert act().state == "ACKNOWLEDGED"
