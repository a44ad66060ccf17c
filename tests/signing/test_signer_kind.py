"""Who may sign where: a person's certificate does not seal for the school, nor the school's for a person."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import signing
from signing.policy import Severity

SIGNATURE = re.compile(rb"<(?:\w+:)?Signature .*?</(?:\w+:)?Signature>", re.S)


def swapped(record: bytes) -> bytes:
    """The class teacher's signature and the school's, both over the same content, in each other's place."""
    first, _, last = SIGNATURE.findall(record)
    content, region, rest = record.replace(first, b"[1]").replace(last, b"[2]").partition(b"<DANH_SACH_THONG_TIN_KY")
    rest = re.sub(rb"<(NGAY_KY|SO_CCCD)>[^<]*</\1>", b"", rest)  # what stands beside would give it away
    return (content + region + rest).replace(b"[1]", last).replace(b"[2]", first)


@pytest.mark.parametrize("warm", [False, True])
def test_the_signatures_of_a_person_and_of_the_school_cannot_change_places(cast, warm):
    record = cast.record(0, 7, "xmlsec")
    if warm:
        assert cast.verify(record).passed
    report = cast.verify(swapped(record))
    assert not report.passed
    assert "SIGNER_KIND_DIFFERS" in {item.code for item in report.signatures}


def test_a_policy_may_only_warn_of_it(cast):
    data = swapped(cast.record(0, 7, "xmlsec"))
    policy = replace(cast.primary, severities={**cast.primary.severities, "signer_kind": Severity.WARNING})
    report = signing.verify(data, policy, cast.trust, at=cast.now)
    assert report.code == "OK"
    assert {item.code for item in report.warnings} >= {"SIGNER_KIND_DIFFERS"}
