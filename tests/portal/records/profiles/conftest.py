"""A fixed cast: one good primary record and one good secondary record, to be spoilt field by field."""

import datetime
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from portal.records.profiles import Finding, Profile, RuleContext, registry
from signing import xml

TODAY = datetime.date(2025, 6, 30)

GENERAL = {
    "MA_TRA_CUU_UUID": "3b241101-e2bb-4255-8caf-4136c566a962",
    "TEN_NAM_HOC": "2024-2025",
    "MA_SO_GIAO_DUC": "99",
    "TEN_SO_GD": "Sở Giáo dục và Đào tạo tỉnh Mẫu",
    "MA_TRUONG": "99001001",
    "TEN_TRUONG": "Trường Mẫu",
    "TEN_QUAN_HUYEN": "Huyện Mẫu",
    "TEN_XA_PHUONG": "Xã Mẫu",
    "TEN_TINH_THANH_PHO": "Tỉnh Mẫu",
    "SO_SO_DANG_BO": "01-0001",
    "HO_VA_TEN": "Nguyễn Thị Mẫu",
    "MA_HOC_SINH": "9900000001",
    "GIOI_TINH": "Nữ",
    "NOI_SINH": "Xã Mẫu, Tỉnh Mẫu",
    "QUE_QUAN": "Xã Mẫu, Tỉnh Mẫu",
    "CHO_O_HIEN_NAY": "Xã Mẫu, Tỉnh Mẫu",
    "DAN_TOC": "Kinh",
    "QUOC_TICH": "Việt Nam",
    "HO_VA_TEN_ME": "Trần Thị Mẫu",
    "TEN_GIAM_HIEU_KY_HOC_BA": "Lê Văn Hiệu",
    "SO_CCCD_GIAM_HIEU_KY_HOC_BA": "099075000001",
    "DIA_DANH_PHAT_HANH_HOC_BA": "Xã Mẫu",
    "NGAY_TAO_HOC_BA": "2025-05-20",
    "NGAY_KY_PHAT_HANH_HOC_BA": "2025-05-29",
    "CHUC_VU_GIAM_HIEU_KY_HOC_BA": "Hiệu trưởng",
    "TEN_GIAO_VIEN_CHU_NHIEM": "Phạm Thị Chủ",
    "SO_CCCD_GIAO_VIEN_CHU_NHIEM": "099185000002",
    "NAM_HOC": "2024-2025",
}
HISTORY = {"TEN_LOP": "4A", "TEN_TRUONG": "Trường Mẫu", "NGAY_TRANG_THAI_CHUYEN_DEN": "05/09/2024"}
PRIMARY_SUBJECTS = [
    ("02", "Tiếng Việt", "T", "9"),
    ("01", "Toán", "T", "10"),
    ("11", "Ngoại ngữ 1", "Hoàn thành tốt", "9"),
    ("13", "Khoa học", "T", "9"),
    ("05", "Lịch sử và Địa lí", "T", "9.0"),
    ("12", "Tin học và Công nghệ (Tin học)", "T", "9"),
    ("88", "Giáo dục thể chất", "T", None),
    ("14", "Tiếng dân tộc", "M", None),
]
ABILITIES = [
    "NANG_LUC_TU_CHU_TU_HOC", "NANG_LUC_GIAO_TIEP_HOC_TAC", "NANG_LUC_GIAI_QUYET_VAN_DE_SANG_TAO",
    "NANG_LUC_NGON_NGU", "NANG_LUC_TINH_TOAN", "NANG_LUC_KHOA_HOC", "NANG_LUC_CONG_NGHE", "NANG_LUC_TIN_HOC",
    "NANG_LUC_THAM_MI", "NANG_LUC_THE_CHAT", "PHAM_CHAT_YEU_NUOC", "PHAM_CHAT_NHAN_AI", "PHAM_CHAT_CHAM_CHI",
    "PHAM_CHAT_TRUNG_THUC", "PHAM_CHAT_TRACH_NHIEM",
]  # fmt: skip
SECONDARY_SUBJECTS = [
    ("15", "Toán", "8.1", "8.4", "8.3"),
    ("19", "Ngữ văn", "7.0", "7.6", "7.4"),
    ("69", "Ngoại ngữ 1", "8.5", "8.5", "8.5"),
    ("26", "Giáo dục công dân", "9.0", "9.0", "9.0"),
    ("05", "Lịch sử và Địa lí", "8.0", "8.0", "8.0"),
    ("66", "Khoa học tự nhiên", "8.0", "8.3", "8.2"),
    ("32", "Tin học", "9.0", "9.3", "9.2"),
    ("88", "Giáo dục thể chất", "Đ", "Đ", "Đ"),
    ("97", "Nghệ thuật", "Đạt", "Đạt", "Đạt"),
    ("14", "Tiếng dân tộc thiểu số", "M", "M", "M"),
]


