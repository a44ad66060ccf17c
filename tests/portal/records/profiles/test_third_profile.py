"""A new generation of the file is a folder and nothing else: other tags, levels and rules, no change in code."""

import datetime
from pathlib import Path

import pytest

from portal.records import document
from portal.records.profiles import ProfileBroken, RuleContext, load_all
from signing import xml

PROFILE = """
name = "nursery-0.1"
title = "Sổ theo dõi trẻ mẫu giáo"
root = "SO_TRE"
data = "NOI_DUNG"
signatures = "CHU_KY"
[serves]
levels = ["01"]
versions = ["0.1"]
circulars = ["TT-THU"]
[identity]
level = "CAP"
version = "BAN"
circular = "VAN_BAN"
lookup_uuid = "MA_SO"
full_name = "TEN_TRE"
birth_date = "SINH_NGAY"
[conditions.big]
title = "trẻ từ 5 tuổi"
all = [{ tag = "NHOM", one_of = ["LA"] }]
[[groups]]
key = "general"
title = "Trẻ"
path = "NOI_DUNG/TRE"
required = true
[[groups]]
key = "days"
title = "Các tháng"
path = "NOI_DUNG/THANG"
repeated = true
required = true
label = "TEN_THANG"
[[groups]]
key = "sign_head"
title = "Chữ ký"
path = "CHU_KY/HIEU_TRUONG"
required = true
"""
FIELDS = """group,tag,name,type,required,when,length,minimum,maximum,decimals,codes
general,CAP,Cấp,code,yes,,,,,,level
general,BAN,Bản,text,yes,,5,,,,
general,VAN_BAN,Văn bản,text,yes,,20,,,,
general,MA_SO,Mã số,uuid4,yes,,,,,,
general,TEN_TRE,Tên trẻ,text,yes,,50,,,,
general,SINH_NGAY,Sinh ngày,date,yes,,,,,,
general,NHOM,Nhóm,code,yes,,,,,,group
general,DIEM_VAO_LOP_1,Sẵn sàng vào lớp 1,flag,yes,big,,,,,group_flag
days,TEN_THANG,Tháng,text,yes,,20,,,,
days,CAN_NANG,Cân nặng,decimal,yes,,,5,60,1,
"""
CODES = """
[level]
title = "Cấp"
codes = { "01" = { title = "Mẫu giáo" } }
[group]
title = "Nhóm"
by_word = true
codes = { "LA" = { title = "Lá" }, "CHOI" = { title = "Chồi" } }
[group_flag]
title = "Có không"
codes = { "0" = { title = "Không" }, "1" = { title = "Có" } }
"""
RULES = """
[checks]
F-UNKNOWN-TAG = "ERROR"
[[rules]]
id = "N-MONTH"
kind = "unique_in_rows"
title = "Mỗi tháng một dòng"
code = "N-MONTH-TWICE"
severity = "ERROR"
source = "Sổ tay"
message = "Tháng {value}{place} đã có ở dòng {first}."
advice = "Giữ một dòng."
with = { field = "days/TEN_THANG" }
[[rules]]
id = "N-BIRTH"
kind = "not_in_future"
title = "Ngày sinh không ở tương lai"
code = "N-FUTURE"
severity = "WARNING"
source = "Sổ tay"
message = "{title}: {value} sau hôm nay {today}."
advice = "Sửa ngày."
with = { fields = ["general/SINH_NGAY"] }
"""
POLICY = """
name = "nursery-0.1"
root = "SO_TRE"
[[slots]]
role = "HIEU_TRUONG"
place = "CHU_KY/HIEU_TRUONG/Signature"
covers = "NOI_DUNG"
signer = "person"
"""
RECORD = """<SO_TRE><NOI_DUNG Id="n"><TRE><CAP>01</CAP><BAN>0.1</BAN><VAN_BAN>TT-THU</VAN_BAN>
<MA_SO>3b241101-e2bb-4255-8caf-4136c566a962</MA_SO><TEN_TRE>Bé Mẫu</TEN_TRE>
<SINH_NGAY>01/02/2020</SINH_NGAY><NHOM>Lá</NHOM>
<DIEM_VAO_LOP_1>1</DIEM_VAO_LOP_1></TRE><THANG><TEN_THANG>9</TEN_THANG><CAN_NANG>15.5</CAN_NANG></THANG>
<THANG><TEN_THANG>10</TEN_THANG><CAN_NANG>15.8</CAN_NANG></THANG></NOI_DUNG><CHU_KY><HIEU_TRUONG/></CHU_KY></SO_TRE>"""
FILES = {
    "profile.toml": PROFILE,
    "fields.csv": FIELDS,
    "codes.toml": CODES,
    "rules.toml": RULES,
    "policy.toml": POLICY,
}
NOBODY = RuleContext(today=datetime.date(2025, 6, 30), school_code=None, department_code=None, years=None)


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    folder = tmp_path / "extra" / "nursery_0_1"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_third_profile_needs_only_a_folder(extra: Path) -> None:
    profiles = load_all([extra.parent])
    assert set(profiles.profiles) == {"primary-1.0", "secondary-2.0", "nursery-0.1"}
    root = xml.parse(RECORD.encode()).root
    profile = document.choose(root, profiles)
    assert profile is not None
    assert profile.name == "nursery-0.1"
    assert profile.examine(root, NOBODY) == []
    claimed = document.identify(root, profiles)
    assert (claimed.full_name, claimed.birth_date) == ("Bé Mẫu", datetime.date(2020, 2, 1))
    assert [slot.role for slot in profile.policy.slots] == ["HIEU_TRUONG"]


