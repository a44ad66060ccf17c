"""Everything that looks like good news and is none: no kind of it ever becomes a receipt, a verdict or an approval."""

import json
import random
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest

from gateway import forwarding, receipts
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.models import Discrepancy, Endpoint, Item, Receipt, Submission
from gateway.outbox import Claim, Purpose
from gateway.session import RowTokens
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db
RNG = random.Random(1)
Answer = Callable[[Request], Reply]
Act = Callable[..., Submission]


def identity(request: Request) -> str:
    found = request.json
    inner = found.get("authenticationRequest", found)
    assert isinstance(inner, dict)
    return str(inner["messageid"])


def good(request: Request, **fields: object) -> dict[str, object]:
    return {"MessageId": identity(request), "Error": "", "ResponseCode": "RECEIVED"} | fields


def raw(body: bytes, **headers: str) -> Answer:
    return lambda _: Reply(200, body, headers)


FORGED: dict[str, Answer] = {
    "an HTML page": raw(b"<!doctype html><title>OK</title>"),
    "an HTML page called JSON": raw(b"<html>", **{"Content-Type": "application/json"}),
    "a log-in page with the id in it": lambda request: Reply(200, f"<html>{identity(request)}</html>".encode()),
    "nothing": raw(b""),
    "null": raw(b"null"),
    "true": raw(b"true"),
    "a number": raw(b"200"),
    "a text": raw(b'"RECEIVED"'),
    "an empty object": raw(b"{}"),
    "an empty list": raw(b"[]"),
    "a list around the receipt": lambda request: as_json([good(request)]),
    "half a receipt": lambda request: Reply(200, json.dumps(good(request)).encode()[:-5]),
    "two receipts in a row": lambda request: Reply(200, json.dumps(good(request)).encode() * 2),
    "the id twice, once ours": lambda request: Reply(
        200, f'{{"MessageId":"{uuid4()}","MessageId":"{identity(request)}","Error":"","ResponseCode":"00"}}'.encode()
    ),
    "another message": lambda request: as_json(good(request, MessageId=str(uuid4()))),
    "our id with a space": lambda request: as_json(good(request, MessageId=identity(request) + " ")),
    "our id in part": lambda request: as_json(good(request, MessageId=identity(request)[:-1])),
    "no message": lambda request: as_json(good(request, MessageId="")),
    "a message that is null": lambda request: as_json(good(request, MessageId=None)),
    "a message that is a number": lambda request: as_json(good(request, MessageId=1)),
    "another unit": lambda request: as_json(good(request, ma_don_vi="01")),
    "an unknown response code": lambda request: as_json(good(request, ResponseCode="OK?")),
    "an unknown error": lambda request: as_json(good(request, Error="SOMETHING")),
    "an error that is true": lambda request: as_json(good(request, Error=True)),
    "not UTF-8": raw(b'{"MessageId":"\xff\xfe"}'),
    "UTF-16": lambda request: Reply(200, json.dumps(good(request)).encode("utf-16")),
    "compressed": lambda request: Reply(200, json.dumps(good(request)).encode(), {"Content-Encoding": "gzip"}),
    "cut in the body": lambda request: Reply(200, json.dumps(good(request)).encode(), cut_after=60),
    "a redirect to a receipt": lambda request: Reply(307, json.dumps(good(request)).encode(), {"Location": "/"}),
    "the receipt with 500": lambda request: as_json(good(request), 500),
    "the receipt with 404": lambda request: as_json(good(request), 404),
    "NaN inside": lambda request: Reply(
        200, f'{{"MessageId":"{identity(request)}","Error":"","ResponseCode":"00","x":NaN}}'.encode()
    ),
}


@pytest.fixture
def act(
    line: Callable[..., EndpointDescription], endpoint: Endpoint, claim: Callable[..., Claim], noon: datetime
) -> Act:
    client = MinistryClient(line(), tokens=RowTokens("test"), clock=lambda: noon)

    def make(purpose: Purpose = Purpose.SEND) -> Submission:
        now = noon + timedelta(hours=2)
        taken = claim(purpose, now)
        step = receipts.collect if purpose == Purpose.COLLECT else forwarding.forward
        step(taken, client, endpoint, now=now, rng=RNG)
        Submission.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=noon)
        return Submission.objects.get(pk=taken.submission_id)

    return make


def serve(peer: Peer, answer: Answer) -> None:
    peer.answer = lambda request: (
        as_json({"token": "T", "expires_in": 600}) if request.path == "/api/token" else (answer(request))
    )


@pytest.mark.parametrize("kind", FORGED)
def test_no_forged_receipt_is_ever_an_acknowledgement(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, kind: str
) -> None:
    serve(peer, FORGED[kind])
    enqueue("a")
    row = act()
    assert row.state == "UNCERTAIN"
    assert row.acknowledged_at is None
    assert not Receipt.objects.exists()
    assert Item.objects.get().verdict == "PENDING"


def judged(request: Request, lines: object, **fields: object) -> Reply:
    return as_json(good(request, **{"ResponseCode": "4"} | fields) | {"data": lines})


