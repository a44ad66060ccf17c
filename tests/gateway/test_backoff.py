"""When to try again: pure functions, with the promises they make for every input."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import backoff

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@given(failures=st.integers(0, 10_000), seed=st.integers())
def test_a_delay_never_passes_its_ceiling_and_never_gives_up(failures: int, seed: int) -> None:
    delay = backoff.retry_delay(failures, first=5.0, longest=3600.0, rng=Random(seed))
    assert 0.5 <= delay <= 3600.0


def test_delays_grow_and_are_spread_over_their_whole_range() -> None:
    rng = Random(1)
    early = [backoff.retry_delay(1, first=5.0, longest=3600.0, rng=rng) for _ in range(500)]
    late = [backoff.retry_delay(20, first=5.0, longest=3600.0, rng=rng) for _ in range(500)]
    assert max(early) <= 5.0
    assert min(late) < 300 < 3300 < max(late)


def test_the_first_questions_come_fast_and_later_ones_grow_rarer() -> None:
    first = [1.0, 1.0, 2.0]
    delays = [backoff.poll_delay(polls, first=first, factor=2.0, longest=60.0, rng=Random(1)) for polls in range(12)]
    assert delays[:3] == first
    assert all(delay <= 66.0 for delay in delays)
    assert delays[-1] > 50


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("99999999999", 3600.0),
        ("Mon, 01 Jun 2026 12:02:00 GMT", 120.0),
        ("Mon, 01 Jun 2099 12:02:00 GMT", 3600.0),
        ("Mon, 01 Jun 2020 12:02:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("١٢", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_cut_where_absurd(header: str | None, seconds: float | None) -> None:
    assert backoff.retry_after(header, now=NOW, longest=3600.0) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_header_breaks_us(header: str) -> None:
    found = backoff.retry_after(header, now=NOW, longest=10.0)
    assert found is None or 0 <= found <= 10


def test_a_delay_is_added_to_the_time_handed_in() -> None:
    from gateway.outcomes import after

    assert after(NOW, 1.5) == NOW + timedelta(seconds=1.5)
