"""No forged record is ever accepted: a seeded sample of every wrapping permutation, in every spelling."""

from __future__ import annotations

import pytest

import signing
from portal.rehearsal.attacks import attacks
from portal.rehearsal.spelling import SPELLINGS
from signing.xml import canonical_bytes


def content(report: signing.Report) -> dict[str, bytes]:
    """What a reader would get."""
    return {path: canonical_bytes(element) for path, element in report.covered.items()}


@pytest.mark.parametrize("school", [0, 1])
@pytest.mark.parametrize("spelling", [item.name for item in SPELLINGS])
def test_no_forgery_is_accepted(cast, spelling, school):
    record = cast.record(school, spelling=spelling)
    genuine = content(cast.verify(record, school))
    assert genuine
    tried = 0
    for name, data in attacks(record, seed=school, share=0.002 if school else 0.02):
        report = cast.verify(data, school)
        tried += 1
        assert not report.passed or content(report) == genuine, name
        assert report.code != "UNFORESEEN", name
    assert tried > 50