def accepted(key: str, **fields: object) -> dict[str, object]:
    return {"ma_tra_cuu_uuid": key, "trang_thai": 1} | fields


FALSE_VERDICTS: dict[str, Answer] = {
    "of another message": lambda request: judged(request, [accepted("a")], MessageId=str(uuid4())),
    "of no message": lambda request: judged(request, [accepted("a")], MessageId=""),
    "of another unit": lambda request: judged(request, [accepted("a")], ma_don_vi="01"),
    "with a foreign record": lambda request: judged(request, [accepted("a"), accepted("x")]),
    "that contradict themselves": lambda request: judged(request, [accepted("a"), accepted("a", trang_thai=0)]),
    "with a status nobody knows": lambda request: judged(request, [accepted("a", trang_thai=7)]),
    "with a status in words": lambda request: judged(request, [accepted("a", trang_thai="accepted")]),
    "with a status that is true": lambda request: judged(request, [accepted("a", trang_thai=True)]),
    "that are no list": lambda request: judged(request, {"a": 1}),
    "without an identity": lambda request: judged(request, [{"trang_thai": 1}]),
    "beside an error": lambda request: judged(request, [accepted("a")], Error="E-99"),
    "with 500": lambda request: Reply(500, judged(request, [accepted("a")]).body),
    "on a page": lambda _: Reply(200, b"<html>1</html>"),
}


@pytest.mark.parametrize("kind", FALSE_VERDICTS)
def test_no_false_answer_is_ever_a_verdict(peer: Peer, enqueue: Callable[..., UUID], act: Act, kind: str) -> None:
    serve(peer, lambda request: as_json(good(request)))
    enqueue("a", "b")
    assert act().state == "ACKNOWLEDGED"
    serve(peer, FALSE_VERDICTS[kind])
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    assert set(Item.objects.values_list("verdict", flat=True)) == {"PENDING"}


@pytest.mark.parametrize("kind", ["of another message", "of no message", "of another unit", "on a page", "with 500"])
def test_unknown_to_me_about_something_else_never_permits_sending_again(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, kind: str
) -> None:
    denials: dict[str, Answer] = {
        "of another message": lambda request: as_json(good(request, MessageId="x", Error="MESSAGE_UNKNOWN")),
        "of no message": lambda request: as_json(good(request, MessageId="", Error="MESSAGE_UNKNOWN")),
        "of another unit": lambda request: as_json(good(request, ma_don_vi="01", Error="MESSAGE_UNKNOWN")),
        "on a page": lambda _: Reply(404, b"<html>404</html>"),
        "with 500": lambda request: as_json(good(request, Error="MESSAGE_UNKNOWN"), 500),
    }
    serve(peer, lambda _: Reply(reset=True))
    enqueue("a")
    assert act().state == "UNCERTAIN"
    serve(peer, denials[kind])
    assert act(Purpose.ASK).state == "UNCERTAIN"


@pytest.mark.parametrize("purpose", [Purpose.ASK, Purpose.COLLECT])
def test_unknown_to_me_beside_lines_about_our_records_is_a_contradiction(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, purpose: Purpose
) -> None:
    serve(peer, (lambda _: Reply(reset=True)) if purpose == Purpose.ASK else (lambda request: as_json(good(request))))
    enqueue("a")
    before = act().state
    serve(peer, lambda request: judged(request, [accepted("a")], Error="MESSAGE_UNKNOWN"))
    for _ in range(3):
        row = act(purpose)
        assert (row.state, row.reason_code) == (before, "CONTRADICTION")
    assert Item.objects.get().verdict == "PENDING"
    assert Discrepancy.objects.get().kind == "FOREIGN_ANSWER", "a person is to see it"


@pytest.mark.parametrize("lines", [[], [accepted("a")]], ids=["without lines", "with lines"])
def test_a_question_answered_by_a_code_nobody_knows_proves_nothing(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, lines: list[object]
) -> None:
    """ "NOT_FOUND" as a receipt would keep the package from ever being sent again."""
    serve(peer, lambda _: Reply(reset=True))
    enqueue("a")
    act()
    serve(peer, lambda request: judged(request, lines, ResponseCode="NOT_FOUND"))
    row = act(Purpose.ASK)
    assert (row.state, row.reason_code) == ("UNCERTAIN", "ANSWER_UNKNOWN_CODE")
    assert "NOT_FOUND" in row.reason, "whoever keeps the endpoint's description must read it"
    serve(peer, lambda request: as_json(good(request)))
    assert act(Purpose.ASK).state == "ACKNOWLEDGED"
    serve(peer, lambda request: judged(request, lines, ResponseCode="NOT_FOUND"))
    row = act(Purpose.COLLECT)
    assert (row.state, row.failures, Item.objects.get().verdict) == ("ACKNOWLEDGED", 1, "PENDING")


