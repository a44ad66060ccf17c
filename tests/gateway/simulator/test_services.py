"""The nine services over real HTTPS with a client certificate, as an honest repository answers them."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any


def test_a_good_package_is_acknowledged_and_every_record_accepted(world: Any) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    primary, secondary = world.record(uid=first), world.record(uid=second, secondary=True)
    status, receipt = world.caller.submit(world.list_of(primary, secondary), messageid="m-1")
    assert (status, receipt["Error"], receipt["MessageId"], receipt["ResponseCode"]) == (200, "", "m-1", "RECEIVED")
    answer = world.caller.verdicts("m-1")
    assert [(line["ma_tra_cuu_uuid"], line["trang_thai"]) for line in answer["data"]] == [(first, 1), (second, 1)]
    held = {entry["uuid"]: entry for entry in world.control.ledger()}
    assert held[first]["sha256"] == hashlib.sha256(primary).hexdigest()
    assert held[second]["sha256"] == hashlib.sha256(secondary).hexdigest()
    assert all(entry["effects"] == 1 and entry["signature_verified"] for entry in held.values())


def test_the_stage_becomes_reply_read_once_it_was_fetched(world: Any) -> None:
    world.caller.submit(world.list_of(world.record()), messageid="m-1")
    world.caller.verdicts("m-1")
    assert world.caller.query("m-1")["ResponseCode"] == "5"


def test_the_same_message_again_gets_the_same_receipt_and_no_second_effect(world: Any) -> None:
    document = world.list_of(world.record())
    message = world.caller.message(document, messageid="m-1")
    first = world.caller.raw("/api/hoc-ba/gui", message)[1]
    world.caller.verdicts("m-1")
    assert world.caller.raw("/api/hoc-ba/gui", message)[1] == first
    totals = world.control.totals()
    assert (totals["messages"], totals["repeated"], totals["effects"]) == (1, 1, 1)


def test_other_content_under_a_known_message_id_is_refused(world: Any) -> None:
    world.caller.submit(world.list_of(world.record()), messageid="m-1")
    status, answer = world.caller.submit(world.list_of(world.record()), messageid="m-1")
    assert (status, answer["Error"]) == (409, "MESSAGE_CONFLICT")


def test_a_message_that_never_came_is_unknown(world: Any) -> None:
    assert world.caller.query("never")["Error"] == "MESSAGE_UNKNOWN"


def test_a_recall_waits_then_is_agreed_and_the_uuid_is_never_used_again(world: Any, pki: Any, helpers: Any) -> None:
    uid = str(uuid.uuid4())
    world.control.change(recall_delay_seconds=3600)
    world.caller.submit(world.list_of(world.record(uid=uid)), messageid="m-1")
    world.caller.verdicts("m-1")
    world.caller.submit(world.list_of(helpers.recall_entry(uid)), messageid="r-1", recall=True)
    assert [line["trang_thai"] for line in world.caller.verdicts("r-1", recall=True)["data"]] == [1]
    world.control.judge_now()

    def decided(answer: dict[str, Any]) -> bool:
        return bool(answer["data"][0]["trang_thai"] != 1)

    assert world.caller.verdicts("r-1", recall=True, until=decided)["data"][0]["trang_thai"] == 2
    world.caller.submit(world.list_of(world.record(uid=uid)), messageid="m-2")
    assert world.caller.verdicts("m-2")["data"][0]["error"] == "UUID_RECALLED"


def test_a_recall_of_an_unknown_record_is_refused(world: Any, helpers: Any) -> None:
    world.caller.submit(world.list_of(helpers.recall_entry(str(uuid.uuid4()))), messageid="r-1", recall=True)

    def decided(answer: dict[str, Any]) -> bool:
        return bool(answer["data"] and answer["data"][0]["trang_thai"] != 1)

    line = world.caller.verdicts("r-1", recall=True, until=decided)["data"][0]
    assert (line["trang_thai"], line["error"]) == (3, "RECORD_UNKNOWN")


def test_a_certificate_is_registered_approved_and_then_seals_packages(world: Any, pki: Any, helpers: Any) -> None:
    other = pki.issue("other", issuer=pki.line_ca, key=pki.department.key)
    document = helpers.sealed([world.record()], other)
    world.caller.submit(document, messageid="m-1")
    assert world.caller.verdicts("m-1")["Error"] == "SEAL_UNREGISTERED"
    body = world.caller.message(b"", kind=3, messageid="c-1")
    body |= {"content": base64.b64encode(other.der).decode(), "serial_number": "1", "ngay_hieu_luc": "2025-01-01"}
    body |= {"ma_kieu_chu_ky": "USB_TOKEN", "nha_phat_hanh": "BAN_CO_YEU"}
    assert world.caller.call("/api/chung-thu-so/dang-ky", body)[1]["error"] == ""
    question = {"messageid": "c-1", "ma_don_vi": "79", "ma_nam_hoc": "2024-2025"}
    assert world.caller.call("/api/chung-thu-so/trang-thai", question)[1]["trang_thai_phe_duyet"] == 1
    world.caller.submit(document, messageid="m-2")
    assert world.caller.verdicts("m-2")["data"][0]["trang_thai"] == 1


def test_the_two_catalogues_are_told(world: Any) -> None:
    kinds = world.caller.call("/api/danh-muc/kieu-chu-ky", None, method="GET")[1]["data"]
    providers = world.caller.call("/api/danh-muc/nha-phat-hanh", None, method="GET")[1]["data"]
    assert {"USB_TOKEN", "REMOTE_SIGNING"} == {entry["ma"] for entry in kinds}
    assert "BAN_CO_YEU" in {entry["ma"] for entry in providers}


def test_the_caller_is_told_the_address_that_is_seen(world: Any) -> None:
    assert world.caller.call("/api/dia-chi", None, method="GET") == (200, {"address": "127.0.0.1"})
