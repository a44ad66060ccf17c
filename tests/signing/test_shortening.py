"""Signatures taken out of the bytes: the short way gives the report of the full way, or none."""

from __future__ import annotations

import re
from random import Random

import pytest

from portal.rehearsal.attacks import attacks
from portal.rehearsal.records import finish, make_draft
from portal.rehearsal.spelling import DOTNET, SPELLINGS
from signing.verification import recognition, shortening
from signing.verification.shortening import Shortened, read_record, shorten
from signing.xml import parse
from tests.signing.test_recognition import values_changed

BUILDS = [item.name for item in SPELLINGS]


@pytest.fixture(autouse=True)
def nothing_learnt():
    recognition.forget()
    shortening.forget_spellings()
    yield
    shortening.forget_spellings()
    recognition.forget()


def both_ways(cast, data: bytes, school: int) -> tuple[dict, dict]:
    """Report with the bytes as they are (the short way where it is gone), and the report on the whole tree."""
    short = cast.verify(data, school)
    kept = dict(shortening._spellings), list(shortening._recent)
    shortening.forget_spellings()
    full = cast.verify(data, school)
    shortening._spellings.update(kept[0])
    shortening._recent[:] = kept[1]
    return short.to_json(), full.to_json()


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_records_of_a_known_program_are_shortened_and_judged_the_same(cast, spelling, school):
    assert shorten(cast.record(school, 8, spelling)) is None, "nothing is known yet"
    assert cast.verify(cast.record(school, 7, spelling), school).passed
    for number in (8, 9, 12):
        data = cast.record(school, number, spelling)
        short = shorten(data)
        assert isinstance(short, Shortened)
        assert len(short.known) == data.count(b"</SignatureValue>") + data.count(b":SignatureValue>") // 2
        report, full = both_ways(cast, data, school)
        assert report == full
        assert report["indication"] == "TOTAL_PASSED"


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_what_may_be_read_is_the_same_in_both_trees(cast, spelling, school):
    data = cast.record(school, 7, spelling)
    assert cast.verify(data, school).passed
    short, full = read_record(data), parse(data)
    assert isinstance(short, Shortened)
    report, whole = cast.verify(short, school), cast.verify(full, school)
    assert report.root is short.root
    assert report.covered.keys() == whole.covered.keys()
    for path, element in report.covered.items():
        form = recognition.canonical_bytes(element, exclusive=True)
        assert form == recognition.canonical_bytes(whole.covered[path], exclusive=True)


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_attacks_are_judged_the_same_both_ways(cast, spelling, school):
    record = cast.record(school, 7, spelling)
    cast.verify(record, school)
    random = Random(5)
    mutants = [data for _, data in attacks(record, seed=5, share=0.0005 if school else 0.004)]
    mutants += [values_changed(record, random) for _ in range(30)]
    for data in mutants:
        short, full = both_ways(cast, data, school)
        assert short == full


