"""What the repository demands of one record: layout known, identifiers right, required fields there, signers present.

It reads the official texts on its own and shares nothing with the portal's profiles; it is deliberately shorter than
the portal's rules (marks and totals are the province's business). All errors of a record are told, not the first one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .seal import DS, Element

Error = tuple[str, str, str]  # code, field, sentence

_UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_CCCD: Final = re.compile(r"[0-9]{12}\Z")
_YEAR: Final = re.compile(r"(\d{4})\s*-\s*(\d{4})\Z")

# CV 2088 PL1, "Thông tin chung": what every generation of the file must carry.
_COMMON: Final = (
    "PHIEN_BAN",
    "THONG_TU",
    "MA_TRA_CUU_UUID",
    "TEN_NAM_HOC",
    "MA_SO_GIAO_DUC",
    "MA_TRUONG",
    "TEN_TRUONG",
    "MA_CAP_HOC",
    "HO_VA_TEN",
    "SO_CCCD",
    "MA_HOC_SINH",
    "GIOI_TINH",
    "NGAY_SINH",
    "MA_KHOI",
    "TEN_LOP",
)
_PRIMARY_ONLY: Final = (
    "TEN_SO_GD",
    "TEN_XA_PHUONG",
    "TEN_TINH_THANH_PHO",
    "SO_SO_DANG_BO",
    "CAN_NANG",
    "CHIEU_CAO",
    "NOI_SINH",
    "QUE_QUAN",
    "CHO_O_HIEN_NAY",
    "DAN_TOC",
    "QUOC_TICH",
    "TEN_GIAM_HIEU_KY_HOC_BA",
    "SO_CCCD_GIAM_HIEU_KY_HOC_BA",
    "NGAY_TAO_HOC_BA",
    "NGAY_KY_PHAT_HANH_HOC_BA",
)
_RECALL: Final = (
    "MA_TRA_CUU_UUID",
    "HO_VA_TEN",
    "GIOI_TINH",
    "NGAY_SINH",
    "SO_CCCD",
    "TEN_TRUONG",
    "MA_TRUONG",
    "TEN_NAM_HOC",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one generation of the file keeps what we look at; paths are absolute from `HOC_BA`."""

    name: str
    levels: tuple[str, ...]
    general: str
    results: str
    marks: str
    required: tuple[str, ...]
    issuing: str
    head: str


LAYOUTS: Final = (
    Layout(
        name="1.0",
        levels=("02",),
        general="DU_LIEU_HOC_BA/THONG_TIN_CHUNG",
        results="DU_LIEU_HOC_BA/TONG_KET",
        marks="BANG_DIEM/MON_HOC",
        required=(*_COMMON, *_PRIMARY_ONLY),
        issuing="DANH_SACH_THONG_TIN_KY/KY_PHAT_HANH",
        head="DANH_SACH_THONG_TIN_KY/CBQL",
    ),
    Layout(
        name="2.0",
        levels=("03", "04", "05"),
        general="DU_LIEU_HOC_BA/THONG_TIN_HOC_BA/THONG_TIN_CHUNG",
        results="DU_LIEU_HOC_BA/THONG_TIN_HOC_BA/TONG_KET",
        marks="BANG_DIEM/DIEM_TONG_KET",
        required=_COMMON,
        issuing="DANH_SACH_THONG_TIN_KY/PHAT_HANH_HOC_BA/KY_PHAT_HANH",
        head="DANH_SACH_THONG_TIN_KY/PHAT_HANH_HOC_BA/CBQL",
    ),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read from a record, and everything wrong with it."""

    fields: Mapping[str, str]
    layout: Layout | None
    errors: tuple[Error, ...]

    def field(self, name: str) -> str:
        return self.fields.get(name, "")

    @property
    def uuid(self) -> str:
        return self.field("MA_TRA_CUU_UUID").lower()


def examine(record: Element) -> Seen:
    """Judge one record by itself: what it says, not what we already hold."""
    layout = next((known for known in LAYOUTS if record.find(known.general) is not None), None)
    if layout is None:
        return Seen(
            _flat(record), None, (("STRUCTURE_UNKNOWN", "HOC_BA", "Cấu trúc học bạ không thuộc bản nào đã biết"),)
        )
    fields = _flat(record.find(layout.general))
    errors = _missing(fields, layout.required) + _codes(fields, layout) + _parts(record, layout)
    return Seen(fields, layout, tuple(errors))


def examine_recall(record: Element) -> Seen:
    """A recall's `HOC_BA` holds eight fields, flat; some senders keep them inside the general information."""
    for layout in LAYOUTS:
        general = record.find(layout.general)
        if general is not None:
            fields = _flat(general)
            return Seen(fields, layout, tuple(_missing(fields, _RECALL)))
    fields = _flat(record)
    return Seen(fields, None, tuple(_missing(fields, _RECALL)))


def _flat(parent: Element | None) -> dict[str, str]:
    if parent is None:
        return {}
    return {child.tag: (child.text or "").strip() for child in parent if isinstance(child.tag, str) and not len(child)}


def _missing(fields: Mapping[str, str], required: tuple[str, ...]) -> list[Error]:
    return [("FIELD_MISSING", name, f"Thiếu trường bắt buộc {name}") for name in required if not fields.get(name)]


def _codes(fields: Mapping[str, str], layout: Layout) -> list[Error]:
    errors: list[Error] = []
    uuid, cccd, level = fields.get("MA_TRA_CUU_UUID", ""), fields.get("SO_CCCD", ""), fields.get("MA_CAP_HOC", "")
    if uuid and not _UUID4.match(uuid):
        errors.append(("UUID_INVALID", "MA_TRA_CUU_UUID", "Mã tra cứu không phải UUID phiên bản 4"))
    if cccd and not _CCCD.match(cccd):
        errors.append(("CCCD_INVALID", "SO_CCCD", "Số định danh cá nhân phải đủ 12 chữ số"))
    if level and level not in layout.levels:
        errors.append(("LEVEL_INVALID", "MA_CAP_HOC", f"Cấp học {level} không đi với cấu trúc {layout.name}"))
    year = _YEAR.match(fields.get("TEN_NAM_HOC", ""))
    if fields.get("TEN_NAM_HOC") and (year is None or int(year[2]) != int(year[1]) + 1):
        errors.append(("YEAR_INVALID", "TEN_NAM_HOC", "Năm học phải có dạng YYYY-YYYY liên tiếp"))
    return errors


def _parts(record: Element, layout: Layout) -> list[Error]:
    errors: list[Error] = []
    results = record.find(layout.results)
    if results is None:
        errors.append(("PART_MISSING", "TONG_KET", "Thiếu phần tổng kết"))
    elif results.find(layout.marks) is None and not record.findtext(f"{layout.general}/KHUYET_TAT_KHONG_DANH_GIA"):
        errors.append(("PART_MISSING", "BANG_DIEM", "Bảng điểm không có môn học nào"))
    for place, title in ((layout.head, "CBQL"), (layout.issuing, "KY_PHAT_HANH")):
        if record.find(f"{place}/{{{DS}}}Signature") is None:
            errors.append(("SIGNATURE_MISSING", title, f"Thiếu chữ ký {title}"))
    return errors
