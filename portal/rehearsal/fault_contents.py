"""Breaches of the contents: fields, codes, totals, identity. The signatures over them are good.

Written from `contents.md`; the codes are those of the portal's rules and checks.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

from portal.rehearsal.draft import Draft, Row
from portal.rehearsal.faults import EVERY_LEVEL, Edit, Fault, Outcome, Scene, with_other_pupil
from portal.rehearsal.province import LOWER, PRIMARY, UPPER
from portal.rehearsal.records import make_draft

SECONDARY = (LOWER, UPPER)
_OTHER_TITLE = {"Học sinh Giỏi": "Học sinh Xuất sắc"}


def _set(tag: str, value: str) -> Edit:
    """Writes a general field, or removes it when the value is empty."""

    def edit(draft: Draft, scene: Scene) -> None:
        draft.general[tag] = value

    return edit


def _set_summary(tag: str, value: str) -> Edit:
    def edit(draft: Draft, scene: Scene) -> None:
        draft.summary[tag] = value

    return edit


def _extra(text: str) -> Edit:
    def edit(draft: Draft, scene: Scene) -> None:
        draft.extra = text

    return edit


def _not_composed(draft: Draft, scene: Scene) -> None:
    draft.general["HO_VA_TEN"] = unicodedata.normalize("NFD", "Nguyễn Thị Mẫu")


def _uuid_not_4(draft: Draft, scene: Scene) -> None:
    text = draft.general["MA_TRA_CUU_UUID"]
    draft.general["MA_TRA_CUU_UUID"] = f"{text[:14]}1{text[15:]}"


def _repeated_tag(draft: Draft, scene: Scene) -> None:
    draft.extra = "<GIOI_TINH>Nam</GIOI_TINH>"


def _other_school(draft: Draft, scene: Scene) -> None:
    others = [school for school in scene.province.schools if school.code != draft.school.code]
    draft.general["MA_TRUONG"] = others[draft.number % len(others)].code


def _subject_twice(draft: Draft, scene: Scene) -> None:
    first = draft.rows[0]
    draft.rows.append(Row(dict(first.fields)))


def _test_where_none_is(draft: Draft, scene: Scene) -> None:
    row = next(row for row in draft.rows if row.fields["MA_MON_HOC"] == "03")
    row.fields["DIEM_KIEM_TRA_DINH_KY"] = "9"


def _bad_test(draft: Draft, scene: Scene) -> None:
    row = next(row for row in draft.rows if row.fields["MA_MON_HOC"] == "01")
    row.fields["DIEM_KIEM_TRA_DINH_KY"] = "8.5"


def _bad_mark(draft: Draft, scene: Scene) -> None:
    row = next(row for row in draft.rows if row.fields["MA_MON_HOC"] == "15")
    row.fields["DIEM_CA_NAM"] = "9,5"


def _head_differs(draft: Draft, scene: Scene) -> None:
    draft.general["SO_CCCD_GIAM_HIEU_KY_HOC_BA"] = draft.school.teachers[-1].cccd


def _no_history(draft: Draft, scene: Scene) -> None:
    draft.history = []


def _no_promotion(draft: Draft, scene: Scene) -> None:
    draft.summary["DUOC_LEN_LOP"] = ""


def _uuid_again(draft: Draft, scene: Scene) -> None:
    assert scene.previous is not None
    draft.lookup_uuid = scene.previous.lookup_uuid
    draft.general["MA_TRA_CUU_UUID"] = str(draft.lookup_uuid)


def _pupil_again(draft: Draft, scene: Scene) -> None:
    assert scene.previous is not None
    other = make_draft(scene.province, scene.pki, draft.school, scene.previous.number)
    with_other_pupil(draft, other)


def _total(draft: Draft, scene: Scene) -> None:
    best = draft.summary["KET_QUA_XEP_LOAI"] == "Hoàn thành xuất sắc"
    draft.summary["KET_QUA_XEP_LOAI"] = "Hoàn thành tốt" if best else "Hoàn thành xuất sắc"


def _learning(draft: Draft, scene: Scene) -> None:
    best = draft.summary["KET_QUA_HOC_TAP_CA_NAM"] == "T"
    draft.summary["KET_QUA_HOC_TAP_CA_NAM"] = "K" if best else "T"


def _title(draft: Draft, scene: Scene) -> None:
    draft.summary["DANH_HIEU"] = _OTHER_TITLE.get(draft.summary["DANH_HIEU"], "Học sinh Giỏi")


def _promotion(draft: Draft, scene: Scene) -> None:
    draft.summary["DUOC_LEN_LOP"] = "0" if draft.summary["DUOC_LEN_LOP"] == "1" else "1"


def _number_of_other_sex(draft: Draft, scene: Scene) -> None:
    number = draft.general["SO_CCCD"]
    draft.general["SO_CCCD"] = f"{number[:3]}{int(number[3]) ^ 1}{number[4:]}"


def _number_of_other_year(draft: Draft, scene: Scene) -> None:
    number = draft.general["SO_CCCD"]
    # Years nobody of the rehearsal was born in, so that the number stays nobody else's.
    draft.general["SO_CCCD"] = f"{number[:4]}{(int(number[4:6]) + 60) % 100:02d}{number[6:]}"


def _subject_of_other_grade(draft: Draft, scene: Scene) -> None:
    code, name = ("13", "Khoa học") if draft.pupil.grade <= 3 else ("04", "Tự nhiên và Xã hội")
    fields = {"MA_MON_HOC": code, "TEN_MON_HOC": name, "MUC_DAT_DUOC": draft.rows[0].fields["MUC_DAT_DUOC"]}
    draft.rows.append(Row(fields))


def _subject_name(draft: Draft, scene: Scene) -> None:
    draft.rows[1].fields["TEN_MON_HOC"] = draft.rows[0].fields["TEN_MON_HOC"]


def _refused(name: str, says: str, edit: Edit, levels: tuple[str, ...] = EVERY_LEVEL) -> Fault:
    return Fault(name, Outcome.REFUSED, frozenset(says.split()), levels, edit)


def _warned(name: str, says: str, edit: Callable[[Draft, Scene], None], levels: tuple[str, ...] = EVERY_LEVEL) -> Fault:
    return Fault(name, Outcome.WARNED, frozenset(says.split()), levels, edit)


FAULTS = (
    _refused("missing-field", "F-REQUIRED", _set("NOI_SINH", "")),
    _refused("missing-promotion", "F-REQUIRED", _no_promotion),
    _refused("missing-history", "F-GROUP-MISSING", _no_history),
    _refused("empty-tag", "F-EMPTY", _extra("<DOI_TUONG_CHINH_SACH></DOI_TUONG_CHINH_SACH>")),
    _refused("repeated-tag", "F-DUPLICATE", _repeated_tag),
    replace(
        _refused("foreign-tag", "F-FOREIGN", _extra('<x:GHI_CHU xmlns:x="urn:la">1</x:GHI_CHU>')), spoils_file=True
    ),
    _refused("not-composed", "F-NOT-NFC", _not_composed),
    _refused("hidden-character", "F-CONTROL", _set("HO_VA_TEN", "Nguyễn \u202eMẫu")),
    _refused("too-long", "F-TOO-LONG", _set_summary("NHAN_XET_GVCN", "Em ngoan. " * 250)),
    _refused("bad-code", "F-CODE", _set("GIOI_TINH", "Trai")),
    _refused("bad-grade", "F-CODE F-GRADE-LEVEL", _set("MA_KHOI", "13")),
    _refused("bad-range", "F-RANGE", _set("CHIEU_CAO", "999"), (PRIMARY,)),
    _refused("bad-number", "F-NUMBER", _set("CAN_NANG", "hai mươi"), (PRIMARY,)),
    _refused("bad-date", "F-DATE", _set("NGAY_SINH", "31/02/2017")),
    _refused("bad-uuid", "F-UUID", _uuid_not_4),
    _refused("bad-cccd", "F-CCCD", _set("SO_CCCD", "09911700012")),
    _refused("bad-year", "F-YEAR F-WRONG-YEAR", _set("TEN_NAM_HOC", "2025-2027")),
    _refused("bad-flag", "F-FLAG", _set_summary("DUOC_LEN_LOP", "2")),
    _refused("bad-test", "F-MARK", _bad_test, (PRIMARY,)),
    _refused("bad-mark", "F-MARK", _bad_mark, SECONDARY),
    _refused("test-where-none-is", "F-TEST-SUBJECT", _test_where_none_is, (PRIMARY,)),
    _refused("subject-twice", "F-SUBJECT-TWICE", _subject_twice, (PRIMARY,)),
    _refused("head-differs", "F-SIGNER-DIFFERS", _head_differs),
    _refused("wrong-school", "F-WRONG-SCHOOL", _other_school),
    _refused("wrong-department", "F-WRONG-DEPARTMENT", _set("MA_SO_GIAO_DUC", "01")),
    _refused("unknown-profile", "", _set("PHIEN_BAN", "9.9")),
    Fault("uuid-again", Outcome.REFUSED, frozenset(), edit=_uuid_again, needs_previous=True),
    Fault("pupil-again", Outcome.REFUSED, frozenset(), edit=_pupil_again, needs_previous=True),
    _warned("total", "F-TOTAL", _total, (PRIMARY,)),
    _warned("learning-result", "F-LEARNING", _learning, SECONDARY),
    _warned("title", "F-TITLE", _title, SECONDARY),
    _warned("promotion", "F-PROMOTION", _promotion),
    _warned("number-of-other-sex", "F-CCCD-SEX", _number_of_other_sex),
    _warned("number-of-other-year", "F-CCCD-YEAR", _number_of_other_year),
    _warned("subject-of-other-grade", "F-SUBJECT-GRADE", _subject_of_other_grade, (PRIMARY,)),
    _warned("subject-name", "F-SUBJECT-NAME", _subject_name),
    _warned("unknown-tag", "F-UNKNOWN-TAG", _extra("<GHI_CHU_RIENG>nội bộ</GHI_CHU_RIENG>")),
)