@pytest.mark.parametrize(
    ("decided", "error", "code"),
    [
        ({}, "NO_SUCH_REGISTRATION", "ERROR_UNKNOWN_CODE"),
        ({}, "MESSAGE_CONFLICT", "MESSAGE_CONFLICT"),
        ({"trang_thai_phe_duyet": 1}, "E-99", "CONTRADICTION"),
        ({"trang_thai_phe_duyet": 0}, "MESSAGE_CONFLICT", "MESSAGE_CONFLICT"),
        ({"trang_thai_phe_duyet": 1}, "MESSAGE_UNKNOWN", "CONTRADICTION"),
    ],
)
def test_an_error_about_a_certificate_is_neither_a_receipt_nor_a_decision(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, decided: dict[str, object], error: str, code: str
) -> None:
    serve(peer, lambda _: Reply(reset=True))
    enqueue("0a1", kind="CERTIFICATE", document=b"\x30\x82\xff", details={"serial_number": "0a1"})
    assert act().state == "UNCERTAIN"
    answer = decided | {"serial_number": "A1", "error": error}
    serve(peer, lambda request: as_json({"messageid": identity(request)} | answer))
    row = act(Purpose.ASK)
    assert (row.state, row.reason_code, Item.objects.get().verdict) == ("UNCERTAIN", code, "PENDING")


@pytest.mark.parametrize(
    "forged",
    [{"serial_number": "0BAD"}, {"ma_don_vi": "01"}, {"messageid": "x"}, {"trang_thai_phe_duyet": "yes"}],
    ids=["serial", "unit", "message", "word"],
)
def test_no_forged_approval_registers_a_certificate(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, forged: dict[str, object]
) -> None:
    serve(peer, lambda request: as_json({"messageid": identity(request)}))
    enqueue("0a1", kind="CERTIFICATE", document=b"\x30\x82\xff", details={"serial_number": "0a1"})
    assert act().state == "ACKNOWLEDGED"
    approval = {"serial_number": "A1", "ma_don_vi": "79", "trang_thai_phe_duyet": 1}
    serve(peer, lambda request: as_json({"messageid": identity(request)} | approval | forged))
    assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    serve(peer, lambda request: as_json({"messageid": identity(request)} | approval))
    assert act(Purpose.COLLECT).state == "ANSWERED"


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"ma_don_vi": "01"}, 200), ({"error": "MESSAGE_CONFLICT"}, 409), ({"error": "MESSAGE_ID_REUSED"}, 200)],
    ids=["unit", "conflict", "reuse"],
)
def test_what_does_not_answer_a_registration_neither_acknowledges_nor_refuses_it(
    peer: Peer, enqueue: Callable[..., UUID], act: Act, fields: dict[str, object], status: int
) -> None:
    serve(peer, lambda request: as_json({"messageid": identity(request)} | fields, status))
    enqueue("0a1", kind="CERTIFICATE", document=b"\x30\x82\xff", details={"serial_number": "0a1"})
    assert act().state == "UNCERTAIN"
    assert Item.objects.get().verdict == "PENDING"


def test_an_odd_description_of_one_record_keeps_no_verdict_away(
    peer: Peer, enqueue: Callable[..., UUID], act: Act
) -> None:
    serve(peer, lambda request: as_json(good(request)))
    enqueue("a", "b")
    act()
    odd = {"error": "E1", "error_description": "x\x00" * 3_000, "ten_hoc_sinh": "x" * 301, "ma_hoc_sinh": 1.0}
    serve(peer, lambda request: judged(request, [accepted("a"), accepted("b", trang_thai=0, **odd)]))
    assert act(Purpose.COLLECT).state == "ANSWERED"
    assert dict(Item.objects.values_list("key", "verdict")) == {"a": "ACCEPTED", "b": "REJECTED"}


def test_a_true_receipt_is_kept_raw_with_its_digest(peer: Peer, enqueue: Callable[..., UUID], act: Act) -> None:
    serve(peer, lambda request: as_json(good(request, ma_don_vi="79", extra="lạ")))
    enqueue("a")
    assert act().state == "ACKNOWLEDGED"
    kept = Receipt.objects.get()
    body = zlib.decompress(bytes(kept.body))
    assert bytes(kept.sha256) == sha256(body).digest()
    assert json.loads(body)["extra"] == "lạ"


def test_an_answer_that_says_the_same_again_is_kept_once(peer: Peer, enqueue: Callable[..., UUID], act: Act) -> None:
    """Receipts are never deleted, and a package may be asked about for days."""
    serve(peer, lambda request: as_json(good(request)))
    enqueue("a", "b")
    act()
    first = [accepted("a")]
    for lines in (first, first, [accepted("a", error="lạ")], first, first):
        serve(peer, lambda request, lines=lines: judged(request, lines))  # type: ignore[misc]
        assert act(Purpose.COLLECT).state == "ACKNOWLEDGED"
    kept = [bytes(one) for one in Receipt.objects.filter(kind="VERDICTS").values_list("sha256", flat=True)]
    assert len(kept) == 3, "each time that it changed, and where it changed back"
    assert kept[0] == kept[2]