def test_the_third_profile_finds_what_its_rules_say(extra: Path) -> None:
    spoilt = RECORD.replace("<TEN_THANG>10", "<TEN_THANG>9").replace("01/02/2020", "01/02/2030")
    spoilt = spoilt.replace("15.8", "61").replace("<DIEM_VAO_LOP_1>1</DIEM_VAO_LOP_1>", "<LA>1</LA>")
    profile = load_all([extra])["nursery-0.1"]
    findings = profile.examine(xml.parse(spoilt.encode()).root, NOBODY)
    assert sorted(finding.code for finding in findings) == [
        "F-RANGE",
        "F-REQUIRED",
        "F-UNKNOWN-TAG",
        "N-FUTURE",
        "N-MONTH-TWICE",
    ]
    twice = next(finding for finding in findings if finding.code == "N-MONTH-TWICE")
    assert (twice.message, twice.position) == ("Tháng 9 ở dòng 2 (9), phần Các tháng đã có ở dòng 1.", 2)
    assert twice.resign == ("HIEU_TRUONG",)
    missing = next(finding for finding in findings if finding.code == "F-REQUIRED")
    assert "trẻ từ 5 tuổi" in missing.message


@pytest.mark.parametrize(
    "file, before, after, key",
    [
        ("profile.toml", 'name = "nursery-0.1"', "", "name"),
        ("profile.toml", 'levels = ["01"]', "levels = []", "serves.levels"),
        ("profile.toml", 'lookup_uuid = "MA_SO"', "", "identity.lookup_uuid"),
        ("profile.toml", 'full_name = "TEN_TRE"', 'full_name = "LA"', "identity.full_name"),
        ("profile.toml", 'key = "general"', 'key = "child"', "groups"),
        ("profile.toml", 'one_of = ["LA"]', 'like = ["LA"]', "conditions.big.all"),
        ("profile.toml", '{ tag = "NHOM"', '{ tag = "NHOMM"', "conditions.big.all"),
        ("profile.toml", 'label = "TEN_THANG"', 'label = "THANG"', "groups.days.label"),
        ("profile.toml", "[serves]", "[serves", "-"),
        ("fields.csv", "general,NHOM,Nhóm,code", "general,NHOM,Nhóm,colour", "general.NHOM"),
        ("fields.csv", "general,NHOM,Nhóm,code,yes", "general,NHOM,Nhóm,code,maybe", "general.NHOM"),
        ("fields.csv", ",5,60,1,", ",x,60,1,", "days.CAN_NANG"),
        ("fields.csv", "days,TEN_THANG", "weeks,TEN_THANG", "weeks.TEN_THANG"),
        ("fields.csv", ",,,,,,group\n", ",,,,,,groups\n", "general.NHOM"),
        ("fields.csv", "yes,big", "yes,small", "general.DIEM_VAO_LOP_1"),
        ("fields.csv", "days,CAN_NANG", "days,TEN_THANG", "days.TEN_THANG"),
        ("codes.toml", '"LA" = { title = "Lá" }', '"LA" = { }', "group.codes.LA.title"),
        ("rules.toml", 'kind = "unique_in_rows"', 'kind = "magic"', "N-MONTH.kind"),
        ("rules.toml", 'severity = "ERROR"', 'severity = "FATAL"', "N-MONTH.severity"),
        ("rules.toml", "{first}", "{last}", "N-MONTH.message"),
        ("rules.toml", "{first}", "{first", "N-MONTH.message"),
        ("rules.toml", '"days/TEN_THANG"', '"days/TEN_TUAN"', "N-MONTH.with.field"),
        ("rules.toml", '{ field = "days/TEN_THANG" }', "{ }", "N-MONTH.with.field"),
        ("rules.toml", '{ field = "days/TEN_THANG" }', '{ field = "days/TEN_THANG", fild = 1 }', "N-MONTH.with.fild"),
        ("rules.toml", 'id = "N-BIRTH"', 'id = "N-MONTH"', "N-MONTH.id"),
        ("rules.toml", 'F-UNKNOWN-TAG = "ERROR"', 'F-UNKNOWN-TAG = "OFF"', "checks.F-UNKNOWN-TAG"),
        ("rules.toml", 'F-UNKNOWN-TAG = "ERROR"', 'RULE_CRASHED = "WARNING"', "checks.RULE_CRASHED"),
        ("policy.toml", 'covers = "NOI_DUNG"', "", "POLICY_VALUE"),
        ("policy.toml", 'signer = "person"', 'sginer = "person"', "POLICY_KEY"),
    ],
)
def test_a_broken_folder_is_refused_at_load_naming_file_and_key(
    file: str, before: str, after: str, key: str, extra: Path
) -> None:
    text = FILES[file]
    assert before in text
    (extra / file).write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ProfileBroken) as caught:
        load_all([extra])
    assert file in caught.value.file
    assert caught.value.key == key


def test_a_folder_that_lacks_a_file_is_refused(extra: Path) -> None:
    (extra / "codes.toml").unlink()
    with pytest.raises(ProfileBroken, match=r"codes\.toml"):
        load_all([extra])


def test_a_directory_without_any_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileBroken):
        load_all([tmp_path])


def test_two_profiles_for_the_same_records_are_refused(extra: Path) -> None:
    text = PROFILE.replace('["01"]', '["02"]').replace('["0.1"]', '["1.0"]').replace('["TT-THU"]', '["27/2020"]')
    (extra / "profile.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProfileBroken, match=r"primary-1\.0"):
        load_all([extra])
