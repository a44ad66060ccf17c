"""Third-party vectors: signatures, certificates (NIST path validation), XML attacks, archives, by their index.

The folder is HOCBA_VECTORS, or `shared/vectors` beside the checkout; where it is not at hand the tests say so and skip.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signing.vectors import Outcome, run_vectors
from signing.vectors.index import read_index

FOLDER = Path(os.environ.get("HOCBA_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")
pytestmark = [
    pytest.mark.skipif(not (FOLDER / "INDEX.tsv").is_file(), reason=f"no vectors at {FOLDER} (set HOCBA_VECTORS)"),
    pytest.mark.xdist_group("vectors"),
    # Some vectors carry certificates with odd serial numbers, which the library only remarks upon.
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return list(run_vectors(FOLDER, at=datetime(2026, 11, 1, tzinfo=UTC)))


def test_every_file_of_the_index_is_judged_and_none_disagrees(outcomes):
    assert len(outcomes) == sum(line.expected != "material" for line in read_index(FOLDER))
    assert [item for item in outcomes if not item.agrees] == []
    assert len(outcomes) > 800


def test_no_file_that_must_fail_passes_and_none_crashes(outcomes):
    assert [item.path for item in outcomes if item.expected == "invalid" and item.got == "valid"] == []
    assert [item.path for item in outcomes if item.got == "error"] == []


@pytest.mark.parametrize(
    ("folder", "at_least", "verdicts"),
    [("pki-pkits", 100, {"valid", "invalid"}), ("zip-go", 10, {"valid"}), ("own-xsw", 10, {"invalid"})],
)
def test_the_large_sets_are_really_judged(outcomes, folder, at_least, verdicts):
    """Not all put aside as unsupported."""
    mine = [item for item in outcomes if item.path.startswith(folder + "/")]
    assert len(mine) >= at_least
    assert verdicts <= {item.got for item in mine}


def test_whatever_is_unsupported_says_why(outcomes):
    assert all(item.code and item.reason for item in outcomes if item.got == "unsupported")
