"""The checker notices each way in which a rehearsal can go wrong."""

import pytest

from portal.rehearsal.comparison import compare
from portal.rehearsal.parcels import Entry
from portal.rehearsal.witnesses import Held, Seen

ACCEPTED = Seen("DISPATCHED", 0, (), "ACCEPTED")
REFUSED = Seen("REFUSED", 0, ("F-CODE",), None)


def entry(number: int, *, fault: str | None = None, refused: bool = False) -> Entry:
    return Entry(f"uuid-{number}", f"sha-{number}", "99", "02", fault, refused, "m")


def held(number: int, *, sha256: str = "", effects: int = 1, accepted: bool = True) -> tuple[str, Held]:
    return f"uuid-{number}", Held(sha256 or f"sha-{number}", effects, accepted)


def test_all_is_well_when_all_three_agree() -> None:
    entries = [entry(1), entry(2), entry(3, fault="bad-code", refused=True)]
    seen = [("sha-1", ACCEPTED), ("sha-2", ACCEPTED), ("sha-3", REFUSED)]
    result = compare(entries, seen, dict([held(1), held(2)]))
    assert result.is_clean
    assert (result.handed_in, result.planted, result.admitted, result.refused, result.accepted) == (3, 1, 2, 1, 2)


@pytest.mark.parametrize(
    ("count", "seen", "holdings"),
    [
        ("missing_at_simulator", [("sha-1", ACCEPTED)], []),
        ("missing_at_simulator", [("sha-1", ACCEPTED)], [held(1, accepted=False)]),
        ("twice_at_simulator", [("sha-1", ACCEPTED)], [held(1, effects=2)]),
        ("altered", [("sha-1", ACCEPTED)], [held(1, sha256="other")]),
        ("foreign_at_simulator", [("sha-1", ACCEPTED)], [held(1), held(9)]),
        ("unknown_to_portal", [], [held(1)]),
        ("refused_unplanned", [("sha-1", REFUSED)], []),
    ],
)
def test_what_went_wrong_is_counted_with_an_example(
    count: str, seen: list[tuple[str, Seen]], holdings: list[tuple[str, Held]]
) -> None:
    result = compare([entry(1)], seen, dict(holdings))
    assert getattr(result, count) == 1
    assert result.examples[count]
    assert not result.is_clean


def test_a_planted_breach_that_got_through_is_counted() -> None:
    result = compare([entry(1, fault="bad-code", refused=True)], [("sha-1", ACCEPTED)], dict([held(1)]))
    assert result.planted_not_refused == 1
    assert not result.is_clean


def test_a_planted_breach_that_spoiled_its_whole_file_counts_as_refused() -> None:
    result = compare([entry(1, fault="comment-in-value", refused=True)], [], {})
    assert (result.refused, result.unknown_to_portal) == (1, 0)
    assert result.is_clean


def test_a_warning_that_was_not_given_is_counted() -> None:
    result = compare([entry(1, fault="total")], [("sha-1", ACCEPTED)], dict([held(1)]))
    assert result.planted_not_warned == 1
    told = Seen("DISPATCHED", 1, ("F-TOTAL",), "ACCEPTED")
    assert compare([entry(1, fault="total")], [("sha-1", told)], dict([held(1)])).planted_not_warned == 0


def test_a_rejection_by_the_repository_is_not_clean() -> None:
    result = compare([entry(1)], [("sha-1", Seen("DISPATCHED", 0, (), "REJECTED"))], dict([held(1, accepted=False)]))
    assert result.rejected == 1
    assert not result.is_clean
