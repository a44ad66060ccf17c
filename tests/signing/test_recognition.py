"""Signatures of a known build: the short way and the full way give the same report, byte for byte."""

from __future__ import annotations

import re
from random import Random

import pytest

from portal.rehearsal.spelling import SPELLINGS
from signing.verification import recognition
from signing.xml import parse
from tests.signing.attacks import attacks

BUILDS = [item.name for item in SPELLINGS]


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
            apart = recognition._take_apart(signature)
            assert apart is not None
            build = recognition._builds[apart[0]]
            info = recognition.canonical_bytes(signature[0], exclusive="exc" in signature[0][0].get("Algorithm", ""))
            assert recognition._fill(build.signed_info, apart[1]) == info


def test_what_is_learnt_is_bounded(cast, monkeypatch):
    monkeypatch.setattr(recognition, "_MAX_BUILDS", 2)
    recognition.forget()
    for spelling in BUILDS:
        cast.verify(cast.record(0, 7, spelling))
        assert len(recognition._builds) <= 2
