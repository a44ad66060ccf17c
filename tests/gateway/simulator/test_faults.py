"""Every fault does what its name says, on the wire and in the ledger; the journal saw the request in each case."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from gateway.simulator.control import ControlRefused
from gateway.simulator.faults import KINDS, Phase

BROKEN = (ConnectionError, RemoteDisconnected, BadStatusLine, IncompleteRead, TimeoutError, ssl.SSLError, HTTPException)
SUBMIT = "/api/hoc-ba/gui"


def _requests(world: Any) -> list[dict[str, Any]]:
    return [line for line in world.control.journal() if line["event"] == "RECEIVED" and line["service"] == "submit"]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("http_500", 500, "INTERNAL_ERROR"),
        ("http_429", 429, "BUSY"),
        ("http_503", 503, "UNAVAILABLE"),
        ("http_413", 413, "PACKAGE_TOO_BIG"),
        ("http_400", 400, "STRUCTURE_INVALID"),
        ("http_409", 409, "MESSAGE_CONFLICT"),
        ("token_refused", 401, "TOKEN_INVALID"),
        ("address_refused", 403, "ADDRESS_REFUSED"),
        ("status", 500, "INTERNAL_ERROR"),
        ("ack_without_effect", 200, ""),
    ],
)
def test_an_answer_in_place_of_the_service_has_no_effect(world: Any, kind: str, status: int, error: str) -> None:
    world.control.set_fault(kind, service="submit", count=1)
    document = world.list_of(world.record())
    got, answer = world.caller.submit(document, messageid="m-1")
    assert (got, answer["Error"], answer["MessageId"]) == (status, error, "m-1")
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"
    assert world.caller.submit(document, messageid="m-1")[1]["ResponseCode"] == "RECEIVED"
    assert len(_requests(world)) == 2


@pytest.mark.parametrize(
    ("kind", "status"), [("html_502", 502), ("html_200", 200), ("client_certificate_expired", 400)]
)
def test_a_page_comes_where_json_is_promised(world: Any, kind: str, status: int) -> None:
    world.control.set_fault(kind, service="submit", count=1)
    response, body = world.caller.raw(SUBMIT, world.caller.message(world.list_of(world.record())))
    assert (response.status, body[:9]) == (status, b"<!DOCTYPE")
    assert world.control.totals()["messages"] == 0


@pytest.mark.parametrize(
    ("wish", "check"),
    [
        ({"retry_after": 7}, lambda text: text == "7"),
        ({"retry_after": "date", "seconds": 60}, lambda text: text.endswith("GMT")),
        ({"retry_after": "absurd"}, lambda text: int(text) > 10**9),
        ({"retry_after": "bao giờ xong thì thôi".encode().hex()}, lambda text: not text.isdigit()),
        ({"retry_after": "none"}, lambda text: text is None),
    ],
)
def test_retry_after_comes_in_every_form(world: Any, wish: dict[str, Any], check: Any) -> None:
    world.control.set_fault("http_503", service="submit", count=1, **wish)
    response, _ = world.caller.raw(SUBMIT, world.caller.message(world.list_of(world.record())))
    assert check(response.getheader("Retry-After"))


@pytest.mark.parametrize("kind", ["cut_before_request", "cut_mid_request", "cut_after_processing", "cut_mid_reply"])
def test_a_cut_connection_is_in_the_journal_and_only_a_whole_request_takes_effect(world: Any, kind: str) -> None:
    message = world.caller.message(world.list_of(world.record()), messageid="m-1")
    world.control.set_fault(kind, count=1)
    with pytest.raises(BROKEN):
        world.caller.raw(SUBMIT, message)
    last = [line for line in world.control.journal() if line["event"] == "RECEIVED"][-1]
    effect = kind in ("cut_after_processing", "cut_mid_reply")
    assert last["complete"] is effect
    assert (world.caller.query("m-1")["Error"] == "") is effect
    if not effect:
        assert (world.config.folder / "partial" / f"{last['body_sha256']}.bin").exists()


@pytest.mark.parametrize("kind", ["error_500_with_effect", "html_502_with_effect", "right_receipt_500"])
def test_an_error_is_told_although_the_effect_is_done(world: Any, kind: str) -> None:
    world.control.set_fault(kind, service="submit", count=1)
    response, _ = world.caller.raw(SUBMIT, world.caller.message(world.list_of(world.record()), messageid="m-1"))
    assert response.status in (500, 502)
    assert world.caller.verdicts("m-1")["data"][0]["trang_thai"] == 1


@pytest.mark.parametrize("kind", ["receipt_other_message", "receipt_replay", "receipt_unreadable", "receipt_empty"])
def test_a_forged_receipt_does_not_fit_the_message(world: Any, kind: str) -> None:
    world.caller.submit(world.list_of(world.record()), messageid="m-0")
    world.control.set_fault(kind, service="submit", count=1)
    _, body = world.caller.raw(SUBMIT, world.caller.message(world.list_of(world.record()), messageid="m-1"))
    with contextlib.suppress(ValueError):
        assert json.loads(body)["MessageId"] != "m-1"
    assert world.caller.verdicts("m-1")["data"][0]["trang_thai"] == 1


def test_a_receipt_for_another_unit_says_so(world: Any) -> None:
    world.control.set_fault("receipt_other_unit", service="submit", count=1)
    assert world.caller.submit(world.list_of(world.record()))[1]["ma_don_vi"] == "99-KHAC"


@pytest.mark.parametrize(("how", "count"), [("drop", 1), ("twice", 3), ("foreign", 3)])
def test_an_answer_with_the_wrong_number_of_lines(world: Any, how: str, count: int) -> None:
    world.caller.submit(world.list_of(world.record(), world.record()), messageid="m-1")
    world.caller.verdicts("m-1")
    world.control.set_fault("receipt_wrong_counts", service="query", count=1, how=how)
    assert len(world.caller.query("m-1")["data"]) == count
    assert len(world.caller.query("m-1")["data"]) == 2


def test_a_lost_memory_answers_unknown_though_the_message_is_held(world: Any) -> None:
    world.caller.submit(world.list_of(world.record()), messageid="m-1")
    world.control.set_fault("unknown_to_me", service="query", count=1)
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"
    assert world.caller.verdicts("m-1")["data"][0]["trang_thai"] == 1


def test_acknowledged_then_silence_until_it_is_ended(world: Any) -> None:
    world.control.set_fault("ack_then_silence", service="submit", count=1)
    world.caller.submit(world.list_of(world.record()), messageid="m-1")
    world.control.judge_now()
    answer = world.caller.query("m-1")
    assert (answer["ResponseCode"], answer["data"]) == ("1", [])
    world.control.end_silence()
    assert world.caller.verdicts("m-1")["data"][0]["trang_thai"] == 1


def test_late_verdicts_come_when_they_are_brought_forward(world: Any) -> None:
    world.control.set_fault("late_verdicts", service="submit", count=1, seconds=3600)
    world.caller.submit(world.list_of(world.record()), messageid="m-1")
    assert world.caller.query("m-1")["ResponseCode"] == "1"
    world.control.judge_now()
    assert world.caller.verdicts("m-1")["data"][0]["trang_thai"] == 1


def test_a_share_of_the_records_is_refused_with_several_codes(world: Any) -> None:
    world.control.set_fault("reject_share", service="submit", count=1, share=0.5, codes=["A", "B"])
    world.caller.submit(world.list_of(*[world.record() for _ in range(20)]), messageid="m-1")
    world.caller.verdicts("m-1")
    totals = world.control.totals()
    assert 0 < totals["rejected"] < 20
    assert totals["error_codes"] == {"A": totals["rejected"], "B": totals["rejected"]}
    assert totals["held"] == totals["accepted"] == 20 - totals["rejected"]


@pytest.mark.parametrize("named", [True, False])
def test_a_package_is_refused_with_or_without_naming_the_culprit(world: Any, named: bool) -> None:
    culprit = "0f8fad5b-d9cb-469f-a165-70867728950e"
    world.control.set_fault("refuse_package", service="submit", uuids=[culprit], named=named)
    world.caller.submit(world.list_of(world.record(), world.record(uid=culprit)), messageid="m-1")
    answer = world.caller.verdicts("m-1")
    assert answer["Error"] == "PACKAGE_INVALID"
    assert [line["ma_tra_cuu_uuid"] for line in answer["data"]] == ([culprit] if named else [])
    world.caller.submit(world.list_of(world.record()), messageid="m-2")
    assert world.caller.verdicts("m-2")["data"][0]["trang_thai"] == 1


def test_a_token_ends_earlier_than_it_said(world: Any) -> None:
    world.control.set_fault("token_short_life", count=1, seconds=0)
    world.caller.log_in()
    assert world.caller.query("m-1")["Error"] == "TOKEN_EXPIRED"
    assert world.caller.log_in().query("m-1")["Error"] == "MESSAGE_UNKNOWN"


def test_nobody_at_home_refuses_connections_and_comes_back_on_the_same_port(world: Any) -> None:
    fault = world.control.set_fault("down")
    _until(lambda: _refused(world))
    assert world.control.health()["ready"] is False
    world.control.clear_faults(fault)
    _until(lambda: not _refused(world))
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"


def test_a_wrong_server_certificate_is_shown(world: Any) -> None:
    world.control.set_fault("wrong_server_certificate", count=1)
    with pytest.raises(ssl.SSLCertVerificationError):
        world.caller.query("m-1")
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"


def test_a_client_certificate_is_rejected_in_the_handshake(world: Any) -> None:
    world.control.set_fault("client_certificate_rejected", count=1)
    with pytest.raises(BROKEN):
        world.caller.query("m-1")
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"


@pytest.mark.parametrize("kind", ["slow_reply", "endless_head", "endless_reply", "slow", "handshake_silence"])
def test_a_caller_with_a_total_deadline_gives_up(world: Any, kind: str) -> None:
    world.control.set_fault(kind, count=1, seconds=20, **({"interval": 0.05} if kind != "slow" else {}))
    assert _gives_up(world, seconds=0.6)
    assert world.control.faults()["fired"] == {kind: 1}


@pytest.mark.parametrize("kind", ["huge_reply", "gzip_bomb_reply"])
def test_a_reply_is_far_larger_than_any_receipt(world: Any, kind: str) -> None:
    world.control.set_fault(kind, service="query", count=1, bytes=64 << 20)
    connection = world.caller.open()
    headers = {"Authorization": f"Bearer {world.caller.token}"}
    connection.request("POST", "/api/hoc-ba/ket-qua", body="{}", headers=headers)
    response = connection.getresponse()
    assert len(response.read(1 << 15)) == 1 << 15
    connection.close()


def test_a_fault_by_probability_repeats_with_its_seed(world: Any) -> None:
    def pattern() -> list[int]:
        fault = world.control.set_fault("http_500", service="query", probability=0.5, seed=7)
        body = {"messageid": "x", "ma_don_vi": "79", "type": 2, "function": "X"}
        codes = [world.caller.call("/api/hoc-ba/ket-qua", body)[0] for _ in range(12)]
        world.control.clear_faults(fault)
        return codes

    first = pattern()
    assert set(first) == {200, 500}


def test_a_fault_that_makes_no_sense_is_refused(world: Any) -> None:
    for wish in ({"kind": "no-such"}, {"kind": "down", "service": "submit"}):
        with pytest.raises(ControlRefused):
            world.control.set_fault(**wish)


def test_every_kind_has_a_phase_and_is_listed_at_the_door(world: Any) -> None:
    assert world.control.kinds() == {kind: str(phase) for kind, phase in KINDS.items()}
    assert set(KINDS.values()) == set(Phase)


def _refused(world: Any) -> bool:
    try:
        world.caller.open(timeout=2).connect()
    except (ConnectionError, ssl.SSLError):
        return True
    return False


def _until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end


def _gives_up(world: Any, *, seconds: float) -> bool:
    """A caller that reads piece by piece and looks at the clock, as a careful client does."""
    end = time.monotonic() + seconds
    connection = world.caller.open(timeout=seconds)
    headers = {"Authorization": f"Bearer {world.caller.token}", "Content-Length": "2"}
    try:
        connection.connect()
        connection.request("POST", "/api/hoc-ba/ket-qua", body="{}", headers=headers)
        while connection.sock.recv(1):
            if time.monotonic() > end:
                return True
    except (TimeoutError, ssl.SSLError):
        return True
    finally:
        connection.close()
    return False
