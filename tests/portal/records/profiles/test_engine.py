"""The engine around the rules: crashes refuse, corrections name who signs again, findings survive the database."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.records.profiles import Finding, Profile, RuleContext, Severity, registry, rulebook
from portal.records.profiles.rules import Case, Rule
from signing import xml

PAGE = Path(__file__).parents[4] / "docs" / "quy-tac.md"


def crashing(case: Case) -> list[Any]:
    raise RuntimeError("planted")


def with_rule(profile: Profile, check: Any) -> Profile:
    planted = Rule(
        id="X-PLANTED", title="Quy tắc hỏng", code="X", severity=Severity.WARNING, source="-", message="{value}",
        advice="-", when=None, resign=None, check=check,
    )  # fmt: skip
    return replace(profile, rules=(planted, *profile.rules))


def test_a_rule_that_crashes_refuses_the_record_and_names_itself(primary: Any, context: RuleContext) -> None:
    profile = with_rule(primary.profile, crashing)
    primary.put("general/GIOI_TINH", "Nam")
    findings = profile.examine(primary.parse(), context)
    assert [(finding.code, finding.severity) for finding in findings] == [
        ("RULE_CRASHED", Severity.ERROR),
        ("F-CCCD-SEX", Severity.WARNING),
    ]
    assert findings[0].rule == "X-PLANTED"
    assert "X-PLANTED" in findings[0].message


def test_a_rule_that_crashes_half_way_refuses_the_record(primary: Any, context: RuleContext) -> None:
    def half(case: Case) -> Any:
        yield from ()
        raise KeyError("planted")

    findings = with_rule(primary.profile, half).examine(primary.parse(), context)
    assert [finding.code for finding in findings] == ["RULE_CRASHED"]


def test_a_walk_that_crashes_refuses_the_record(primary: Any, context: RuleContext) -> None:
    class Broken:
        text = None

        def __iter__(self) -> Any:
            raise RuntimeError("planted")

    findings = primary.profile.examine(Broken(), context)
    assert [(finding.code, finding.severity) for finding in findings] == [("RULE_CRASHED", Severity.ERROR)]


def test_a_crash_writes_no_data_of_the_child_to_the_log(
    primary: Any, context: RuleContext, caplog: pytest.LogCaptureFixture
) -> None:
    def telling(case: Case) -> list[Any]:
        raise ValueError(case.reading.values("general")["HO_VA_TEN"])

    with_rule(primary.profile, telling).examine(primary.parse(), context)
    assert "X-PLANTED" in caplog.text
    assert "Nguyễn Thị Mẫu" not in caplog.text


@pytest.mark.parametrize(
    "ref, roles",
    [
        ("subjects/DIEM_CA_NAM", ("GVBM", "GVCN", "CBQL", "KY_PHAT_HANH")),
        ("subjects/GVBM/SO_CCCD", ("GVBM", "GVCN", "CBQL", "KY_PHAT_HANH")),
        ("general/SO_CCCD", ("GVCN", "CBQL", "KY_PHAT_HANH")),
        ("summary/NHAN_XET_GVCN", ("GVCN", "CBQL", "KY_PHAT_HANH")),
        ("sign_gvcn/NGAY_KY", ()),
    ],
)
def test_a_finding_says_who_must_sign_again(ref: str, roles: tuple[str, ...], secondary: Any, examine: Any) -> None:
    secondary.put(ref, " ")
    (finding,) = (finding for finding in examine(secondary) if finding.code == "F-EMPTY")
    assert finding.resign == roles


def test_a_finding_says_where_it_is(secondary: Any, examine: Any) -> None:
    secondary.put("subjects/DIEM_CA_NAM", "11", 1)
    (finding,) = (finding for finding in examine(secondary) if finding.code == "F-MARK")
    assert finding.field == "DU_LIEU_HOC_BA/THONG_TIN_HOC_BA/TONG_KET/BANG_DIEM/DIEM_TONG_KET/DIEM_CA_NAM"
    assert (finding.field_title, finding.value, finding.position) == ("Điểm cả năm", "11", 2)
    assert "dòng 2 (Ngữ văn)" in finding.message
    assert finding.line == 1


def test_a_long_value_is_cut_in_the_finding(primary: Any, examine: Any) -> None:
    primary.put("general/HO_VA_TEN", "a" * 500)
    assert examine(primary)[0].value == "a" * 80


def test_a_value_with_braces_is_told_as_it_stands(primary: Any, examine: Any) -> None:
    primary.put("general/GIOI_TINH", "{limit} {0}")
    assert "“{limit} {0}”" in examine(primary)[0].message


def test_a_finding_survives_the_database(primary: Any, examine: Any) -> None:
    primary.put("general/SO_CCCD", "12")
    for finding in examine(primary):
        assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_errors_come_first_and_all_are_told_at_once(primary: Any, examine: Any) -> None:
    primary.put("general/TEN_LOP", "4 chuyên Toán A")
    primary.put("general/SO_CCCD", "12")
    primary.put("general/CAN_NANG", "x")
    primary.drop("summary/NHAN_XET_GVCN")
    findings = examine(primary)
    assert {finding.code for finding in findings} == {"F-LONG", "F-CCCD", "F-NUMBER", "F-REQUIRED"}
    assert [finding.is_error for finding in findings] == [True, True, True, False]


def test_a_flood_of_breaches_stays_bounded(primary: Any, examine: Any) -> None:
    data = b"<HOC_BA><DU_LIEU_HOC_BA><THONG_TIN_CHUNG>" + b"<LA>1</LA>" * 5000
    root = xml.parse(data + b"</THONG_TIN_CHUNG></DU_LIEU_HOC_BA></HOC_BA>").root
    context = RuleContext(
        today=__import__("datetime").date(2025, 1, 1), school_code="1", department_code="1", years=None
    )
    findings = primary.profile.examine(root, context)
    assert len(findings) == 300
    assert findings[0].is_error


def test_an_empty_record_is_refused(primary: Any, secondary: Any, context: RuleContext) -> None:
    root = xml.parse(b"<HOC_BA/>").root
    for sample in (primary, secondary):
        findings = sample.profile.examine(root, context)
        assert {finding.code for finding in findings} == {"F-GROUP-MISSING"}
        assert all(finding.is_error for finding in findings)


@pytest.mark.parametrize(
    "marks, name",
    [
        (("02", "1.0", "27/2020/TT-BGDĐT"), "primary-1.0"),
        (("02", "1.0", "27"), "primary-1.0"),
        (("02", "1.0", "  27/2020/tt-bgdđt "), "primary-1.0"),
        (("03", "2.0", "22/2021/TT-BGDĐT"), "secondary-2.0"),
        (("04", "2.0", "22/2021"), "secondary-2.0"),
        (("02", "2.0", "27/2020"), None),
        (("05", "1.0", "27/2020"), None),
        (("02", "1.0", "22/2021"), None),
        (("02", "1.0", None), None),
    ],
)
def test_the_three_marks_choose_the_profile(marks: tuple[Any, Any, Any], name: str | None) -> None:
    found = registry().find(*marks)
    assert (found.name if found else None) == name


def test_the_page_of_rules_is_the_one_the_engine_runs() -> None:
    assert PAGE.read_text(encoding="utf-8") == rulebook(), "docs/quy-tac.md is out of date: write rulebook() to it"