def one_by_one(record: bytes) -> list[tuple[str, bytes]]:
    """Small changes around the edges of what is taken out."""
    start = record.index(b"<DANH_SACH_THONG_TIN_KY")
    signature = next(re.finditer(rb"<(?:\w+:)?Signature .*?</(?:\w+:)?Signature>", record[start:], re.S)).group()
    other = re.findall(rb"<(?:\w+:)?Signature .*?</(?:\w+:)?Signature>", record[start:], re.S)[-1]
    empty = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
    once = record.replace
    return [
        ("an empty signature instead", once(signature, empty, 1)),
        ("an empty one beside", once(signature, signature + empty, 1)),
        ("twice", once(signature, signature + signature, 1)),
        ("another's in its place", once(signature, other, 1)),
        ("in the content", once(b"</DU_LIEU_HOC_BA>", signature + b"</DU_LIEU_HOC_BA>", 1)),
        ("in an attribute", once(b"<DANH_SACH_THONG_TIN_KY>", b'<DANH_SACH_THONG_TIN_KY a="' + signature + b'">', 1)),
        ("in a comment", once(signature, b"<!--" + signature + b"-->" + signature, 1)),
        ("in character data", once(signature, b"<![CDATA[" + signature + b"]]>" + signature, 1)),
        ("behind the root", record + signature),
        ("before the root", signature + record),
        ("a namespace between", once(b"<DANH_SACH_THONG_TIN_KY>", b'<DANH_SACH_THONG_TIN_KY xmlns="urn:x">', 1)),
        ("a prefix between", once(b"<DANH_SACH_THONG_TIN_KY>", b'<DANH_SACH_THONG_TIN_KY xmlns:q="urn:x">', 1)),
        ("a default namespace at the root", once(b"<HOC_BA ", b'<HOC_BA xmlns="urn:x" ', 1)),
        ("a prefix at the root", once(b"<HOC_BA ", b'<HOC_BA xmlns:q="urn:x" ', 1)),
        ("a prefix used in the content", once(b"<HO_VA_TEN>", b'<HO_VA_TEN xml:lang="vi">', 1)),
        ("an element with a prefix of the root", once(b"</DU_LIEU_HOC_BA>", b"<xsi:X/></DU_LIEU_HOC_BA>", 1)),
        ("a part with such a prefix", once(b"<NGAY_KY>", b"<xsd:X/><NGAY_KY>", 1)),
        ("such a prefix in a text", once(b"<HO_VA_TEN>", b"<HO_VA_TEN>&lt;xsd:X>", 1)),
        ("an id in single quotes", once(b"<HO_VA_TEN>", b"<HO_VA_TEN Id='data'>", 1)),
        ("an id with a blank", once(b"<HO_VA_TEN>", b'<HO_VA_TEN Id ="data">', 1)),
        ("an id written with a reference", once(b"<HO_VA_TEN>", b'<HO_VA_TEN ID="d&#97;ta">', 1)),
        ("an id on its own line", once(b"<HO_VA_TEN>", b'<HO_VA_TEN\niD="data">', 1)),
        ("an attribute", once(b"<HO_VA_TEN>", b'<HO_VA_TEN evil="1">', 1)),
        ("a forbidden character", once(b"</X509SubjectName>", b"\x01</X509SubjectName>", 1)),
        ("no character at all", once(b"</X509SubjectName>", b"\xef\xbf\xbe</X509SubjectName>", 1)),
        ("a carriage return", once(b"</X509SubjectName>", b"\r</X509SubjectName>", 1)),
        ("a part beside", once(signature, signature + b"<X/>", 1)),
        ("a part with parts beside", once(b"<NGAY_KY>", b"<NGAY_KY><X/>", 1)),
        ("not closed", record[:-12]),
    ]


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_the_edges_of_what_is_taken_out_are_judged_the_same(cast, spelling, school):
    record = cast.record(school, 7, spelling)
    cast.verify(record, school)
    cast.verify(cast.record(school, 8, spelling), school)
    for what, data in one_by_one(record):
        short, full = both_ways(cast, data, school)
        assert short == full, what


ODD = [
    b"\x01",
    b"\x0b",
    b"\x7f",
    b">",
    b"]]>",
    b"\r",
    b"\r\n",
    b"\n",
    b" ",
    b"&#13;",
    b"&gt;",
    b"\xc2\x85",
    b"=",
    b"-",
    b"<x/>",
    b"\xff",
]
LEAVES = [
    b"DigestValue",
    b"SignatureValue",
    b"X509Certificate",
    b"X509SubjectName",
    b"X509SerialNumber",
    b"SigningTime",
]


@pytest.mark.parametrize("spelling", BUILDS)
def test_an_odd_byte_in_any_value_of_a_signature_is_judged_the_same(cast, spelling):
    record = cast.record(0, 7, spelling)
    cast.verify(record)
    assert isinstance(shorten(record), Shortened)
    tried = 0
    for leaf in LEAVES:
        place = re.search(rb"<(?:\w+:)?" + leaf + rb"[^>]*>([^<]+)<", record)
        for at in (place.start(1) + 9, place.end(1)) if place else ():
            for odd in ODD:
                short, full = both_ways(cast, record[:at] + odd + record[at:], 0)
                assert short == full, (leaf, odd)
                tried += 1
    assert tried >= 2 * 4 * len(ODD)


