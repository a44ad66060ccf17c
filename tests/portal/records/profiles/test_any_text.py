"""Whatever stands in a field, the engine gives findings: it neither crashes nor lets an unread value pass."""

import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.records.profiles import RuleContext, registry, values

CONTEXT = RuleContext(today=datetime.date(2025, 6, 30), school_code="1", department_code="99", years=None)
MEAN = st.sampled_from(
    [
        "0000-0001", "9998-9999", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2025-01-01T00:00:00+99:99",
        "01/01/0001", "31/12/9999", "nan", "inf", "-0", "1e3", "٣", "０", "12", "{value}", "{0}", "M", "Đ", "CĐ", "T",
        "Tốt", "000000000000", "999999999999", "\u00a0", "x" * 3000, "T " * 3000, "00", "05", "8.5", "10.0000",
    ]
)  # fmt: skip
TEXT = MEAN | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_no_text_makes_a_rule_crash(which: str, request: pytest.FixtureRequest) -> None:
    fresh = request.getfixturevalue(f"make_{which}")
    name = {"primary": "primary-1.0", "secondary": "secondary-2.0"}[which]
    profile = registry()[name]
    refs = [f"{spec.group}/{spec.tag}" for spec in profile.fields if spec.group != "certificates"]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.dictionaries(st.sampled_from(refs), TEXT, min_size=1, max_size=8))
    def spoil(changes: dict[str, str]) -> None:
        sample: Any = fresh()
        for ref, text in changes.items():
            group, _, tag = ref.partition("/")
            if "/" not in tag or sample.at(group).find(tag) is not None:
                sample.put(ref, "".join(letter for letter in text if letter not in "\ufffe\uffff"))
        findings = profile.examine(sample.parse(), CONTEXT)
        assert "RULE_CRASHED" not in {finding.code for finding in findings}

    spoil()


@pytest.mark.parametrize(
    "earlier, later, after",
    [
        ("2025-05-28T08:00:00+07:00", "2025-05-28T01:00:00Z", False),
        ("2025-05-28T08:00:01+07:00", "2025-05-28T01:00:00Z", True),
        ("2025-05-28T23:00:00+07:00", "28/05/2025", False),
        ("2025-05-29", "28/05/2025", True),
        ("2025-05-28T09:00:00", "2025-05-28T08:00:00+07:00", False),
    ],
)
def test_moments_are_compared_by_the_instant_when_both_say_one(earlier: str, later: str, after: bool) -> None:
    first, second = values.moment(earlier), values.moment(later)
    assert first is not None
    assert second is not None
    assert first.is_after(second) is after


def test_long_texts_do_not_fill_the_memories() -> None:
    before = len(values._moments), len(values._numbers)
    assert values.moment("1" * 1_000_000) is None
    assert values.number("1" * 1_000_000) is None
    assert (len(values._moments), len(values._numbers)) == before


def test_a_memory_is_bounded_and_forgets_no_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "_MEMORY", 10)
    values._numbers.clear()
    for number in range(100):
        assert values.number(str(number)) == number
        assert values.number(f"{number}x") is None
        assert len(values._numbers) <= 10
