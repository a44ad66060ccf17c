"""Records of the rehearsal: their size, their numbers, and totals that follow from the marks."""

from decimal import Decimal

import pytest
from lxml import etree

from portal.rehearsal.names import INVENTED_PROVINCE
from portal.rehearsal.pki import Pki
from portal.rehearsal.province import LOWER, PRIMARY, UPPER, Province, make_province
from portal.rehearsal.pupils import make_pupil
from portal.rehearsal.records import make_record
from portal.rehearsal.secondary import learning_result


def test_sizes_are_those_of_real_records(province: Province, pki: Pki) -> None:
    primary = [len(make_record(province, pki, province.of_level(PRIMARY)[0], n).data) for n in range(200, 300, 9)]
    secondary = [len(make_record(province, pki, province.of_level(LOWER)[0], n).data) for n in range(200, 300, 9)]
    assert all(12_000 < size < 26_000 for size in primary)
    assert all(50_000 < size < 110_000 for size in secondary)


def test_a_pupils_number_agrees_with_sex_and_year(province: Province) -> None:
    for number in range(300):
        pupil = make_pupil(province, province.schools[number % 12], number)
        assert len(pupil.cccd) == 12
        assert pupil.cccd.startswith(INVENTED_PROVINCE)
        assert int(pupil.cccd[3]) == 2 + pupil.female
        assert pupil.cccd[4:6] == f"{pupil.born_on.year % 100:02d}"


def test_pupils_of_a_province_do_not_share_numbers(province: Province) -> None:
    pupils = [make_pupil(province, school, number) for school in province.schools for number in range(500)]
    assert len({pupil.cccd for pupil in pupils}) == len(pupils)
    assert len({pupil.code for pupil in pupils}) == len(pupils)
    assert len({pupil.lookup_uuid for pupil in pupils}) == len(pupils)
    assert all(pupil.lookup_uuid.version == 4 for pupil in pupils)


@pytest.mark.parametrize("count", [1, 40, 1500])
def test_school_codes_of_any_province_are_unique(province: Province, count: int) -> None:
    made = make_province(seed=1, calendar=province.calendar, schools=count, communes=8)
    codes = [school.code for school in made.schools]
    former = [school.former_code for school in made.schools if school.former_code]
    assert len(set(codes + former)) == len(codes) + len(former)
    assert {len(code) for code in codes} <= {8, 11}


@pytest.mark.parametrize("level", [PRIMARY, LOWER, UPPER])
def test_a_record_is_in_composed_unicode_and_has_no_empty_tag(province: Province, pki: Pki, level: str) -> None:
    import unicodedata

    school = province.of_level(level)[0]
    for number in range(0, 400, 37):
        data = make_record(province, pki, school, number).data
        text = data.decode()
        assert unicodedata.is_normalized("NFC", text)
        signed = etree.fromstring(data)[0]
        assert all(len(element) or (element.text or "").strip() for element in signed.iter())


@pytest.mark.parametrize(
    ("marks", "result"),
    [
        (["8.0"] * 6 + ["6.5", "6.5", "Đ", "Đ"], "T"),
        (["8.0"] * 5 + ["7.9", "6.5", "6.5", "Đ"], "K"),
        (["9.0"] * 7 + ["6.4", "Đ"], "K"),
        (["5.0"] * 6 + ["3.5", "CĐ"], "Đ"),
        (["5.0"] * 6 + ["3.4", "Đ"], "CĐ"),
        (["9.0"] * 8 + ["CĐ", "CĐ"], "CĐ"),
    ],
)
def test_the_learning_result_follows_circular_22(marks: list[str], result: str) -> None:
    assert learning_result(marks) == result


def test_the_years_mark_counts_the_second_term_twice(province: Province, pki: Pki) -> None:
    root = etree.fromstring(make_record(province, pki, province.of_level(UPPER)[0], 1).data)
    seen = 0
    for row in root.iter("DIEM_TONG_KET"):
        first, second, year = (row.findtext(tag) or "" for tag in ("DIEM_HOC_KY_1", "DIEM_HOC_KY_2", "DIEM_CA_NAM"))
        if first[0].isdigit():
            seen += 1
            assert abs((Decimal(first) + 2 * Decimal(second)) / 3 - Decimal(year)) <= Decimal("0.05")
    assert seen >= 8
