"""Names that look Vietnamese and are plainly invented: people, communes, schools, addresses, vendors.

Schools and communes all carry the word "Mẫu" (sample); 12-digit numbers begin with a province code that was never given
out (`INVENTED_PROVINCE`), so none of them can be a real person's.
"""

from random import Random

# The codes of birth registration run from 001 to 096 with gaps; 099 belongs to nobody.
INVENTED_PROVINCE = "099"
PROVINCE_NAME = "Tỉnh Mẫu"
DEPARTMENT_NAME = "Sở Giáo dục và Đào tạo Tỉnh Mẫu"
DEPARTMENT_CODE = "99"

FAMILIES = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương",
    "Lý", "Đinh", "Mai", "Trịnh", "Lương", "Tạ", "Châu",
)  # fmt: skip
MIDDLE_BOYS = ("Văn", "Hữu", "Đức", "Minh", "Quang", "Gia", "Anh", "Quốc", "Nhật", "Thành", "Tuấn", "Khánh")
MIDDLE_GIRLS = ("Thị", "Ngọc", "Thu", "Bảo", "Khánh", "Thanh", "Phương", "Mỹ", "Diệu", "Thùy", "Minh", "Hoài")
BOYS = (
    "An", "Bách", "Cường", "Dũng", "Đạt", "Hải", "Hiếu", "Hùng", "Huy", "Khang", "Khoa", "Kiên", "Lâm", "Long", "Minh",
    "Nam", "Nghĩa", "Phong", "Phúc", "Quân", "Sơn", "Tài", "Thắng", "Thịnh", "Tiến", "Toàn", "Trung", "Tùng", "Việt",
    "Vinh",
)  # fmt: skip
GIRLS = (
    "An", "Anh", "Chi", "Châu", "Diệp", "Dung", "Giang", "Hà", "Hân", "Hạnh", "Hiền", "Hoa", "Hương", "Khuê", "Lan",
    "Linh", "Mai", "My", "Nga", "Ngân", "Nhi", "Nhung", "Oanh", "Phương", "Quyên", "Thảo", "Trang", "Trâm", "Uyên",
    "Yến",
)  # fmt: skip

FLOWERS = (
    "Hoa Sen", "Hoa Mai", "Hoa Đào", "Hoa Cúc", "Hướng Dương", "Bằng Lăng", "Phượng Vĩ", "Hoa Ban", "Ngọc Lan",
    "Dạ Hương", "Thiên Lý", "Hoa Gạo", "Mẫu Đơn", "Hoa Sữa", "Sơn Ca", "Chim Én",
)  # fmt: skip
COMMUNES = (
    "Xã Mẫu Đồng Xanh", "Phường Mẫu Bình Minh", "Xã Mẫu Suối Mơ", "Phường Mẫu Hòa Thuận", "Xã Mẫu Đồi Thông",
    "Phường Mẫu Bến Nước", "Xã Mẫu Ruộng Bậc", "Đặc khu Mẫu Đảo Yến", "Xã Mẫu Rừng Tràm", "Phường Mẫu Cầu Mới",
    "Xã Mẫu Nắng Sớm", "Phường Mẫu Vườn Cam",
)  # fmt: skip
HAMLETS = (
    "Thôn Mẫu Một", "Thôn Mẫu Hai", "Ấp Mẫu Đông", "Ấp Mẫu Tây", "Tổ dân phố Mẫu 3", "Tổ dân phố Mẫu 7",
    "Bản Mẫu Thượng",
)  # fmt: skip
ETHNIC_GROUPS = ("Kinh", "Kinh", "Kinh", "Kinh", "Kinh", "Kinh", "Kinh", "Tày", "Thái", "Mường", "Khmer", "Hoa")
VENDORS = (
    ("MAU-ALPHA", "Phần mềm trường học Mẫu Alpha"),
    ("MAU-BETA", "Phần mềm quản lý Mẫu Beta"),
    ("MAU-GAMMA", "Nền tảng giáo dục Mẫu Gamma"),
)


def person_name(rng: Random, *, female: bool) -> str:
    """A family, a middle and a given name."""
    if female:
        return f"{rng.choice(FAMILIES)} {rng.choice(MIDDLE_GIRLS)} {rng.choice(GIRLS)}"
    return f"{rng.choice(FAMILIES)} {rng.choice(MIDDLE_BOYS)} {rng.choice(BOYS)}"


def cccd(*, female: bool, year: int, serial: int) -> str:
    """12 digits: province of birth registration, sex and century, year, serial (decree 137/2015, article 13)."""
    sex_and_century = 2 * (year // 100 - 19) + (1 if female else 0)
    return f"{INVENTED_PROVINCE}{sex_and_century}{year % 100:02d}{serial:06d}"


def commune_name(index: int) -> str:
    name = COMMUNES[index % len(COMMUNES)]
    return name if index < len(COMMUNES) else f"{name} {index // len(COMMUNES) + 1}"


def commune_code(index: int) -> str:
    """Five digits, above every code in use."""
    return f"{99001 + index * 3:05d}"


def school_name(kind: str, index: int) -> str:
    """E.g. `Trường Tiểu học Mẫu Hoa Sen 03`."""
    return f"Trường {kind} Mẫu {FLOWERS[index % len(FLOWERS)]} {index + 1:02d}"


def address(rng: Random, commune: str) -> str:
    return f"{rng.choice(HAMLETS)}, {commune}, {PROVINCE_NAME}"
