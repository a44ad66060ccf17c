"""Two engines, one verdict: also on mutated records."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import signing
from portal.rehearsal.attacks import attacks
from portal.rehearsal.records import make_record
from portal.rehearsal.spelling import SPELLINGS
from signing.algorithms import AlgorithmPolicy
from signing.keys.software import SoftwareKey
from signing.presets import LIST_POLICY
from signing.sealing import SealProfile, seal
from signing.verification.second import agrees, verify_again


@pytest.mark.parametrize("spelling", [item.name for item in SPELLINGS])
def test_what_the_fast_engine_accepts_the_second_accepts_too(cast, spelling):
    record = cast.record(0, spelling=spelling)
    first = cast.verify(record)
    second = verify_again(record, cast.primary, cast.trust, at=cast.now)
    assert (first.passed, second.passed) == (True, True)
    assert agrees(first, second)
    for name, data in attacks(record, seed=5, share=0.0008):
        assert agrees(cast.verify(data), verify_again(data, cast.primary, cast.trust, at=cast.now)), name


@pytest.mark.parametrize("kind", ["XMLDSIG", "XADES_B"])
@pytest.mark.parametrize("c14n", ["exclusive", "inclusive"])
@pytest.mark.parametrize("reference", ["id", "whole"])
def test_both_engines_take_the_seal_around_a_list(cast, kind, c14n, reference):
    """Its signature stands in what it covers, beside the signing time that it covers too."""
    department = cast.pki.department
    key = SoftwareKey(department.certificate.public_bytes(Encoding.DER), (), department.key)
    plain = b'<DANH_SACH_HOC_BA id="l"><HOC_BA/>\n</DANH_SACH_HOC_BA>'
    profile = SealProfile(kind=kind, c14n=c14n, reference=reference)
    sealed = seal(plain, key=key, profile=profile, at=datetime(2026, 6, 1, tzinfo=UTC))
    policy = replace(LIST_POLICY, revocation="off")
    for data, passes in ((sealed, True), (sealed.replace(b"<HOC_BA/>", b"<HOC_BA></HOC_BA><HOC_BA/>"), False)):
        first = signing.verify(data, policy, cast.trust, at=cast.now)
        second = verify_again(data, policy, cast.trust, at=cast.now)
        assert (first.passed, second.passed) == (passes, passes)
        assert agrees(first, second)


def test_the_second_engine_does_not_work_for_a_thousand_references_or_transforms(cast):
    record = cast.record(0).decode()
    start, end = record.index("<Reference"), record.index("</Reference>") + len("</Reference>")
    reference = record[start:end]
    one = '<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    transformed = re.sub("(?s)<Transforms>.*</Transforms>", "", reference)
    transformed = transformed.replace("<DigestMethod", f"<Transforms>{one * 1000}</Transforms><DigestMethod", 1)
    for many in (reference * 1000, transformed):
        data = record[:start] + many + record[end:]
        found = verify_again(data.encode(), cast.primary, cast.trust, at=cast.now)
        assert (found.passed, found.code) == (False, "REFERENCE_TOO_MANY")


def test_both_engines_take_old_records_with_sha1_where_the_policy_does_and_only_until_then(cast):
    spelling = replace(SPELLINGS[0], name="old", digest="sha1")
    record = make_record(cast.province, cast.pki, cast.province.schools[0], 7, spelling=spelling).data
    signed = [item.signing_time for item in cast.verify(cast.record(0, 7)).signatures]
    day = timedelta(days=1)
    limits = ((None, False), (min(signed) - day, False), (max(signed) + day, True), (None, False))
    for until, passes in limits:
        policy = replace(cast.primary, algorithms=AlgorithmPolicy(sha1_until=until))
        for _ in range(2):  # the build is new, then known
            first = signing.verify(record, policy, cast.trust, at=cast.now)
            second = verify_again(record, policy, cast.trust, at=cast.now)
            assert (first.passed, second.passed) == (passes, passes)
            assert agrees(first, second)
