"""The exchange door as a school's software sees it: tokens, receipts, lines, and refusals in the format's own words."""

from dataclasses import replace

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from gateway.exchange.envelope import encode_content
from portal.audit.models import Entry
from portal.records import disputes, processing
from portal.records.models import Batch, Content
from portal.records.processing import working
from portal.schools.models import Certificate


def process_all() -> None:
    for batch in Batch.objects.all():
        processing.process_batch(batch_id=batch.id)


def test_a_submission_is_answered_with_a_receipt_and_asked_for_by_its_id(cast, software):
    school = software(cast.made("02"))
    made = cast.records(school.made, 3)
    status, receipt = school.submit(cast.signed_list(school.made, made), "gd-1")
    assert (status, receipt["MessageId"], receipt["Error"], receipt["ResponseCode"]) == (200, "gd-1", "", "RECEIVED")
    assert school.query("gd-1")[1]["data"] == []
    process_all()
    status, answer = school.query("gd-1")
    assert (status, answer["ResponseCode"]) == (200, "PROCESSED")
    assert [(line["ma_tra_cuu_uuid"], line["trang_thai"]) for line in answer["data"]] == [
        (str(record.lookup_uuid), 1) for record in made
    ]
    assert {"ma_hoc_sinh", "ten_hoc_sinh", "so_cccd", "error", "error_field_title", "error_description"} <= set(
        answer["data"][0]
    )


def test_the_same_transaction_again_gets_the_first_receipt(cast, software):
    school = software(cast.made("02"))
    document = cast.signed_list(school.made, cast.records(school.made, 1))
    assert school.submit(document, "gd-1") == school.submit(document, "gd-1")
    assert Batch.objects.count() == Content.objects.count() == 1


def test_the_same_bytes_under_another_id_are_the_same_batch_and_both_ids_find_it(cast, software):
    school = software(cast.made("02"))
    document = cast.signed_list(school.made, cast.records(school.made, 1))
    school.submit(document, "gd-1")
    _, receipt = school.submit(document, "gd-2")
    assert (receipt["MessageId"], receipt["ResponseCode"]) == ("gd-2", "DUPLICATE")
    assert school.query("gd-2")[0] == 200
    assert Batch.objects.count() == 1


def test_the_same_id_with_other_bytes_is_refused(cast, software):
    school = software(cast.made("02"))
    school.submit(cast.signed_list(school.made, cast.records(school.made, 1)), "gd-1")
    status, receipt = school.submit(cast.signed_list(school.made, cast.records(school.made, 1, first=1)), "gd-1")
    assert (status, receipt["Error"]) == (409, "MESSAGE_ID_REUSED")


def test_a_list_signed_by_another_school_is_refused_as_a_whole(cast, software):
    school = software(cast.made("02"))
    document = cast.signed_list(school.made, cast.records(school.made, 2), by=cast.made("03"))
    school.submit(document, "gd-1")
    process_all()
    _, answer = school.query("gd-1")
    assert answer["Error"].startswith("LIST_SEAL_")
    assert answer["data"] == []


SPOILT = {
    "COMMENT": (b"<HO_VA_TEN>", b"<HO_VA_TEN><!-- x -->"),
    "PROCESSING_INSTRUCTION": (b"<TONG_KET>", b"<TONG_KET><?x y?>"),
    "NAMESPACE_IN_DATA": (b"<TONG_KET>", b'<TONG_KET><x:LA xmlns:x="urn:la">1</x:LA>'),
    "ATTRIBUTE_NAMESPACED": (b"<TONG_KET>", b'<TONG_KET xmlns:x="urn:la" x:la="1">'),
}


@pytest.mark.parametrize(("code", "change"), SPOILT.items(), ids=SPOILT)
def test_one_record_that_may_not_be_read_does_not_stop_the_others_of_a_signed_list(cast, software, code, change):
    school = software(cast.made("02"))
    records = cast.records(school.made, 3)
    records[1] = replace(records[1], data=records[1].data.replace(*change, 1))
    school.submit(cast.signed_list(school.made, records), "gd-1")
    process_all()
    answer = school.query("gd-1")[1]
    assert answer["Error"] == ""
    states = {line["thu_tu"]: line["trang_thai"] for line in answer["data"]}
    assert states == {1: 1, 2: 0, 3: 1}
    assert code in {line["error"] for line in answer["data"]}


def test_a_list_with_a_document_type_is_refused_as_a_whole(cast, software):
    school = software(cast.made("02"))
    document = cast.signed_list(school.made, cast.records(school.made, 2))
    school.submit(document.replace(b"<DANH_SACH_HOC_BA", b"<!DOCTYPE x><DANH_SACH_HOC_BA", 1), "gd-1")
    process_all()
    answer = school.query("gd-1")[1]
    assert (answer["Error"], answer["data"]) == ("DTD", [])