class Sample:
    """A record as a tree of ElementTree, changed by path, read by the house's own parser."""

    def __init__(self, profile: Profile, root: ET.Element) -> None:
        self.profile = profile
        self.root = root

    def at(self, ref: str, row: int = 0) -> ET.Element:
        """`general`, `general/HO_VA_TEN`, `subjects/MUC_DAT_DUOC` of the row asked for."""
        key, _, tag = ref.partition("/")
        element = self.root.findall(self.profile.groups[key].path)[row]
        found = element.find(tag) if tag else element
        assert found is not None, ref
        return found

    def put(self, ref: str, text: str, row: int = 0) -> None:
        key, _, tag = ref.partition("/")
        parent = self.at(key, row)
        if parent.find(tag) is None:
            ET.SubElement(parent, tag)
        self.at(ref, row).text = text

    def drop(self, ref: str, row: int = 0) -> None:
        gone = self.at(ref, row)
        parent = next(element for element in self.root.iter() if gone in list(element))
        parent.remove(gone)

    def parse(self) -> xml.Element:
        return xml.parse(ET.tostring(self.root, encoding="utf-8")).root


def _fill(parent: ET.Element, values: dict[str, str | None]) -> ET.Element:
    for tag, text in values.items():
        if text is not None:
            ET.SubElement(parent, tag).text = text
    return parent


