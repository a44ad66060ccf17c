"""Contents of a secondary record (circular 22/2021), with results that follow from the marks.

Written from `contents.md` on its own, not from the portal's rules: it is their counterpart.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from portal.rehearsal import phrases
from portal.rehearsal.draft import Fields, Row
from portal.rehearsal.province import LOWER, Person, School

LOWER_SUBJECTS = {
    "19": "Ngữ văn", "15": "Toán", "69": "Ngoại ngữ 1", "26": "Giáo dục công dân", "05": "Lịch sử và Địa lí",
    "66": "Khoa học tự nhiên", "27": "Công nghệ", "32": "Tin học", "88": "Giáo dục thể chất", "97": "Nghệ thuật",
    "91": "Hoạt động trải nghiệm, hướng nghiệp", "99": "Nội dung giáo dục của địa phương",
}  # fmt: skip
UPPER_SUBJECTS = {
    "19": "Ngữ văn", "15": "Toán", "69": "Ngoại ngữ 1", "40": "Lịch sử", "47": "Giáo dục quốc phòng và an ninh",
    "88": "Giáo dục thể chất", "91": "Hoạt động trải nghiệm, hướng nghiệp", "99": "Nội dung giáo dục của địa phương",
}  # fmt: skip
UPPER_CHOICES = {
    "35": "Vật lí", "36": "Hóa học", "37": "Sinh học", "41": "Địa lí", "100": "Giáo dục kinh tế và pháp luật",
    "46": "Công nghệ", "38": "Tin học",
}  # fmt: skip
BY_COMMENT = {"88", "97", "91", "99", "29", "30"}
ABILITIES = ((8.2, 9.8), (7.2, 8.8), (5.6, 7.4), (4.0, 5.8))


def results(rng: Random, grade: int, school: School) -> tuple[list[Row], Fields]:
    """Rows and summary of one pupil."""
    ability = rng.choices(range(4), (40, 35, 22, 3))[0]
    subjects = _subjects(rng, school.level)
    rows = [
        _row(rng, code, name, ability, school.subject_teacher(index)) for index, (code, name) in enumerate(subjects)
    ]
    return rows, _summary(rng, rows, grade, ability)


def learning_result(marks: Sequence[str]) -> str:
    """Circular 22/2021, article 9: from the marks of one term or of the year."""
    scored = [Decimal(mark) for mark in marks if mark[0].isdigit()]
    failed = sum(mark == "CĐ" for mark in marks)
    lowest = min(scored)

    def at_least(limit: str) -> int:
        return sum(mark >= Decimal(limit) for mark in scored)

    if not failed and lowest >= Decimal("6.5") and at_least("8.0") >= 6:
        return "T"
    if not failed and lowest >= Decimal("5.0") and at_least("6.5") >= 6:
        return "K"
    if failed <= 1 and lowest >= Decimal("3.5") and at_least("5.0") >= 6:
        return "Đ"
    return "CĐ"


def _subjects(rng: Random, level: str) -> list[tuple[str, str]]:
    if level == LOWER:
        return list(LOWER_SUBJECTS.items())
    return [*UPPER_SUBJECTS.items(), *rng.sample(list(UPPER_CHOICES.items()), 4)]


def _row(rng: Random, code: str, name: str, ability: int, teacher: Person) -> Row:
    fields = {"MA_MON_HOC": code, "TEN_MON_HOC": name}
    if code in BY_COMMENT:
        fields |= {"DIEM_HOC_KY_1": "Đ", "DIEM_HOC_KY_2": "Đ", "DIEM_CA_NAM": "Đ"}
    else:
        first, second = (_mark(rng, ability) for _ in range(2))
        # Article 9: the year's average counts the second term twice.
        year = ((first + 2 * second) / 3).quantize(Decimal("0.1"), ROUND_HALF_UP)
        fields |= {"DIEM_HOC_KY_1": str(first), "DIEM_HOC_KY_2": str(second), "DIEM_CA_NAM": str(year)}
    fields["NHAN_XET_MON_HOC"] = phrases.sentences(rng, phrases.SUBJECT, 2)
    return Row(
        fields,
        id=f"mon-{code}",
        pair_id=f"gv-{code}",
        teacher={"HO_VA_TEN": teacher.name, "SO_CCCD": teacher.cccd},
    )


def _mark(rng: Random, ability: int) -> Decimal:
    return Decimal(str(rng.uniform(*ABILITIES[ability]))).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _summary(rng: Random, rows: list[Row], grade: int, ability: int) -> Fields:
    first, second, year = (
        learning_result([row.fields[tag] for row in rows]) for tag in ("DIEM_HOC_KY_1", "DIEM_HOC_KY_2", "DIEM_CA_NAM")
    )
    conduct = "T" if ability < 2 else rng.choice(("T", "K"))
    absences = rng.choices((0, 1, 2, 3, 5, 8), (40, 20, 15, 10, 10, 5))[0]
    promoted = year != "CĐ"
    last = grade in (9, 12)
    outcome = f"Được lên lớp {grade + 1}" if promoted else f"Chưa được lên lớp {grade + 1}"
    if last:
        outcome = f"{'Hoàn thành' if promoted else 'Chưa hoàn thành'} chương trình {'THCS' if grade == 9 else 'THPT'}"
    return {
        "KET_QUA_HOC_TAP_HOC_KY_1": first,
        "KET_QUA_HOC_TAP_HOC_KY_2": second,
        "KET_QUA_HOC_TAP_CA_NAM": year,
        "KET_QUA_REN_LUYEN_HOC_KY_1": conduct,
        "KET_QUA_REN_LUYEN_HOC_KY_2": conduct,
        "KET_QUA_REN_LUYEN_CA_NAM": conduct,
        "TONG_SO_BUOI_NGHI": str(absences),
        "DUOC_LEN_LOP": "1" if promoted else "0",
        "NOI_DUNG_DUOC_LEN_LOP": outcome,
        "NOI_DUNG_HOAN_THANH_CHUONG_TRINH": f"Hoàn thành chương trình lớp {grade}" if promoted else "",
        "DA_HOAN_THANH_CHUONG_TRINH_THCS": ("1" if promoted else "0") if grade == 9 else "",
        "DANH_HIEU": _title(rows, year, conduct),
        "NHAN_XET_GVCN": phrases.sentences(rng, phrases.HOMEROOM, 3),
    }


def _title(rows: list[Row], year: str, conduct: str) -> str:
    if year != "T" or conduct != "T":
        return ""
    excellent = sum(mark[0].isdigit() and Decimal(mark) >= 9 for mark in (row.fields["DIEM_CA_NAM"] for row in rows))
    return "Học sinh Xuất sắc" if excellent >= 6 else "Học sinh Giỏi"