def test_a_list_without_a_seal_is_refused_as_a_whole(cast, software):
    from portal.rehearsal.batches import unsigned_batch

    school = software(cast.made("02"))
    school.submit(unsigned_batch(cast.records(school.made, 1)).data, "gd-1")
    process_all()
    assert school.query("gd-1")[1]["Error"].startswith("LIST_SEAL_")


def test_a_school_reaches_neither_anothers_unit_nor_anothers_transactions(cast, software):
    mine, other = software(cast.made("02")), software(cast.made("02", 1))
    mine.submit(cast.signed_list(mine.made, cast.records(mine.made, 1)), "gd-1")
    assert other.query("gd-1")[1]["Error"] == "MESSAGE_UNKNOWN"
    assert other.query("gd-1", unit=mine.made.code)[1]["Error"] == "UNIT_REFUSED"
    status, receipt = other.submit(b"<x/>", "gd-2", ma_don_vi=mine.made.code)
    assert (status, receipt["Error"]) == (403, "UNIT_REFUSED")


def test_wrong_secrets_open_nothing(cast, software, post):
    school = software(cast.made("02"))
    wrong = {"user_name": school.made.api_user_name, "password": "0" * 64, "ma_don_vi": school.made.code}
    assert post("exchange-token", wrong)[0] == 401
    assert school.submit(b"<x/>", "gd-1", password="0" * 64)[1]["Error"] == "LOGIN_REFUSED"
    assert school.submit(b"<x/>", "gd-1", token="không có")[1]["Error"] == "TOKEN_INVALID"
    assert school.query("gd-1", token="")[1]["Error"] == "TOKEN_INVALID"


def test_every_broken_message_is_answered_in_the_formats_own_fields(cast, software, post):
    school = software(cast.made("02"))
    good = {"authenticationRequest": school.authentication("gd-1"), "content": encode_content(b"<HOC_BA/>")}
    cases = {
        "MESSAGE_NOT_JSON": b"{",
        "MESSAGE_NOT_OBJECT": b"[]",
        "MESSAGE_TOO_BIG": b" " * 15_000_001,
    }
    for code, raw in cases.items():
        assert post("exchange-submit", None, raw=raw)[1]["Error"] == code
    assert post("exchange-submit", {**good, "content": "%%%"})[1]["Error"] == "CONTENT_NOT_BASE64"
    assert post("exchange-submit", {**good, "content": encode_content(b"%PDF-1.7")})[1]["Error"] == "NOT_XML_OR_ZIP"
    assert post("exchange-submit", {"content": "x"})[0] == 400
    big = encode_content(b"<DANH_SACH_HOC_BA>" + b" " * 10_000_001)
    assert post("exchange-submit", {**good, "content": big})[1]["Error"] == "CONTENT_TOO_BIG"
    assert not Batch.objects.exists()
    assert not Content.objects.exists()


def test_other_methods_are_not_taken(client):
    assert client.get("/api/trao-doi/hoc-ba/gui").status_code == 405


def test_health_says_that_the_database_answers(client, db):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_refused_record_has_a_line_for_every_error(cast, software):
    school = software(cast.made("02"))
    made = cast.records(school.made, 2)
    broken = made[0].data.replace(b"<HO_VA_TEN>", b"<HO_VA_TEN>X", 1)
    document = cast.signed_list(school.made, [cast.replaced(made[0], broken), made[1]])
    school.submit(document, "gd-1")
    process_all()
    lines = school.query("gd-1")[1]["data"]
    assert {line["trang_thai"] for line in lines if line["thu_tu"] == 1} == {0}
    assert all(line["error"] and line["error_description"] for line in lines if line["thu_tu"] == 1)
    assert [line["trang_thai"] for line in lines if line["thu_tu"] == 2] == [1]


def test_a_certificate_is_registered_and_its_approval_asked_for(cast, software, post):
    import base64

    school = software(cast.made("02"))
    own = Certificate.objects.get(school__code=school.made.code)
    der, serial = bytes(own.der), own.serial
    own.delete()
    message = {
        "authenticationRequest": school.authentication("cts-1", 3), "content": base64.b64encode(der).decode(),
        "serial_number": serial, "ngay_hieu_luc": "2025-09-05", "ma_kieu_chu_ky": "USB_TOKEN", "nha_phat_hanh": "VNPT",
    }  # fmt: skip
    status, receipt = post("exchange-register-certificate", message)
    assert (status, receipt["error"], receipt["messageid"]) == (200, "", "cts-1")
    asked = {"messageid": "cts-1", "ma_don_vi": school.made.code, "ma_nam_hoc": "2025-2026"}
    assert "trang_thai_phe_duyet" not in post("exchange-query-certificate", asked, token=school.token)[1]
    Certificate.objects.update(state="DECLINED")
    assert post("exchange-query-certificate", asked, token=school.token)[1]["trang_thai_phe_duyet"] == 0


