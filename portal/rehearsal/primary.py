"""Contents of a primary record (circular 27/2020), with marks that agree with the overall result.

Written from `contents.md` on its own, not from the portal's rules: it is their counterpart.
"""

from random import Random

from portal.rehearsal import phrases
from portal.rehearsal.draft import Fields, Row

SUBJECTS = {
    "02": "Tiếng Việt", "01": "Toán", "11": "Ngoại ngữ 1", "03": "Đạo đức", "04": "Tự nhiên và Xã hội",
    "13": "Khoa học", "05": "Lịch sử và Địa lí", "12": "Tin học và Công nghệ (Tin học)",
    "87": "Tin học và Công nghệ (Công nghệ)", "88": "Giáo dục thể chất", "89": "Nghệ thuật (Âm nhạc)",
    "90": "Nghệ thuật (Mĩ thuật)", "91": "Hoạt động trải nghiệm",
}  # fmt: skip
TESTED = {"01", "02", "11", "05", "13", "12", "87"}
FROM_GRADE = {"11": 3, "12": 3, "87": 3, "13": 4, "05": 4}
UP_TO_GRADE = {"04": 3}

COMPETENCES = (
    "NANG_LUC_TU_CHU_TU_HOC", "NANG_LUC_GIAO_TIEP_HOC_TAC", "NANG_LUC_GIAI_QUYET_VAN_DE_SANG_TAO", "NANG_LUC_NGON_NGU",
    "NANG_LUC_TINH_TOAN", "NANG_LUC_KHOA_HOC", "NANG_LUC_CONG_NGHE", "NANG_LUC_TIN_HOC", "NANG_LUC_THAM_MI",
    "NANG_LUC_THE_CHAT",
)  # fmt: skip
COMPETENCES_FROM_3 = {"NANG_LUC_CONG_NGHE", "NANG_LUC_TIN_HOC"}
QUALITIES = (
    "PHAM_CHAT_YEU_NUOC", "PHAM_CHAT_NHAN_AI", "PHAM_CHAT_CHAM_CHI", "PHAM_CHAT_TRUNG_THUC", "PHAM_CHAT_TRACH_NHIEM",
)  # fmt: skip
EXCELLENT, GOOD, DONE, NOT_DONE = "Hoàn thành xuất sắc", "Hoàn thành tốt", "Hoàn thành", "Chưa hoàn thành"
ACHIEVEMENT_WORDS = {"T": "Hoàn thành tốt", "H": "Hoàn thành", "C": "Chưa hoàn thành"}
QUALITY_WORDS = {"T": "Tốt", "Đ": "Đạt", "C": "Cần cố gắng"}


def subjects_of(grade: int) -> list[str]:
    return [code for code in SUBJECTS if FROM_GRADE.get(code, 1) <= grade <= UP_TO_GRADE.get(code, 5)]


def results(rng: Random, grade: int, *, words: bool) -> tuple[list[Row], Fields, Fields]:
    """Rows, competences and qualities, summary of one pupil; `words` writes levels out instead of the letters."""
    overall = rng.choices((EXCELLENT, GOOD, DONE, NOT_DONE), (35, 25, 38, 2))[0]
    codes = subjects_of(grade)
    levels = _levels(rng, overall, len(codes))
    rows = [
        Row(
            {
                "MA_MON_HOC": code,
                "TEN_MON_HOC": SUBJECTS[code],
                "MUC_DAT_DUOC": ACHIEVEMENT_WORDS[level] if words else level,
                "DIEM_KIEM_TRA_DINH_KY": str(_test(rng, overall, level)) if code in TESTED else "",
            }
        )
        for code, level in zip(codes, levels, strict=True)
    ]
    return rows, _qualities(rng, overall, grade, words), _summary(rng, overall, grade)


def _levels(rng: Random, overall: str, count: int) -> list[str]:
    if overall in (EXCELLENT, GOOD):
        return ["T"] * count
    levels = [rng.choice("TH") for _ in range(count)]
    levels[0] = "H" if overall == DONE else "C"
    return levels


def _test(rng: Random, overall: str, level: str) -> int:
    if overall == EXCELLENT:
        return rng.choice((9, 10))
    if overall == GOOD:
        # Never excellent by accident: a test below 9 exists because every one is drawn below.
        return rng.choice((7, 8))
    if level == "C":
        return rng.choice((2, 3, 4))
    return rng.choice((7, 8, 9)) if level == "T" else rng.choice((5, 6, 7))


def _qualities(rng: Random, overall: str, grade: int, words: bool) -> Fields:
    fields: Fields = {}
    for tag in (*COMPETENCES, *QUALITIES):
        if tag in COMPETENCES_FROM_3 and grade < 3:
            continue
        level = "T" if overall in (EXCELLENT, GOOD) else rng.choice("TĐ")
        fields[tag] = QUALITY_WORDS[level] if words else level
    fields["NHAN_XET_PHAM_CHAT"] = phrases.sentences(rng, phrases.QUALITY, 2)
    fields["NHAN_XET_NANG_LUC_CHUNG"] = phrases.sentences(rng, phrases.COMPETENCE, 2)
    fields["NHAN_XET_NANG_LUC_DAC_THU"] = phrases.sentences(rng, phrases.SPECIAL, 2)
    return fields


def _summary(rng: Random, overall: str, grade: int) -> Fields:
    promoted = "0" if overall == NOT_DONE else "1"
    praise = {EXCELLENT: "Học sinh Xuất sắc", GOOD: "Học sinh Tiêu biểu hoàn thành tốt trong học tập và rèn luyện"}
    done = f"Hoàn thành chương trình lớp {grade}" if promoted == "1" else f"Chưa hoàn thành chương trình lớp {grade}"
    return {
        "KET_QUA_XEP_LOAI": overall,
        "DUOC_LEN_LOP": promoted,
        "NOI_DUNG_HOAN_THANH_CHUONG_TRINH": done,
        "DA_HOAN_THANH_CHUONG_TRINH_LOP_HOC": promoted,
        "DA_HOAN_THANH_CHUONG_TRINH_TIEU_HOC": promoted if grade == 5 else "",
        "NOI_DUNG_KHEN_THUONG": praise.get(overall, ""),
        "NOI_DUNG_KHEN_THUONG_DOT_XUAT": "Giải Nhì hội thi vẽ tranh cấp xã" if rng.random() < 0.03 else "",
        "NHAN_XET_GVCN": phrases.sentences(rng, phrases.HOMEROOM, 3),
    }