def _grow(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def primary_sample(profile: Profile) -> Sample:
    root = ET.Element("HOC_BA", {"id": "HB-1"})
    data = _grow(root, "DU_LIEU_HOC_BA", Id="data")
    marks = {"PHIEN_BAN": "1.0", "THONG_TU": "27/2020/TT-BGDĐT", "MA_CAP_HOC": "02", "MA_KHOI": "04", "TEN_LOP": "4A"}
    health = {"CAN_NANG": "30.5", "CHIEU_CAO": "135", "TONG_SO_BUOI_NGHI_CO_PHEP": "2"}
    person = {"SO_CCCD": "099315000003", "NGAY_SINH": "2015-03-02", "THONG_SO_BUOI_NGHI_KHONG_PHEP": "0"}
    _fill(_grow(data, "THONG_TIN_CHUNG"), {**GENERAL, **marks, **health, **person})
    _fill(_grow(_grow(data, "QUA_TRINH_HOC_TAP"), "QUA_TRINH"), HISTORY)
    total = _grow(data, "TONG_KET")
    table = _grow(total, "BANG_DIEM")
    for code, name, level, test in PRIMARY_SUBJECTS:
        row = {"MA_MON_HOC": code, "TEN_MON_HOC": name, "MUC_DAT_DUOC": level, "DIEM_KIEM_TRA_DINH_KY": test}
        _fill(_grow(table, "MON_HOC"), row)
    comments = ("NHAN_XET_PHAM_CHAT", "NHAN_XET_NANG_LUC_CHUNG", "NHAN_XET_NANG_LUC_DAC_THU")
    qualities = {**dict.fromkeys(ABILITIES, "T"), **dict.fromkeys(comments, "Em chăm ngoan.")}
    _fill(_grow(total, "DANH_GIA_NANG_LUC_PHAM_CHAT"), qualities)
    summary = {
        "KET_QUA_XEP_LOAI": "Hoàn thành xuất sắc",
        "DUOC_LEN_LOP": "1",
        "DA_HOAN_THANH_CHUONG_TRINH_LOP_HOC": "1",
    }
    _fill(total, {**summary, "NHAN_XET_GVCN": "Em học tốt."})
    signatures = _grow(root, "DANH_SACH_THONG_TIN_KY")
    _fill(_grow(signatures, "GVCN"), {"NGAY_KY": "2025-05-27T08:00:00+07:00", "SO_CCCD": "099185000002"})
    _fill(_grow(signatures, "CBQL"), {"NGAY_KY": "2025-05-28T08:00:00+07:00", "SO_CCCD": "099075000001"})
    _fill(_grow(signatures, "KY_PHAT_HANH"), {"NGAY_KY": "2025-05-29T08:00:00+07:00"})
    return Sample(profile, root)


def secondary_sample(profile: Profile) -> Sample:
    root = ET.Element("HOC_BA", {"id": "HB-2"})
    content = _grow(_grow(root, "DU_LIEU_HOC_BA", Id="data"), "THONG_TIN_HOC_BA", Id="thongtinhocba")
    marks = {"PHIEN_BAN": "2.0", "THONG_TU": "22/2021/TT-BGDĐT", "MA_CAP_HOC": "03", "MA_KHOI": "07", "TEN_LOP": "7A"}
    person = {"SO_CCCD": "099312000003", "NGAY_SINH": "02/03/2012"}
    _fill(_grow(content, "THONG_TIN_CHUNG"), {**GENERAL, **marks, **person})
    _fill(_grow(_grow(content, "QUA_TRINH_HOC_TAP"), "QUA_TRINH"), HISTORY)
    total = _grow(content, "TONG_KET")
    table = _grow(total, "BANG_DIEM")
    signatures = _grow(root, "DANH_SACH_THONG_TIN_KY")
    teachers = _grow(signatures, "DANH_SACH_GVBM")
    for number, (code, name, first, second, year) in enumerate(SECONDARY_SUBJECTS, start=1):
        row = _grow(table, "DIEM_TONG_KET", Id=f"mon-{code}")
        terms = {"DIEM_HOC_KY_1": first, "DIEM_HOC_KY_2": second, "DIEM_CA_NAM": year}
        _fill(row, {"MA_MON_HOC": code, "TEN_MON_HOC": name, **terms, "NHAN_XET_MON_HOC": "Nắm vững kiến thức."})
        teacher = {"HO_VA_TEN": f"Giáo viên {name}", "SO_CCCD": f"0991800001{number:02d}"}
        _fill(_grow(row, "GVBM", Id=f"gv-{code}"), teacher)
        signed = {"NGAY_KY": "2025-05-25T08:00:00+07:00", "SO_CCCD": teacher["SO_CCCD"]}
        _fill(_grow(teachers, "GVBM", Id=f"gv-{code}"), signed)
    results = (
        f"KET_QUA_{what}_{when}" for what in ("HOC_TAP", "REN_LUYEN") for when in ("HOC_KY_1", "HOC_KY_2", "CA_NAM")
    )
    summary = {"TONG_SO_BUOI_NGHI": "3", "DUOC_LEN_LOP": "1", "NOI_DUNG_DUOC_LEN_LOP": "Được lên lớp 8"}
    _fill(
        total, {**dict.fromkeys(results, "T"), **summary, "DANH_HIEU": "Học sinh Giỏi", "NHAN_XET_GVCN": "Em học tốt."}
    )
    _fill(_grow(signatures, "GVCN"), {"NGAY_KY": "2025-05-27T08:00:00+07:00", "SO_CCCD": "099185000002"})
    issue = _grow(signatures, "PHAT_HANH_HOC_BA")
    _fill(_grow(issue, "CBQL"), {"NGAY_KY": "2025-05-28T08:00:00+07:00", "SO_CCCD": "099075000001"})
    _fill(_grow(issue, "KY_PHAT_HANH"), {"NGAY_KY": "2025-05-29T08:00:00+07:00"})
    return Sample(profile, root)


@pytest.fixture
def primary() -> Sample:
    return primary_sample(registry()["primary-1.0"])


@pytest.fixture
def secondary() -> Sample:
    return secondary_sample(registry()["secondary-2.0"])


@pytest.fixture
def make_primary() -> Callable[[], Sample]:
    return lambda: primary_sample(registry()["primary-1.0"])


@pytest.fixture
def make_secondary() -> Callable[[], Sample]:
    return lambda: secondary_sample(registry()["secondary-2.0"])


@pytest.fixture
def context() -> RuleContext:
    return RuleContext(
        today=TODAY,
        school_code="99001001",
        department_code="99",
        years=frozenset({"2023-2024", "2024-2025", "2025-2026"}),
        levels=frozenset({"02", "03", "04"}),
    )


@pytest.fixture
def examine(context: RuleContext) -> Callable[[Sample], list[Finding]]:
    return lambda sample: sample.profile.examine(sample.parse(), context)