@pytest.mark.parametrize("spelling", BUILDS)
def test_a_carriage_return_is_never_taken_for_a_value(cast, spelling):
    record = cast.record(0, 7, spelling)
    cast.verify(record)
    place = re.search(rb"<(?:\w+:)?DigestValue>", record)
    assert place is not None
    # As a parser hands it on, and not at all where it stands alone: that is another character to a parser.
    broken = shorten(record[: place.end()] + b"\r\n" + record[place.end() :])
    assert broken is None or all(b"\r" not in known.raw for known in broken.known)
    assert shorten(record[: place.end()] + b"\r" + record[place.end() :]) is None


def test_a_signed_element_with_a_prefix_of_the_root_is_refused_both_ways(cast):
    cast.verify(cast.record(0, 7, "dotnet"))
    draft = make_draft(cast.province, cast.pki, cast.province.schools[0], 9, spelling=DOTNET)
    draft.extra = "<xsi:X></xsi:X>"
    data = finish(draft).data
    assert isinstance(shorten(data), Shortened)
    short, full = both_ways(cast, data, 0)
    assert short == full
    assert short["code"] == "NAMESPACE_IN_DATA"


def test_ids_inside_signatures_count(cast):
    """An id of the content that also stands inside a signature is not unique."""
    record = cast.record(0, 7, "xmlsec")
    assert cast.verify(record).passed
    own = re.search(rb' Id="(sig-[a-z-]+)"', record, re.I)
    assert own is not None
    twice = record.replace(b"<HO_VA_TEN>", b'<HO_VA_TEN Id="' + own.group(1) + b'">', 1)
    short, full = both_ways(cast, twice, 0)
    assert short == full
    assert short["indication"] != "TOTAL_PASSED"


def test_a_record_that_the_short_way_leaves_alone_is_read_in_the_whole_tree(cast, monkeypatch):
    record = cast.record(0, 7, "xmlsec")
    assert cast.verify(record).passed
    short = read_record(record)
    assert isinstance(short, Shortened)
    monkeypatch.setattr("signing.verification.verify_short", lambda *_, **__: None)
    report = cast.verify(short)
    assert report.passed
    assert report.root is not None
    assert report.root is not short.root
    assert report.covered["DU_LIEU_HOC_BA"] is report.root.find("DU_LIEU_HOC_BA")


def test_a_declared_encoding_counts_for_what_is_taken_out_too(cast):
    """Bytes of a name in a certificate's subject are not ASCII; without the signatures the rest might be."""
    record = cast.record(0, 7, "xmlsec")
    assert cast.verify(record).passed
    known = read_record(record)
    assert isinstance(known, Shortened)
    plain = b"<HOC_BA><A>a</A>" + next(item.raw for item in known.known if not item.raw.isascii()) + b"</HOC_BA>"
    for name in (b"us-ascii", b"UTF-8", b"utf-8"):
        data = b'<?xml version="1.0" encoding="' + name + b'"?>' + plain
        assert isinstance(shorten(data), Shortened) == (name != b"us-ascii")


def test_what_is_learnt_is_bounded(cast, monkeypatch):
    monkeypatch.setattr(shortening, "_MAX_BUILDS", 2)
    for spelling in BUILDS:
        cast.verify(cast.record(0, 7, spelling))
        assert len(shortening._spellings) <= 2


def test_lines_in_base64_ended_as_windows_does_are_known_too(cast):
    """The bytes hold CR LF inside a value; a parser hands on LF, and that is what was signed."""
    record = cast.record(0, 7, "xmlsec")
    lines = re.sub(
        rb"(<(?:\w+:)?SignatureValue>)([^<]{64})",
        lambda found: found.group(1) + b"\r\n" + found.group(2) + b"\r\n",
        record,
    )
    assert lines != record
    assert cast.verify(lines).passed
    assert isinstance(shorten(lines), Shortened)
    short, full = both_ways(cast, lines, 0)
    assert short == full
    assert short["indication"] == "TOTAL_PASSED"