SURROGATE = b'{"authenticationRequest": {"messageid": "\\ud800"}, "messageid": "\\udfff", "user_name": "\\ud800"}'
SERVICES = [
    "exchange-token",
    "exchange-submit",
    "exchange-query",
    "exchange-register-certificate",
    "exchange-query-certificate",
    "exchange-recall",
    "exchange-query-recall",
]


@pytest.mark.parametrize("service", SERVICES)
def test_half_a_character_is_refused_in_the_formats_own_fields(cast, software, post, service):
    school = software(cast.made("02"))
    status, answer = post(service, None, token=school.token, raw=SURROGATE)
    assert (status, answer.get("Error") or answer.get("error")) == (400, "MESSAGE_NOT_JSON")


@pytest.mark.parametrize("path", ["/api/trao-doi/khong-co", "/api/trao-doi/hoc-ba/gui/", "/api/trao-doi/"])
def test_an_address_that_does_not_exist_answers_in_the_formats_own_fields(client, db, path):
    answer = client.post(path, b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["Error"]) == (404, "ADDRESS_UNKNOWN")
    assert "/api/trao-doi/" in answer.json()["ErrorDescription"]


def test_a_wrong_host_is_told_so_in_the_formats_own_fields(client, db):
    answer = client.post("/api/trao-doi/token", b"{}", content_type="application/json", headers={"host": "la.example"})
    assert (answer.status_code, answer.json()["Error"]) == (400, "REQUEST_BAD")


@pytest.mark.parametrize("problem", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_answered_try_again_and_never_not_taken(cast, software, monkeypatch, problem):
    """Found by the fault campaign: it was a 500 that claimed that the transaction had not been taken."""
    school = software(cast.made("02"))
    assert school.token

    def away(**_: object) -> None:
        raise problem("server closed the connection unexpectedly")

    monkeypatch.setattr("portal.api.exchange.receive_batch", away)
    status, receipt = school.submit(cast.signed_list(school.made, cast.records(school.made, 1)), "gd-1")
    assert (status, receipt["Error"], receipt["MessageId"]) == (503, "UNAVAILABLE", "gd-1")
    assert "chưa được nhận" not in receipt["ErrorDescription"]


def test_a_message_that_is_too_big_is_read_to_its_end_so_that_the_sender_hears_why(client, db):
    from django.test import RequestFactory

    from gateway.exchange.errors import MessageRefused
    from portal.api.body import read_json

    request = RequestFactory().post("/api/trao-doi/token", b"x" * 200_000, content_type="application/json")
    with pytest.raises(MessageRefused) as caught:
        read_json(request, max_bytes=64_000)
    assert caught.value.code == "MESSAGE_TOO_BIG"
    assert request.read(1) == b""


def test_software_that_reads_results_leaves_a_line_in_the_journal_once_and_again_when_they_change(cast, software):
    school = software(cast.made("02"))
    made = cast.records(school.made, 2)
    school.submit(cast.signed_list(school.made, made), "gd-1")
    readings = Entry.objects.filter(action="batch.answer_read")
    assert school.query("gd-1")[1]["data"] == []
    assert not readings.exists(), "an answer that names nobody is no reading"
    process_all()
    for _ in range(3):
        assert len(school.query("gd-1")[1]["data"]) == 2
    (entry,) = readings
    assert (entry.actor_name, entry.detail) == (school.made.api_user_name, {"lines": 2, "door": "EXCHANGE"})
    assert entry.school_id == Batch.objects.get().school_id
    Entry.objects.create(
        at=timezone.now(), actor_name=school.made.api_user_name, action="batch.answer_read", subject_kind="batch",
        subject_id=str(Batch.objects.get().pk), detail={"lines": 1},
    )  # fmt: skip
    school.query("gd-1")
    assert readings.all().count() == 3, "what is read anew is written anew"
    assert made[0].data not in str(list(readings.all().values())).encode()


def test_a_batch_of_which_a_record_is_held_is_not_called_checked(cast, software, monkeypatch):
    """Software that stops asking at PROCESSED would never learn what became of it."""
    school = software(cast.made("02"))
    school.submit(cast.signed_list(school.made, cast.records(school.made, 2)), "gd-giu")
    real = working.judge
    monkeypatch.setattr(
        working, "judge", lambda raw, court: working.judge_killing(raw) if raw.position == 2 else real(raw, court)
    )
    batch = Batch.objects.get()
    processing.process_batch(batch_id=batch.id)
    _, answer = school.query("gd-giu")
    assert (answer["ResponseCode"], len(answer["data"])) == ("PROCESSING", 1)
    assert "1 học bạ" in answer["ResponseDescription"]
    disputes.refuse(record=batch.records.get(position=2), by=None, reason="Trường xuất lại tệp", now=batch.received_at)
    _, answer = school.query("gd-giu")
    assert (answer["ResponseCode"], [line["trang_thai"] for line in answer["data"]]) == ("PROCESSED", [1, 0, 0])
