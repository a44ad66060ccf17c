"""The benchmark: who is measured, what the goals say, and what happens where python-xmlsec cannot be had."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from portal.rehearsal.bench_corpora import make_corpora, make_design_sample
from portal.rehearsal.bench_engines import as_documented, ours
from portal.rehearsal.bench_signing import bench, goals
from portal.rehearsal.xmlsec_beside import FORMS, NotAvailable, beside, packages_of_lock
from signing.verification.floor import Floor


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return packages_of_lock(tmp_path_factory.mktemp("bench"))
    except NotAvailable as error:
        pytest.skip(f"python-xmlsec: {error}")


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.mark.usefixtures("no_packages")
def test_without_packages_the_others_are_measured_and_the_reason_is_told(tmp_path):
    result = bench(var=tmp_path, records=2, slices=1)
    assert "deploy/bench.lock" in result["not_run"]["python_xmlsec"]
    assert set(result["primary"]["microseconds"]) >= {"floor", "ours", "second_engine"}
    assert "signxml_as_documented" in result["design_sample"]["microseconds"]
    assert not any("python_xmlsec" in line["goal"] for line in result["goals"])
    assert {line["files"] for line in result["goals"]} == set(result) - {"goals", "not_run"}
    assert not list((tmp_path / "bench").iterdir()), "nothing half-made is left"


def test_python_xmlsec_verifies_every_kind_of_record_in_both_forms(tmp_path, packages):
    for corpus in (*make_corpora(2, tmp_path), make_design_sample(2, tmp_path)):
        with beside(corpus, packages=packages) as turns:
            assert all(turns(form)(0) > 0 for form in FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_python_xmlsec_gives_no_figure_for_a_damaged_record(tmp_path, packages, form):
    corpus = make_corpora(1, tmp_path)[0]
    damaged = corpus.records[0].replace(b"<DAN_TOC>", b"<DAN_TOC> ", 1)
    assert damaged != corpus.records[0]
    with beside(dataclasses.replace(corpus, records=(damaged,)), packages=packages) as turns:  # noqa: SIM117
        with pytest.raises(NotAvailable):
            turns(form)(0)


def test_the_packages_are_made_once_per_lock(packages, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert packages_of_lock(packages.parent) == packages


def test_the_sample_of_the_design_has_four_signatures_and_its_size(tmp_path):
    corpus = make_design_sample(3, tmp_path)
    assert len(corpus.records) == 3
    floor, verify, documented = Floor(corpus.records), ours(corpus), as_documented(corpus, tmp_path)
    for data in corpus.records:
        assert floor.signatures(data) == 4
        assert 40_000 < len(data) < 44_000
        verify(data)
        documented(data)


def test_a_goal_says_what_was_wanted_and_whether_it_is_reached():
    figures = {
        "ours_is_faster_by": {
            "floor": 0.5,
            "ours": 1.0,
            "signxml_as_documented": 10.0,
            "python_xmlsec_with_chain": 2.4,
        },
        "times_floor": {"ours": 1.31},
    }
    lines = {line["goal"]: (line["wanted"], line["measured"], line["reached"]) for line in goals("primary", figures)}
    assert lines == {
        "faster_than_signxml_as_documented": (">= 10", 10.0, True),
        "faster_than_python_xmlsec_with_chain": (">= 2.5", 2.4, False),
        "times_floor": ("<= 1.3", 1.31, False),
    }
