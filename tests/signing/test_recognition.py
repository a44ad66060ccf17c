"""Signatures of a known build: the short way and the full way give the same report, byte for byte."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from random import Random

import pytest

from portal.rehearsal.attacks import attacks
from portal.rehearsal.records import make_record
from portal.rehearsal.spelling import SPELLINGS
from signing.verification import recognition
from signing.verification.digests import cut_parts, declarations
from signing.xml import parse

BUILDS = [item.name for item in SPELLINGS]


@pytest.fixture(autouse=True)
def nothing_taken_out(monkeypatch):
    """These tests are about the tree; tests/signing/test_shortening.py is about the bytes."""
    monkeypatch.setattr("signing.verification.shorten", lambda _: None)


def both_ways(cast, data: bytes, school: int) -> tuple[dict, dict]:
    """Report with all that was learnt so far, and report with nothing known."""
    short = cast.verify(data, school)
    kept = dict(recognition._builds)
    recognition.forget()
    full = cast.verify(data, school)
    recognition._builds.update(kept)
    return short.to_json(), full.to_json()


def values_changed(record: bytes, random: Random) -> bytes:
    """Another character in one value inside a signature: an id, a digest, a certificate, a time."""
    places = [match.start() for match in re.finditer(rb"[A-Za-z0-9+/=:#-](?=[^<>]*<)", record)]
    start = record.index(b"DANH_SACH_THONG_TIN_KY")
    place = random.choice([item for item in places if item > start])
    return record[:place] + bytes([random.choice(b"A0zb9=+/ #-:\t&\n'")]) + record[place + 1 :]


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_a_known_build_is_recognised_and_judged_the_same(cast, spelling, school):
    recognition.forget()
    assert cast.verify(cast.record(school, 7, spelling), school).passed
    learnt = len(recognition._builds)
    assert learnt
    for number in (8, 9, 12):
        short, full = both_ways(cast, cast.record(school, number, spelling), school)
        assert short == full
        assert short["indication"] == "TOTAL_PASSED"
    assert len(recognition._builds) == learnt, "the same program's signatures are one build"


@pytest.mark.parametrize("spelling", BUILDS)
@pytest.mark.parametrize("school", [0, 1])
def test_attacks_are_judged_the_same_both_ways(cast, spelling, school):
    record = cast.record(school, 7, spelling)
    cast.verify(record, school)
    random = Random(3)
    mutants = [data for _, data in attacks(record, seed=3, share=0.0015 if school else 0.01)]
    mutants += [values_changed(record, random) for _ in range(60)]
    for data in mutants:
        short, full = both_ways(cast, data, school)
        assert short == full


def test_canonical_forms_with_holes_are_those_of_the_tree(cast):
    for spelling in BUILDS:
        cast.verify(cast.record(1, 7, spelling), 1)
        root = parse(cast.record(1, 9, spelling)).root
        for signature in root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature"):
            source = recognition._source(signature)
            assert source is not None
            apart = recognition.take_apart(source)
            build = recognition._builds[apart[0]]
            info = recognition.canonical_bytes(signature[0], exclusive="exc" in signature[0][0].get("Algorithm", ""))
            assert recognition._fill(build.signed_info, apart[1]) == info


def test_canonical_forms_of_parts_are_cut_as_the_tree_has_them(cast):
    for spelling in BUILDS:
        main = parse(cast.record(1, 7, spelling)).root.find("DU_LIEU_HOC_BA")
        assert main is not None
        for exclusive in (True, False):
            form = recognition.canonical_bytes(main, exclusive=exclusive)
            for tag in ("THONG_TIN_HOC_BA", "DIEM_TONG_KET", "TEN_MON_HOC", "GVBM"):
                parts = cut_parts(form, main, tag, declarations(form))
                assert parts.keys() == set(main.iter(tag))
                for element, data in parts.items():
                    assert data == recognition.canonical_bytes(element, exclusive=exclusive)


@pytest.mark.parametrize(
    "text",
    [
        "<D><P><P>1</P></P></D>",  # one inside another
        '<D><P xmlns:x="urn:x">1</P></D>',  # declared below
        "<D><P>xmlns</P></D>",  # looks like it
    ],
)
def test_parts_are_not_cut_where_it_is_not_certain(text):
    main = parse(text.encode()).root
    form = recognition.canonical_bytes(main, exclusive=False)
    assert cut_parts(form, main, "P", declarations(form)) == {}


def test_a_time_in_no_namespace_is_judged_by_a_rule_whatever_carrier_is_named(cast):
    plain = next(item for item in SPELLINGS if item.plain_properties)
    school = cast.province.schools[0]
    for target in ("Object", "SignatureProperties", "SignatureProperty"):
        data = make_record(cast.province, cast.pki, school, 7, spelling=replace(plain, time_target=target)).data
        recognition.forget()
        # The generator writes the right canonical text for the Object only; the others are refused by a rule.
        assert cast.verify(data).code == ("OK" if target == "Object" else "DIGEST_MISMATCH")


def test_names_that_begin_alike_and_odd_values_are_cut_right():
    text = """<R xmlns:b="urn:b"><D a="&lt;P&gt; >"><PQ>1</PQ><P b="x>y">&lt;/P&gt;</P><P/><P-Q/><P.Q/></D></R>"""
    main = parse(text.encode()).root[0]
    for exclusive in (True, False):
        form = recognition.canonical_bytes(main, exclusive=exclusive)
        parts = cut_parts(form, main, "P", declarations(form))
        assert len(parts) == 2
        for element, data in parts.items():
            assert data == recognition.canonical_bytes(element, exclusive=exclusive)


def test_the_digest_of_the_content_is_that_of_its_exclusive_form(cast):
    for spelling in BUILDS:
        report = cast.verify(cast.record(0, 7, spelling))
        form = recognition.canonical_bytes(report.covered["DU_LIEU_HOC_BA"], exclusive=True)
        assert report.content_digest == hashlib.sha256(form).hexdigest()


def test_what_is_learnt_is_bounded(cast, monkeypatch):
    monkeypatch.setattr(recognition, "_MAX_BUILDS", 2)
    recognition.forget()
    for spelling in BUILDS:
        cast.verify(cast.record(0, 7, spelling))
        assert len(recognition._builds) <= 2
