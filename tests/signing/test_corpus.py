"""What the coverage-guided runs kept (see `fuzzing`) is replayed: named refusals only, and no forged content."""

from __future__ import annotations

from pathlib import Path

import pytest

import signing
from portal.rehearsal.volumes import SMALL_LAYOUT
from signing.verification.second import agrees, verify_again
from tests.signing.fuzzing import check

FILES = sorted((Path(__file__).parent / "corpus").iterdir())


def test_there_is_a_corpus_and_it_is_small():
    assert len(FILES) > 50
    assert sum(file.stat().st_size for file in FILES) <= 200_000


@pytest.mark.parametrize("part", range(4))
def test_the_corpus_is_judged_by_named_rules(cast, part):
    for file in FILES[part::4]:
        check(file.read_bytes(), signing, SMALL_LAYOUT, cast.trust, cast.now)


def test_both_engines_agree_on_the_corpus(cast):
    for file in FILES:
        data = file.read_bytes()
        first = signing.verify(data, SMALL_LAYOUT, cast.trust, at=cast.now)
        assert agrees(first, verify_again(data, SMALL_LAYOUT, cast.trust, at=cast.now)), file.name
