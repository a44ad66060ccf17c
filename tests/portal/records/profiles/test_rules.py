"""Every rule of both profiles and every check of a single field, with what breaks it and what does not."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portal.records.profiles import RuleContext, Severity, registry

Spoil = Callable[[Any], None]


def put(ref: str, text: str, row: int = 0) -> Spoil:
    return lambda sample: sample.put(ref, text, row)


def drop(ref: str, row: int = 0) -> Spoil:
    return lambda sample: sample.drop(ref, row)


def twice(ref: str) -> Spoil:
    def spoil(sample: Any) -> None:
        found = sample.at(ref)
        parent = next(element for element in sample.root.iter() if found in list(element))
        parent.append(found)

    return spoil


def child(ref: str, tag: str) -> Spoil:
    return lambda sample: ET.SubElement(sample.at(ref), tag).__setattr__("text", "1")


def text_in(ref: str, text: str) -> Spoil:
    return lambda sample: sample.at(ref).__setattr__("text", text)


def all_rows(ref: str, text: str) -> Spoil:
    def spoil(sample: Any) -> None:
        key, _, tag = ref.partition("/")
        for row in sample.root.findall(sample.profile.groups[key].path):
            found = row.find(tag)
            if found is not None:
                found.text = text

    return spoil


def both(*spoils: Spoil) -> Spoil:
    def spoil(sample: Any) -> None:
        for one in spoils:
            one(sample)

    return spoil


# What is spoilt → exactly the codes that must be told. P: primary, S: secondary.
CHECKS: list[tuple[str, Spoil, set[str]]] = [
    ("P", drop("general/HO_VA_TEN"), {"F-REQUIRED"}),
    ("P", drop("general/TEN_QUAN_HUYEN"), {"F-REQUIRED"}),
    ("P", drop("subjects/MUC_DAT_DUOC"), {"F-REQUIRED"}),
    ("P", drop("history/TEN_LOP"), {"F-REQUIRED"}),
    ("P", drop("sign_cbql/NGAY_KY"), {"F-REQUIRED"}),
    ("S", drop("subjects/GVBM/HO_VA_TEN", 3), {"F-REQUIRED"}),
    ("S", drop("subjects/GVBM/SO_CCCD", 3), {"F-REQUIRED"}),
    ("S", drop("subjects/GVBM", 3), {"F-REQUIRED"}),
    ("S", drop("summary/KET_QUA_REN_LUYEN_CA_NAM"), {"F-REQUIRED"}),
    ("P", drop("qualities"), {"F-GROUP-MISSING"}),
    ("P", drop("sign_cbql"), {"F-GROUP-MISSING"}),
    ("S", drop("sign_gvcn"), {"F-GROUP-MISSING"}),
    ("P", drop("history"), {"F-GROUP-MISSING"}),
    ("P", twice("general"), {"F-GROUP-TWICE"}),
    ("P", twice("summary"), {"F-GROUP-TWICE"}),
    ("S", twice("subjects/GVBM"), {"F-GROUP-TWICE"}),
    ("P", put("general/HO_VA_TEN", ""), {"F-EMPTY"}),
    ("P", put("general/HO_VA_TEN_CHA", "  \n"), {"F-EMPTY"}),
    ("P", twice("general/HO_VA_TEN"), {"F-DUPLICATE"}),
    ("S", twice("subjects/GVBM/SO_CCCD"), {"F-DUPLICATE"}),
    ("P", child("general/HO_VA_TEN", "X"), {"F-STRUCTURE"}),
    ("P", text_in("general", "chữ lạc"), {"F-STRUCTURE"}),
    ("P", lambda sample: setattr(sample.at("general/HO_VA_TEN"), "tail", "chữ lạc"), {"F-STRUCTURE"}),
    ("P", put("general/CHUC_NANG_LA", "1"), {"F-UNKNOWN-TAG"}),
    ("S", put("summary/HANH_KIEM", "Tốt"), {"F-UNKNOWN-TAG"}),
    ("P", put("general/{urn:la}HO_VA_TEN", "A"), {"F-FOREIGN"}),
    ("P", child("general", "{http://www.w3.org/2000/09/xmldsig#}Signature"), {"F-FOREIGN"}),
    ("P", child("sign_cbql", "{http://www.w3.org/2000/09/xmldsig#}Signature"), set()),
    ("P", put("general/HO_VA_TEN", "Nguye\u0302\u0303n"), {"F-NOT-NFC"}),
    ("P", put("general/HO_VA_TEN", "Mẫu \u202eab"), {"F-CONTROL"}),
    ("P", put("summary/NHAN_XET_GVCN", "Dòng một\nDòng hai\tcột"), set()),
    ("P", put("summary/NHAN_XET_GVCN", "đ" * 2001), {"F-TOO-LONG"}),
    ("P", put("summary/NHAN_XET_GVCN", "đ" * 2000), set()),
    ("P", put("qualities/NHAN_XET_PHAM_CHAT", "đ" * 501), {"F-TOO-LONG"}),
    ("P", put("general/TEN_LOP", "4 chuyên Toán"), {"F-LONG"}),
    ("P", put("general/MA_HOC_SINH", "99 01"), {"F-TOKEN"}),
    ("P", put("general/MA_HOC_SINH", "9" * 21), {"F-TOO-LONG"}),
    ("P", put("general/MA_HOC_SINH", "99#1"), {"F-PATTERN"}),
    ("P", put("general/CAN_NANG", "30,5"), {"F-NUMBER"}),
    ("P", put("general/CAN_NANG", "30.12345"), {"F-NUMBER"}),
    ("P", put("general/CAN_NANG", "3e1"), {"F-NUMBER"}),
    ("P", put("general/CAN_NANG", "30.1234"), set()),
    ("P", put("general/CAN_NANG", "0.5"), {"F-RANGE"}),
    ("P", put("general/CAN_NANG", "301"), {"F-RANGE"}),
    ("P", put("general/CHIEU_CAO", "9"), {"F-RANGE"}),
    ("P", put("general/TONG_SO_BUOI_NGHI_CO_PHEP", "201"), {"F-RANGE"}),
    ("P", put("general/TONG_SO_BUOI_NGHI_CO_PHEP", "200"), set()),
    ("P", put("subjects/DIEM_KIEM_TRA_DINH_KY", "9.5"), {"F-MARK"}),
    ("P", put("subjects/DIEM_KIEM_TRA_DINH_KY", "11"), {"F-MARK"}),
    ("S", put("subjects/DIEM_CA_NAM", "8.25"), {"F-MARK"}),
    ("S", put("subjects/DIEM_CA_NAM", "Tốt"), {"F-MARK"}),
    ("P", put("general/NGAY_SINH", "02/03/2015"), set()),
    ("P", put("general/NGAY_SINH", "2015-03-02T00:00:00+07:00"), set()),
    ("P", put("general/NGAY_SINH", "2015-03-02T00:00:00Z"), set()),
    ("P", put("general/NGAY_SINH", "31/02/2015"), {"F-DATE"}),
    ("P", put("general/NGAY_SINH", "2/3/2015"), {"F-DATE"}),
    ("P", put("general/NGAY_SINH", "2015"), {"F-DATE"}),
    ("P", put("sign_cbql/NGAY_KY", "hôm qua"), {"F-DATE"}),
    ("P", put("general/MA_TRA_CUU_UUID", "3B241101-E2BB-4255-8CAF-4136C566A962"), set()),
    ("P", put("general/MA_TRA_CUU_UUID", "3b241101-e2bb-1255-8caf-4136c566a962"), {"F-UUID"}),
    ("P", put("general/MA_TRA_CUU_UUID", "3b241101e2bb42558caf4136c566a962"), {"F-UUID"}),
    ("P", put("general/SO_CCCD", "09931500000"), {"F-CCCD"}),
    ("P", put("general/SO_CCCD", "09931500000३"), {"F-CCCD"}),
    ("P", put("general/TEN_NAM_HOC", "2024-2026"), {"F-YEAR", "F-WRONG-YEAR", "F-YEAR-DIFFERS"}),
    ("P", put("summary/DUOC_LEN_LOP", "Có lẽ"), {"F-FLAG", "F-PROMOTION"}),
    ("P", put("general/GIOI_TINH", "Khác"), {"F-CODE"}),
    ("P", put("subjects/MUC_DAT_DUOC", "X"), {"F-CODE"}),
    ("P", put("subjects/MUC_DAT_DUOC", "hoàn thành tốt"), set()),
    ("P", put("subjects/MA_MON_HOC", "999"), {"F-CODE", "F-SUBJECT-MISSING"}),
    ("P", put("qualities/NANG_LUC_NGON_NGU", "Tốt"), set()),
    ("S", put("summary/KET_QUA_HOC_TAP_CA_NAM", "Tốt"), set()),
    ("S", put("summary/KET_QUA_HOC_TAP_CA_NAM", "X"), {"F-CODE"}),
]

RULES: list[tuple[str, Spoil, set[str]]] = [
    ("B-SCHOOL", put("general/MA_TRUONG", "99001002"), {"F-WRONG-SCHOOL"}),
    ("B-DEPARTMENT", put("general/MA_SO_GIAO_DUC", "98"), {"F-WRONG-DEPARTMENT"}),
    ("B-YEAR", both(put("general/TEN_NAM_HOC", "2022-2023"), put("general/NAM_HOC", "2022")),
     {"F-WRONG-YEAR", "F-AGE"}),
    ("P-GRADE-LEVEL", put("general/MA_CAP_HOC", "03"), {"F-CODE", "F-GRADE-LEVEL"}),
    ("S-GRADE-LEVEL", put("general/MA_KHOI", "10"), {"F-GRADE-LEVEL", "F-AGE", "F-SUBJECT-GRADE"}),
    ("B-YEAR-NAME", put("general/NAM_HOC", "2023-2024"), {"F-YEAR-DIFFERS"}),
    ("B-HEAD", put("sign_cbql/SO_CCCD", "099075000009"), {"F-SIGNER-DIFFERS"}),
    ("B-HOMEROOM", put("sign_gvcn/SO_CCCD", "099075000009"), {"F-SIGNER-DIFFERS"}),
    ("S-TEACHER", put("sign_gvbm/SO_CCCD", "099075000009", 4), {"F-SIGNER-DIFFERS"}),
    ("P-SUBJECT-TWICE", both(put("subjects/MA_MON_HOC", "01"), put("subjects/TEN_MON_HOC", "Toán")),
     {"F-SUBJECT-TWICE", "F-SUBJECT-MISSING"}),
    ("S-SUBJECT-TWICE", both(put("subjects/MA_MON_HOC", "19"), put("subjects/TEN_MON_HOC", "Ngữ văn")),
     {"F-SUBJECT-TWICE", "F-SUBJECT-MISSING"}),
    ("P-TEST-SUBJECT", put("subjects/DIEM_KIEM_TRA_DINH_KY", "9", 6), {"F-TEST-SUBJECT"}),
    ("S-SUBJECT-LEVEL", both(put("subjects/MA_MON_HOC", "35", 5), put("subjects/TEN_MON_HOC", "Vật lí", 5)),
     {"F-SUBJECT-LEVEL", "F-SUBJECT-GRADE"}),
    ("S-MARK-LETTER", put("subjects/DIEM_HOC_KY_1", "8.0", 7), {"F-MARK-KIND"}),
    ("S-MARK-NUMBER", put("subjects/DIEM_HOC_KY_1", "Đ"), {"F-MARK-KIND"}),
    ("P-SUBJECT-GRADE", put("general/MA_KHOI", "03"), {"F-SUBJECT-GRADE"}),
    ("S-SUBJECT-GRADE", put("general/MA_KHOI", "10"), {"F-GRADE-LEVEL", "F-AGE", "F-SUBJECT-GRADE"}),
    ("P-SUBJECT-NAME", put("subjects/TEN_MON_HOC", "Toán"), {"F-SUBJECT-NAME"}),
    ("S-SUBJECT-NAME", put("subjects/TEN_MON_HOC", "GDCD"), {"F-SUBJECT-NAME"}),
    ("P-CORE", drop("subjects", 1), {"F-SUBJECT-MISSING"}),
    ("S-CORE", both(drop("subjects", 1), drop("sign_gvbm", 1)), {"F-SUBJECT-MISSING"}),
    ("P-TEST-MISSING", drop("subjects/DIEM_KIEM_TRA_DINH_KY"), {"F-TEST-MISSING"}),
    ("S-YEAR-MARK-MISSING", drop("subjects/DIEM_CA_NAM", 7), {"F-YEAR-MARK-MISSING"}),
    ("P-TOTAL", put("subjects/MUC_DAT_DUOC", "H"), {"F-TOTAL"}),
    ("P-TOTAL", put("qualities/NANG_LUC_NGON_NGU", "Đ"), {"F-TOTAL"}),
    ("P-TOTAL", put("subjects/DIEM_KIEM_TRA_DINH_KY", "8"), {"F-TOTAL"}),
    ("P-PROMOTED", put("summary/DUOC_LEN_LOP", "0"), {"F-PROMOTION"}),
    ("P-COMPLETED", put("summary/DA_HOAN_THANH_CHUONG_TRINH_LOP_HOC", "0"), {"F-PROMOTION"}),
    ("P-PRIMARY-COMPLETED", put("summary/DA_HOAN_THANH_CHUONG_TRINH_TIEU_HOC", "1"), {"F-LEVEL-COMPLETED"}),
    ("B-CCCD-SEX", put("general/GIOI_TINH", "Nam"), {"F-CCCD-SEX"}),
    ("P-CCCD-YEAR", put("general/NGAY_SINH", "2014-03-02"), {"F-CCCD-YEAR"}),
    ("S-CCCD-YEAR", put("general/NGAY_SINH", "02/03/2011"), {"F-CCCD-YEAR"}),
    ("P-AGE", both(put("general/NGAY_SINH", "2018-03-02"), put("general/SO_CCCD", "099318000003")), {"F-AGE"}),
    ("S-AGE", both(put("general/NGAY_SINH", "2004-03-02"), put("general/SO_CCCD", "099304000003")), {"F-AGE"}),
    ("B-FUTURE", put("general/NGAY_KY_PHAT_HANH_HOC_BA", "2025-07-01"), {"F-FUTURE"}),
    ("B-FUTURE", put("sign_issue/NGAY_KY", "2025-07-01T08:00:00+07:00"), {"F-FUTURE"}),
    ("B-SIGNING-ORDER", put("sign_issue/NGAY_KY", "2025-05-28T07:59:59+07:00"), {"F-SIGNING-ORDER"}),
    ("S-SIGNING-ORDER", put("sign_gvbm/NGAY_KY", "2025-05-27T09:00:00+07:00", 2), {"F-SIGNING-ORDER"}),
    ("B-ISSUE-ORDER", put("general/NGAY_KY_PHAT_HANH_HOC_BA", "2025-05-19"), {"F-DATE-ORDER"}),
    ("B-ISSUE-YEAR", put("general/NGAY_TAO_HOC_BA", "2024-07-31"), {"F-DATE-YEAR"}),
    ("S-YEAR-MARK", put("subjects/DIEM_CA_NAM", "8.1"), {"F-YEAR-MARK"}),
    ("S-YEAR-LETTER", put("subjects/DIEM_CA_NAM", "CĐ", 7), {"F-YEAR-MARK", "F-LEARNING"}),
    ("S-LEARNING-1", put("summary/KET_QUA_HOC_TAP_HOC_KY_1", "K"), {"F-LEARNING"}),
    ("S-LEARNING-2", put("summary/KET_QUA_HOC_TAP_HOC_KY_2", "K"), {"F-LEARNING"}),
    ("S-LEARNING", put("summary/KET_QUA_HOC_TAP_CA_NAM", "K"), {"F-LEARNING", "F-TITLE"}),
    ("S-CONDUCT", put("summary/KET_QUA_REN_LUYEN_CA_NAM", "K"), {"F-CONDUCT", "F-TITLE"}),
    ("S-PROMOTED", put("summary/TONG_SO_BUOI_NGHI", "46"), {"F-PROMOTION"}),
    ("S-PROMOTED", put("summary/DUOC_LEN_LOP", "0"), {"F-PROMOTION"}),
    ("S-TITLE", put("summary/DANH_HIEU", "Học sinh Xuất sắc"), {"F-TITLE"}),
    ("S-LOWER-COMPLETED", put("summary/DA_HOAN_THANH_CHUONG_TRINH_THCS", "1"), {"F-LEVEL-COMPLETED"}),
    ("S-LOWER-CONFIRMED", both(put("general/MA_KHOI", "09"), put("general/NGAY_SINH", "02/03/2010"),
     put("general/SO_CCCD", "099310000003")), {"F-LEVEL-COMPLETED"}),
]  # fmt: skip


def _cases() -> list[Any]:
    cases = []
    for number, (name, spoil, codes) in enumerate([*CHECKS, *RULES]):
        for which in {"P": ("primary",), "S": ("secondary",), "B": ("primary", "secondary")}[name[0]]:
            cases.append(pytest.param(which, name, spoil, codes, id=f"{number}-{name}-{which}"))
    return cases


def test_the_good_records_have_no_finding(primary: Any, secondary: Any, examine: Any) -> None:
    assert examine(primary) == []
    assert examine(secondary) == []


@pytest.mark.parametrize("which, name, spoil, codes", _cases())
def test_a_spoilt_record_is_told_exactly_what_is_wrong(
    which: str, name: str, spoil: Spoil, codes: set[str], request: pytest.FixtureRequest, examine: Any
) -> None:
    sample = request.getfixturevalue(which)
    spoil(sample)
    findings = examine(sample)
    told = {finding.code for finding in findings}
    assert told == codes
    for finding in findings:
        assert finding.message
        assert finding.advice
        assert finding.rule
        assert "{" not in finding.message + finding.advice
    if "-" in name:
        rule = name[2:]
        assert any(finding.rule.startswith((f"P-{rule}:", f"S-{rule}:")) for finding in findings), name


def test_every_rule_and_every_check_has_an_example_that_breaks_it() -> None:
    for profile in registry():
        prefix = {"primary-1.0": "P", "secondary-2.0": "S"}[profile.name]
        names = {rule.id[2:] for rule in profile.rules}
        covered = {name[2:] for name, _, _ in RULES if name[0] in {prefix, "B"}}
        assert names - covered == {"LEVEL"}, profile.name  # has a test of its own below
    told = set().union(*(codes for _, _, codes in CHECKS))
    assert set(registry()["primary-1.0"].texts) - told == {"RULE_CRASHED"}


def test_a_name_of_another_subject_is_told_for_every_record_that_has_it(primary: Any, examine: Any) -> None:
    examine(primary)  # the right names are remembered from here on, for their own codes only
    primary.put("subjects/TEN_MON_HOC", "Toán")
    for _ in range(2):
        assert {finding.code for finding in examine(primary)} == {"F-SUBJECT-NAME"}


def test_errors_refuse_and_totals_only_warn(secondary: Any, examine: Any) -> None:
    secondary.put("summary/KET_QUA_HOC_TAP_CA_NAM", "K")
    secondary.put("general/SO_CCCD", "1")
    findings = examine(secondary)
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING, Severity.WARNING]


def test_a_record_of_a_level_the_school_does_not_teach_is_refused(primary: Any, secondary: Any, context: Any) -> None:
    elsewhere = replace(context, levels=frozenset({"04"}))
    for sample in (primary, secondary):
        findings = sample.profile.examine(sample.parse(), elsewhere)
        assert [(finding.code, finding.severity) for finding in findings] == [("F-WRONG-LEVEL", Severity.ERROR)]


def test_what_the_context_leaves_open_is_not_asked(primary: Any, context: Any) -> None:
    primary.put("general/MA_TRUONG", "1")
    auditor = RuleContext(today=context.today, school_code=None, department_code=None, years=None)
    assert primary.profile.examine(primary.parse(), auditor) == []


def test_old_and_new_code_of_the_same_school_both_count(primary: Any, context: Any) -> None:
    primary.put("general/MA_TRUONG", "99000100001")
    both_codes = replace(context, other_school_codes=frozenset({"99000100001"}))
    assert primary.profile.examine(primary.parse(), both_codes) == []


def test_districts_are_asked_for_only_while_there_were_districts(primary: Any, examine: Any) -> None:
    primary.drop("general/TEN_QUAN_HUYEN")
    assert [finding.field for finding in examine(primary)] == ["DU_LIEU_HOC_BA/THONG_TIN_CHUNG/TEN_QUAN_HUYEN"]
    primary.put("general/TEN_NAM_HOC", "2025-2026")
    primary.put("general/NAM_HOC", "2025")
    told = {finding.code for finding in examine(primary)}
    assert "F-REQUIRED" not in told


def test_a_disabled_pupil_who_is_not_assessed_needs_no_results(primary: Any, secondary: Any, examine: Any) -> None:
    for sample, gone in ((primary, ("qualities", "summary/KET_QUA_XEP_LOAI")), (secondary, ("summary/DANH_HIEU",))):
        sample.put("general/KHUYET_TAT_KHONG_DANH_GIA", "1")
        for ref in gone:
            sample.drop(ref)
        while sample.root.findall(sample.profile.groups["subjects"].path):
            sample.drop("subjects")
    for ref in ("KET_QUA_HOC_TAP_CA_NAM", "KET_QUA_REN_LUYEN_CA_NAM"):
        secondary.drop(f"summary/{ref}")
    assert examine(primary) == []
    assert examine(secondary) == []


@pytest.mark.parametrize(
    "marks, said",
    [
        (["8.0"] * 6 + ["6.5"], {"T"}),
        (["8.0"] * 5 + ["7.9", "6.5"], {"K"}),
        (["8.0"] * 6 + ["6.4"], {"K"}),
        (["8.0"] * 6 + ["4.9"], {"K", "Đ"}),  # one subject alone pulled it down two levels: Điều 9 khoản 3
        (["8.0"] * 6 + ["3.4"], {"Đ", "CĐ"}),
        (["6.5"] * 6 + ["3.4"], {"Đ", "CĐ"}),
        (["6.5"] * 6 + ["4.9"], {"Đ"}),
        (["5.0"] * 6 + ["3.5"], {"Đ"}),
        (["5.0"] * 6 + ["3.4"], {"CĐ"}),
        (["5.0"] * 5 + ["4.9", "4.9"], {"CĐ"}),
    ],
)
def test_the_learning_result_follows_the_thresholds_of_circular_22(
    marks: list[str], said: set[str], secondary: Any, examine: Any
) -> None:
    for row, mark in enumerate(marks):
        for tag in ("DIEM_HOC_KY_1", "DIEM_HOC_KY_2", "DIEM_CA_NAM"):
            secondary.put(f"subjects/{tag}", mark, row)
    secondary.drop("summary/DANH_HIEU")
    accepted = set()
    for level in ("T", "K", "Đ", "CĐ"):
        for when in ("HOC_KY_1", "HOC_KY_2", "CA_NAM"):
            secondary.put(f"summary/KET_QUA_HOC_TAP_{when}", level)
        if "F-LEARNING" not in {finding.code for finding in examine(secondary)}:
            accepted.add(level)
    assert accepted == said


@pytest.mark.parametrize(
    "level, quality, test, said",
    [
        ("T", "T", "9", "Hoàn thành xuất sắc"),
        ("T", "T", "8", "Hoàn thành tốt"),
        ("T", "T", "7", "Hoàn thành tốt"),
        ("T", "T", "6", "Hoàn thành"),
        ("H", "T", "10", "Hoàn thành"),
        ("T", "Đ", "10", "Hoàn thành"),
        ("H", "Đ", "5", "Hoàn thành"),
        ("H", "Đ", "4", "Chưa hoàn thành"),
        ("C", "T", "10", "Chưa hoàn thành"),
        ("T", "C", "10", "Chưa hoàn thành"),
    ],
)
def test_the_total_follows_the_thresholds_of_circular_27(
    level: str, quality: str, test: str, said: str, primary: Any, examine: Any
) -> None:
    primary.put("subjects/MUC_DAT_DUOC", level)
    primary.put("subjects/DIEM_KIEM_TRA_DINH_KY", test)
    primary.put("qualities/PHAM_CHAT_NHAN_AI", quality)
    accepted = set()
    for total in ("Hoàn thành xuất sắc", "Hoàn thành tốt", "Hoàn thành", "Chưa hoàn thành"):
        primary.put("summary/KET_QUA_XEP_LOAI", total)
        if "F-TOTAL" not in {finding.code for finding in examine(primary)}:
            accepted.add(total)
    assert accepted == {said}


def test_results_after_the_summer_count_for_promotion(secondary: Any, examine: Any) -> None:
    secondary.drop("summary/DANH_HIEU")
    secondary.put("summary/KET_QUA_REN_LUYEN_CA_NAM", "CĐ")
    secondary.put("summary/KET_QUA_REN_LUYEN_HOC_KY_2", "CĐ")
    assert {finding.code for finding in examine(secondary)} == {"F-PROMOTION"}
    secondary.put("summary/KET_QUA_REN_LUYEN_SAU_HE", "Đ")
    assert examine(secondary) == []
