"""The gate and the cutter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signing
from signing import MalformedDocument, cut, parse
from signing.xml import parse_list
from signing.xml.gate import _has_long_tag

HOSTILE = [
    (b"", "EMPTY"),
    (b"<a>", "NOT_WELL_FORMED"),
    (b"<!DOCTYPE a><a/>", "DTD"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
    (b"<a><!-- --></a>", "COMMENT"),
    (b"<a><?b c?></a>", "PROCESSING_INSTRUCTION"),
    (b'<?xml-stylesheet href="x"?><a/>', "PROCESSING_INSTRUCTION"),
    ("<a>é</a>".encode("latin-1"), "ENCODING"),
    ("<a/>".encode("utf-16"), "ENCODING"),
    (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "ENCODING_DECLARED"),
    (b'<?xml version="1.1"?><a/>', "DECLARATION"),
    (b'<a xmlns="relative"/>', "NAMESPACE_RELATIVE"),
    (b"<a:b/>", "NAMESPACE_UNDECLARED"),
    (b"<a>" * 65 + b"</a>" * 65, "TOO_DEEP"),
    (b"<" + b"a" * 300 + b"/>", "NAME_TOO_LONG"),
    (b"<a>&lt</a>", "NOT_WELL_FORMED"),
    (b"<a>" + b"x" * (2 * 1024 * 1024) + b"</a>", "TOO_LARGE"),
]


@pytest.mark.parametrize(("data", "code"), HOSTILE, ids=[code for _, code in HOSTILE])
def test_what_may_not_become_a_tree_is_refused_by_name(data, code):
    with pytest.raises(MalformedDocument) as caught:
        parse(data)
    assert caught.value.code == code


NEAR = [
    b"<" + b"n" * length + after for length in (255, 256, 257, 258, 600) for after in (b">", b" ", b"/>", b"\n", b"<")
]
FILLERS = [b">", b" ", b"x" * 255, b"x" * 256, b"x" * 257, b"<a>", b"\n", b"/", b"b c>"]


@given(st.lists(st.sampled_from(FILLERS), max_size=12), st.sampled_from(NEAR), st.lists(st.sampled_from(FILLERS)))
def test_leaping_misses_no_name_that_is_too_long(before, near, after):
    data = b"".join([*before, near, *after])
    assert _has_long_tag(data, 256) == (re.search(rb"<[^\s<>/!?]{257}", data) is not None)


def test_a_bom_and_cdata_are_let_in():
    assert parse(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><a><![CDATA[<b>]]></a>').root.text == "<b>"


RECORDS = [b"<HOC_BA/>", b'<HOC_BA id="1"><A b=">">x</A></HOC_BA>', b"<HOC_BA><A><![CDATA[</HOC_BA>]]></A></HOC_BA>"]


@given(st.lists(st.sampled_from(RECORDS)), st.sampled_from([b"", b" ", b"\n\t"]), st.sampled_from([b"", b"<S>x</S>"]))
def test_records_are_cut_without_touching_a_byte(records, space, rest):
    data = b'<?xml version="1.0"?>\n<DANH_SACH_HOC_BA id="l">' + space.join(records) + rest + b"</DANH_SACH_HOC_BA>"
    found = cut(data)
    assert [data[c.start : c.end] for c in found.cuts] == records
    assert found.root_id == "l"
    assert parse(found.shell).root.tag == "DANH_SACH_HOC_BA"


@pytest.mark.parametrize(
    "data",
    [
        b"<DANH_SACH_HOC_BA><X><HOC_BA></HOC_BA></X></DANH_SACH_HOC_BA>",
        b"<DANH_SACH_HOC_BA><HOC_BA><HOC_BA></HOC_BA></HOC_BA>x<HOC_BA></DANH_SACH_HOC_BA>",
        b"<OTHER><HOC_BA></HOC_BA></OTHER>",
    ],
)
def test_records_elsewhere_are_refused(data):
    with pytest.raises(MalformedDocument):
        cut(data)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_bytes_never_give_other_content_or_an_unnamed_error(cast, data):
    record = cast.record(0, spelling=data.draw(st.sampled_from(["dotnet", "java", "dss"])))
    at = data.draw(st.integers(0, len(record) - 1))
    piece = data.draw(st.binary(max_size=3))
    mutated = record[:at] + piece + record[at + data.draw(st.integers(0, 3)) :]
    report = cast.verify(mutated)
    assert isinstance(report, signing.Report)
    assert report.code != "UNFORESEEN"
    if report.passed:
        assert report.content_digest == cast.verify(record).content_digest


GOOD = b'<HOC_BA id="1"><A>x</A></HOC_BA>'
SPOILT_RECORDS = {
    "COMMENT": b"<HOC_BA><A><!-- </HOC_BA><HOC_BA> --></A></HOC_BA>",
    "PROCESSING_INSTRUCTION": b"<HOC_BA><A><?x <HOC_BA> ?></A></HOC_BA>",
    "NAMESPACE_RELATIVE": b'<HOC_BA><A xmlns="tuong-doi"/></HOC_BA>',
    "TOO_DEEP": b"<HOC_BA>" + b"<A>" * 70 + b"</A>" * 70 + b"</HOC_BA>",
}


def a_list(*records: bytes, rest: bytes = b"") -> bytes:
    return b'<?xml version="1.0"?>\n<DANH_SACH_HOC_BA id="l">' + b"".join(records) + rest + b"</DANH_SACH_HOC_BA>"


@pytest.mark.parametrize(("code", "spoilt"), SPOILT_RECORDS.items(), ids=SPOILT_RECORDS)
def test_what_one_record_may_not_hold_stops_neither_the_cutting_nor_its_neighbours(code, spoilt):
    data = a_list(GOOD, spoilt, GOOD)
    assert [data[c.start : c.end] for c in cut(data).cuts] == [GOOD, spoilt, GOOD]
    with pytest.raises(MalformedDocument) as caught:
        parse(spoilt)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (a_list(GOOD, b"<!-- x -->", GOOD), "COMMENT"),
        (a_list(GOOD, rest=b"<?x y?>"), "PROCESSING_INSTRUCTION"),
        (b"<!-- x -->" + a_list(GOOD).partition(b"\n")[2], "COMMENT"),
        (a_list(GOOD) + b"<?x y?>", "PROCESSING_INSTRUCTION"),
        (a_list(b"<HOC_BA><!DOCTYPE a></HOC_BA>"), "DTD"),
        (a_list(b"<HOC_BA><!-- <!DOCTYPE a> --></HOC_BA>"), "DTD"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + a_list(GOOD).partition(b"\n")[2], "DTD"),
        (a_list(GOOD, rest=b"<!-- <HOC_BA></HOC_BA> -->"), "COMMENT"),
        (a_list(GOOD, rest=b'<X xmlns="tuong-doi"/>'), "NAMESPACE_RELATIVE"),
    ],
)
def test_around_the_records_nothing_is_allowed_that_no_document_may_hold(data, code):
    for read in (cut, parse_list):
        with pytest.raises(MalformedDocument) as caught:
            read(data)
        assert caught.value.code == code


def test_a_list_is_read_as_one_tree_with_what_its_records_hold():
    document = parse_list(a_list(GOOD, SPOILT_RECORDS["COMMENT"]))
    assert len(document.root) == 2
    assert document.raw == a_list(GOOD, SPOILT_RECORDS["COMMENT"])


@pytest.mark.parametrize("at", [4, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (9 << 20) - 9])
@pytest.mark.parametrize("wrong", [b"\xff", b"\xe1\xba", b"\xe1\xba<"])
def test_a_byte_that_is_not_utf8_is_found_wherever_it_stands_in_a_large_list(at, wrong):
    text = "<a>" + "ệ\n" * (3 << 18)
    data = bytearray((text * 5).encode()[: 9 << 20])
    data[at : at + 8] = b"x" * 8
    data[at : at + len(wrong)] = wrong
    with pytest.raises(MalformedDocument) as caught:
        cut(bytes(data))
    assert caught.value.code == "ENCODING"
    start = bytes(data).find(wrong, at)
    assert caught.value.line == data.count(b"\n", 0, start) + 1


def test_a_letter_that_stands_across_two_pieces_of_a_large_list_is_let_in():
    for pad in range(3):
        assert cut(b"<DANH_SACH_HOC_BA><A>" + b"x" * pad + "ệ".encode() * (3 << 20) + b"</A></DANH_SACH_HOC_BA>")
