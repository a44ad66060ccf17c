"""Reading a record: tolerant to identify, strict to read, ordered for the official form."""

import datetime
from typing import Any

import pytest

from portal.records import document
from signing import xml


def test_a_record_is_identified_and_its_profile_chosen(primary: Any, secondary: Any) -> None:
    for sample in (primary, secondary):
        chosen = document.choose(sample.parse())
        assert chosen is sample.profile
    claimed = document.identify(secondary.parse())
    assert claimed == document.Identity(
        level="03", version="2.0", circular="22/2021/TT-BGDĐT", lookup_uuid="3b241101-e2bb-4255-8caf-4136c566a962",
        pupil_code="9900000001", cccd="099312000003", full_name="Nguyễn Thị Mẫu", birth_date=datetime.date(2012, 3, 2),
        sex="Nữ", school_code="99001001", school_year="2024-2025", grade="07", class_name="7A",
    )  # fmt: skip


def test_the_lookup_uuid_is_compared_in_lower_case(primary: Any) -> None:
    primary.put("general/MA_TRA_CUU_UUID", "3B241101-E2BB-4255-8CAF-4136C566A962")
    assert document.identify(primary.parse()).lookup_uuid == "3b241101-e2bb-4255-8caf-4136c566a962"


def test_missing_fields_leave_holes_not_errors(primary: Any) -> None:
    for tag in ("HO_VA_TEN", "NGAY_SINH", "MA_TRA_CUU_UUID"):
        primary.drop(f"general/{tag}")
    claimed = document.identify(primary.parse())
    assert (claimed.full_name, claimed.birth_date, claimed.lookup_uuid) == (None, None, None)
    assert claimed.level == "02"


@pytest.mark.parametrize("data", [b"<HOC_BA/>", b"<LA/>", b"<HOC_BA><DU_LIEU_HOC_BA/></HOC_BA>"])
def test_a_record_without_general_information_has_no_profile(data: bytes) -> None:
    root = xml.parse(data).root
    assert document.identify(root) == document.Identity()
    assert document.choose(root) is None


def test_two_data_elements_give_no_identity(primary: Any) -> None:
    primary.root.append(primary.root.find("DU_LIEU_HOC_BA"))
    assert document.identify(primary.parse()) == document.Identity()


def test_a_mark_that_stands_twice_chooses_no_profile(primary: Any) -> None:
    primary.at("general").append(primary.at("general/THONG_TU"))
    assert document.choose(primary.parse()) is None


def test_data_is_read_only_from_the_signed_element(primary: Any) -> None:
    root = primary.parse()
    signed = root.find("DU_LIEU_HOC_BA")
    assert signed is not None
    data = document.read_data(primary.profile, signed)
    assert data.identity == document.identify(root)
    assert data.value("summary", "KET_QUA_XEP_LOAI") == "Hoàn thành xuất sắc"
    assert [row["MA_MON_HOC"] for row in data.groups["subjects"]][:2] == ["02", "01"]
    assert "sign_cbql" not in data.groups
    with pytest.raises(ValueError):
        document.read_data(primary.profile, root)


def test_the_form_follows_the_profile_and_shows_words_and_dates(primary: Any, secondary: Any) -> None:
    sections = {}
    for sample in (primary, secondary):
        signed = sample.parse().find("DU_LIEU_HOC_BA")
        assert signed is not None
        sections[sample.profile.name] = {part.key: part for part in document.form(sample.profile, signed)}
    first = sections["primary-1.0"]
    assert list(first) == ["general", "history", "subjects", "qualities", "summary"]
    shown = {value.tag: value.shown for value in first["general"].rows[0]}
    assert shown["NGAY_SINH"] == "02/03/2015"
    assert shown["MA_CAP_HOC"] == "Tiểu học"
    assert "HO_VA_TEN_CHA" not in shown
    assert first["subjects"].is_table
    assert [value.shown for value in first["subjects"].rows[0]] == ["02", "Tiếng Việt", "Hoàn thành tốt", "9"]
    second = sections["secondary-2.0"]["subjects"]
    assert [title for _, title in second.columns][-2:] == ["Họ và tên giáo viên bộ môn", "Số CCCD giáo viên bộ môn"]
    assert "DIEM_KIEM_TRA_LAI" not in dict(second.columns)
