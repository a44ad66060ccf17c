"""Two engines, one verdict: also on mutated records."""

from __future__ import annotations

import pytest

from portal.rehearsal.attacks import attacks
from portal.rehearsal.spelling import SPELLINGS
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
