"""The messages carry exactly the field names of the spec, and what breaks the format is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import messages as m
from gateway.exchange.access import TokenAnswer, catalogue_from_json
from gateway.exchange.errors import MessageRefused
from gateway.exchange.fields import dumps, loads

AUTHENTICATION = m.Authentication("t", "u", "p", "79000001", 2025, "id-1", m.Type.SUBMIT, "GUI_HOC_BA")


def test_a_submit_request_is_written_with_the_names_of_the_spec() -> None:
    assert m.SubmitRequest(AUTHENTICATION, "QUJD").to_json() == {
        "authenticationRequest": {
            "token": "t",
            "user_name": "u",
            "password": "p",
            "ma_don_vi": "79000001",
            "nam_hoc": 2025,
            "messageid": "id-1",
            "type": 1,
            "function": "GUI_HOC_BA",
        },
        "content": "QUJD",
    }


def test_the_answer_to_a_certificate_keeps_the_misspelt_name() -> None:
    assert "error_filed_title" in m.CertificateReceipt("x").to_json()
    assert "error_field_title" in m.CertificateAnswer("x", "79", "1", None).to_json()


LINE = m.ResultLine("3f2c", 0, "HS1", "Lê Thị Bình", "001300000001", "E01", "SO_CCCD", "Số định danh sai")


@pytest.mark.parametrize(
    "message",
    [
        m.SubmitRequest(AUTHENTICATION, "QUJD"),
        m.CertificateRequest(AUTHENTICATION, "QUJD", "01AB", "2026-01-01", "USB_TOKEN", "VNPT"),
        m.QueryRequest("id", "79", m.Type.QUERY, "F"),
        m.CertificateQuery("id", "79", "2025-2026"),
        m.Receipt("id", "", "", "00", "Đã nhận"),
        m.QueryAnswer(m.Receipt("id", response_code="4"), (LINE, LINE)),
        m.QueryAnswer(None, (LINE,)),
        m.CertificateReceipt("id", "E", "t", "d"),
        m.CertificateAnswer("id", "79", "01", True),
        m.CertificateAnswer("id", "79", "01", None),
    ],
)
def test_every_message_comes_back_as_it_was_written(message: m.SubmitRequest) -> None:
    assert type(message).from_json(loads(dumps(message.to_json()))) == message


def refused(data: bytes) -> MessageRefused:
    with pytest.raises(MessageRefused) as problem:
        m.SubmitRequest.from_json(loads(data))
    return problem.value


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"<html>", "MESSAGE_NOT_JSON", ""),
        (b"\xff\xfe", "MESSAGE_NOT_JSON", ""),
        (b'{"a":1,"a":2}', "MESSAGE_NOT_JSON", ""),
        (b'{"a":NaN}', "MESSAGE_NOT_JSON", ""),
        (b"[" * 100_000, "MESSAGE_NOT_JSON", ""),
        (b"[]", "MESSAGE_NOT_OBJECT", ""),
        (b"{}", "MESSAGE_NOT_OBJECT", "authenticationRequest"),
        (b'{"authenticationRequest":{"ma_don_vi":"7","nam_hoc":2025,"type":1}}', "FIELD_MISSING", "messageid"),
        (b'{"authenticationRequest":{"ma_don_vi":"7","nam_hoc":"x"}}', "FIELD_WRONG_TYPE", "nam_hoc"),
        (b'{"authenticationRequest":{"ma_don_vi":"7","nam_hoc":99}}', "FIELD_BAD_VALUE", "nam_hoc"),
        (b'{"authenticationRequest":{"ma_don_vi":["7"]}}', "FIELD_WRONG_TYPE", "ma_don_vi"),
        (b'{"authenticationRequest":{"ma_don_vi":"7\\u0000"}}', "FIELD_BAD_VALUE", "ma_don_vi"),
    ],
)
def test_what_breaks_the_format_is_refused_with_its_field(data: bytes, code: str, field: str) -> None:
    problem = refused(data)
    assert (problem.code, problem.field) == (code, field)


def test_a_message_over_its_size_is_not_parsed() -> None:
    with pytest.raises(MessageRefused) as problem:
        loads(b" " * 11, max_bytes=10)
    assert problem.value.code == "MESSAGE_TOO_BIG"


LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_json_value_whatever_breaks_a_reader_otherwise_than_by_a_refusal(value: object) -> None:
    for reader in (m.SubmitRequest, m.QueryRequest, m.Receipt, m.QueryAnswer, m.CertificateAnswer, TokenAnswer):
        try:
            reader.from_json(value)  # type: ignore[attr-defined]
        except MessageRefused:
            continue


def test_a_catalogue_is_read_bare_or_wrapped() -> None:
    rows = [{"ma": "VNPT", "ten": "VNPT-CA"}]
    assert catalogue_from_json(rows) == catalogue_from_json({"data": rows})


@pytest.mark.parametrize(
    ("fields", "name", "read"),
    [
        ({"error_description": "at Service()\n" * 900}, "error_description", ("at Service()\n" * 900)[:3999] + "…"),
        ({"error_description": "x\x00y"}, "error_description", "x\ufffdy"),
        ({"error_description": ["a", {"b": True}]}, "error_description", '["a", {"b": true}]'),
        ({"so_cccd": "0" * 21}, "cccd", "0" * 19 + "…"),
        ({"ten_hoc_sinh": "x" * 301}, "pupil_name", "x" * 299 + "…"),
        ({"ma_hoc_sinh": 1.5}, "pupil_code", "1.5"),
        ({"error": "UUID_HELD\x00"}, "error", "UUID_HELD\ufffd"),
    ],
)
def test_what_only_describes_a_line_never_makes_it_unreadable(fields: dict[str, object], name: str, read: str) -> None:
    line = m.ResultLine.from_json({"ma_tra_cuu_uuid": "a", "trang_thai": 0, **fields})
    assert getattr(line, name) == read


@pytest.mark.parametrize("fields", [{"ma_tra_cuu_uuid": "a\x00"}, {"ma_tra_cuu_uuid": 1.0}, {"trang_thai": 0.0}])
def test_what_decides_about_a_record_is_read_strictly(fields: dict[str, object]) -> None:
    with pytest.raises(MessageRefused):
        m.ResultLine.from_json({"ma_tra_cuu_uuid": "a", "trang_thai": 0, **fields})


@pytest.mark.parametrize(
    ("life", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3600.0, 3600),
        *((odd, 0) for odd in (None, 0, -1, 0.5, 1e300, 1_764_000_000_000, "2026-11-22T10:00:00Z", "", "3600s", True)),
    ],
)
def test_a_tokens_life_that_is_no_number_of_seconds_is_left_to_the_description(life: object, seconds: int) -> None:
    assert TokenAnswer.from_json({"token": "T", "expires_in": life}) == TokenAnswer("T", seconds)
