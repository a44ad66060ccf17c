"""Makes signed records: draft (fields and signers) → text → signatures → bytes as the school's software writes them.

The same province, school and number give the same bytes as long as the key pool is the same.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from portal.rehearsal import primary, secondary
from portal.rehearsal.calendar import stamp
from portal.rehearsal.draft import Draft, Fields, Row, Slot, Writer
from portal.rehearsal.pki import Pki
from portal.rehearsal.province import PRIMARY, Person, Province, School
from portal.rehearsal.pupils import Pupil, make_pupil
from portal.rehearsal.signer import Target, escape, sign
from portal.rehearsal.spelling import SPELLINGS, Spelling


@dataclass(frozen=True)
class MadeRecord:
    """A finished record: `data` is the `HOC_BA` element, byte for byte as the school made it."""

    data: bytes
    lookup_uuid: uuid.UUID
    school: School
    pupil: Pupil
    number: int
    level: str
    school_year: str
    spelling: str
    fault: str | None = None  # code of the planted breach, see `faults`

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def make_record(
    province: Province, pki: Pki, school: School, number: int, *, spelling: Spelling | None = None
) -> MadeRecord:
    """The valid record of a school's pupil `number`."""
    return finish(make_draft(province, pki, school, number, spelling=spelling))


def finish(draft: Draft, *, fault: str | None = None) -> MadeRecord:
    """Renders and signs a draft."""
    return seal_up(draft, render(draft), fault=fault)


def seal_up(draft: Draft, text: str, *, fault: str | None = None) -> MadeRecord:
    """The bytes of a text, with the line ends of the school's system."""
    if draft.windows_lines:
        text = text.replace("\n", "\r\n")
    return MadeRecord(
        data=text.encode(),
        lookup_uuid=draft.lookup_uuid,
        school=draft.school,
        pupil=draft.pupil,
        number=draft.number,
        level=draft.general.get("MA_CAP_HOC", draft.school.level),
        school_year=draft.general.get("TEN_NAM_HOC", ""),
        spelling=draft.spelling.name,
        fault=fault,
    )


def make_draft(province: Province, pki: Pki, school: School, number: int, *, spelling: Spelling | None = None) -> Draft:
    """Fields and signers of a valid record, still open to a planted breach."""
    pupil = make_pupil(province, school, number)
    rng = Random(pupil.rng_seed + "/record")
    homeroom = school.homeroom_teacher(pupil.class_index * 5 + pupil.grade)
    # A vendor's software always spells alike; within a vendor two versions are about.
    versions = [one for i, one in enumerate(SPELLINGS) if i % 3 == school.index % 3]
    style = spelling or versions[rng.randrange(len(versions))]
    draft = Draft(
        school=school,
        pupil=pupil,
        number=number,
        lookup_uuid=pupil.lookup_uuid,
        spelling=style,
        pretty=school.index % 2 == 1,
        windows_lines=school.index % 4 == 1,
        general=_general(province, school, pupil, homeroom, rng),
        history=_history(province, school, pupil),
        rows=[],
        qualities={},
        summary={},
    )
    if school.level == PRIMARY:
        draft.rows, draft.qualities, draft.summary = primary.results(rng, pupil.grade, words=school.index % 5 == 2)
    else:
        draft.rows, draft.summary = secondary.results(rng, pupil.grade, school)
    draft.slots = _slots(province, pki, draft, homeroom, rng=rng)
    return draft


def _general(province: Province, school: School, pupil: Pupil, homeroom: Person, rng: Random) -> Fields:
    calendar = province.calendar
    is_primary = school.level == PRIMARY
    born = pupil.born_on.strftime("%d/%m/%Y") if school.index % 2 else pupil.born_on.isoformat()
    return {
        "PHIEN_BAN": "1.0" if is_primary else "2.0",
        "THONG_TU": ("27/2020/TT-BGDĐT", "27/2020")[school.index % 2] if is_primary else "22/2021/TT-BGDĐT",
        "MA_TRA_CUU_UUID": str(pupil.lookup_uuid),
        "TEN_NAM_HOC": calendar.school_year,
        "MA_SO_GIAO_DUC": province.code,
        "TEN_SO_GD": province.department_name,
        "MA_TRUONG": school.code,
        "TEN_TRUONG": school.name,
        "TEN_XA_PHUONG": school.commune.name,
        "TEN_TINH_THANH_PHO": province.name,
        "MA_CAP_HOC": school.level,
        "SO_SO_DANG_BO": f"{pupil.class_index + 1:02d}-{int(pupil.code[6:]):05d}",
        "HO_VA_TEN": pupil.name,
        "SO_CCCD": pupil.cccd,
        "MA_HOC_SINH": pupil.code,
        "GIOI_TINH": "Nữ" if pupil.female else "Nam",
        "NGAY_SINH": born,
        **(_body(rng, pupil) if is_primary else {}),
        "NOI_SINH": pupil.birth_place,
        "QUE_QUAN": pupil.home,
        "CHO_O_HIEN_NAY": pupil.address,
        "DAN_TOC": pupil.ethnic_group,
        "QUOC_TICH": "Việt Nam",
        "HO_VA_TEN_CHA": pupil.father,
        "HO_VA_TEN_ME": pupil.mother,
        "TEN_GIAM_HIEU_KY_HOC_BA": school.head.name,
        "SO_CCCD_GIAM_HIEU_KY_HOC_BA": school.head.cccd,
        "DIA_DANH_PHAT_HANH_HOC_BA": school.commune.name,
        "NGAY_TAO_HOC_BA": stamp(calendar.moment(month=5, day=18)),
        "NGAY_KY_PHAT_HANH_HOC_BA": stamp(calendar.moment(month=5, day=28)),
        "CHUC_VU_GIAM_HIEU_KY_HOC_BA": school.head_title,
        "TEN_GIAO_VIEN_CHU_NHIEM": homeroom.name,
        "SO_CCCD_GIAO_VIEN_CHU_NHIEM": homeroom.cccd,
        "MA_KHOI": f"{pupil.grade:02d}",
        "TEN_LOP": pupil.class_name,
        "NAM_HOC": calendar.school_year,
    }


def _body(rng: Random, pupil: Pupil) -> Fields:
    return {
        "CAN_NANG": f"{16 + pupil.grade * 3.2 + rng.uniform(-2, 6):.1f}",
        "CHIEU_CAO": str(round(108 + pupil.grade * 6 + rng.uniform(-6, 8))),
        "TONG_SO_BUOI_NGHI_CO_PHEP": str(rng.choices((0, 1, 2, 3, 6), (40, 25, 20, 10, 5))[0]),
        "THONG_SO_BUOI_NGHI_KHONG_PHEP": str(rng.choices((0, 1), (92, 8))[0]),
    }


def _history(province: Province, school: School, pupil: Pupil) -> list[Fields]:
    """A line per year at this level, the last one being the year of the record."""
    start = province.calendar.start
    first = {"02": 1, "03": 6, "04": 10}[school.level]
    return [
        {
            "NAM_HOC": f"{start - back}-{start - back + 1}",
            "TEN_LOP": f"{pupil.grade - back}{pupil.class_name.lstrip('0123456789')}",
            "TEN_TRUONG": school.name,
            "NGAY_TRANG_THAI_CHUYEN_DEN": f"{start - back}-09-05T00:00:00+07:00",
        }
        for back in range(pupil.grade - first, -1, -1)
    ]


def _slots(province: Province, pki: Pki, draft: Draft, homeroom: Person, *, rng: Random) -> list[Slot]:
    """Everybody in the order of signing: subject teachers, homeroom teacher, head, school."""
    school = draft.school
    day = province.calendar.moment(month=5, day=19)
    minutes = timedelta(minutes=rng.randrange(480), seconds=rng.randrange(60))
    slots: list[Slot] = []
    for index, row in enumerate(row for row in draft.rows if row.id):
        teacher = school.subject_teacher(index)
        at = day + timedelta(days=index % 3) + minutes
        slots.append(Slot("GVBM", pki.person(teacher, school), teacher.cccd, at, str(row.id), row.pair_id))
    whole = "data" if school.level == PRIMARY else "thongtinhocba"
    # In v1.0 the homeroom teacher's signature is optional; a few schools do without.
    if school.level != PRIMARY or school.index % 10 != 6:
        at = day + timedelta(days=4) + minutes
        slots.append(Slot("GVCN", pki.person(homeroom, school), homeroom.cccd, at, whole))
    at = day + timedelta(days=7) + minutes
    slots.append(Slot("CBQL", pki.person(school.head, school), school.head.cccd, at, "data"))
    slots.append(Slot("KY_PHAT_HANH", pki.organisation(school), None, day + timedelta(days=9) + minutes, "data"))
    return slots


def render(draft: Draft) -> str:
    """The whole `HOC_BA` as text, every slot signed."""
    writer = Writer(pretty=draft.pretty)
    data, texts = _data(draft, writer)
    targets = {id_: Target(id_, text) for id_, text in texts.items()}
    signed = {id(slot): _signed(draft, writer, slot, targets) for slot in draft.slots}
    region = writer.block("DANH_SACH_THONG_TIN_KY", _region(draft, writer, signed))
    namespaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in draft.spelling.scope)
    return writer.block("HOC_BA", [data, region], f'{namespaces} id="HB-{draft.lookup_uuid}"')


def _data(draft: Draft, writer: Writer) -> tuple[str, dict[str, str]]:
    """The data element, and the canonical text of every id that can be signed."""
    id_name = draft.spelling.id_name
    texts: dict[str, str] = {}
    rows = []
    for row in draft.rows:
        rows.append(_row(row, writer, id_name))
        if row.id:
            texts[row.id] = rows[-1]
    content = [
        writer.block("THONG_TIN_CHUNG", [*writer.fields(draft.general), *([draft.extra] if draft.extra else [])]),
        writer.block("QUA_TRINH_HOC_TAP", [writer.block("QUA_TRINH", writer.fields(one)) for one in draft.history]),
        writer.block("TONG_KET", _results(draft, writer, rows)),
    ]
    if draft.is_secondary:
        inner = writer.block("THONG_TIN_HOC_BA", content, f' {id_name}="thongtinhocba"')
        texts["thongtinhocba"] = inner
        content = [inner]
    data = writer.block("DU_LIEU_HOC_BA", content, f' {id_name}="{draft.data_id}"')
    texts[draft.data_id] = data
    return data, texts


def _row(row: Row, writer: Writer, id_name: str) -> str:
    if not row.id:
        return writer.block("MON_HOC", writer.fields(row.fields))
    teacher = writer.block("GVBM", writer.fields(row.teacher), f' {id_name}="{row.pair_id}"')
    return writer.block("DIEM_TONG_KET", [*writer.fields(row.fields), teacher], f' {id_name}="{row.id}"')


def _results(draft: Draft, writer: Writer, rows: list[str]) -> list[str]:
    parts = [writer.block("BANG_DIEM", rows)] if rows else []
    if draft.qualities:
        parts.append(writer.block("DANH_GIA_NANG_LUC_PHAM_CHAT", writer.fields(draft.qualities)))
    return parts + writer.fields(draft.summary)


def _signed(draft: Draft, writer: Writer, slot: Slot, targets: dict[str, Target]) -> str:
    """One signer's block: date, number, signature."""
    name = slot.pair_id or slot.role.lower().replace("_", "-")
    signature = sign(
        [targets[slot.target]],
        identity=slot.identity,
        at=slot.at,
        spelling=draft.spelling,
        signature_id=f"sig-{name}",
        digest=slot.digest,
        cover_time=slot.cover_time,
    )
    fields = [f"<NGAY_KY>{stamp(slot.at)}</NGAY_KY>"]
    if slot.cccd is not None:
        fields.append(f"<SO_CCCD>{escape(slot.cccd)}</SO_CCCD>")
    attributes = f' {draft.spelling.id_name}="{slot.pair_id}"' if slot.pair_id else ""
    return writer.block(slot.role, [*fields, signature], attributes)


def _region(draft: Draft, writer: Writer, signed: dict[int, str]) -> list[str]:
    by_role: dict[str, list[str]] = {}
    for slot in draft.slots:
        by_role.setdefault(slot.role, []).append(signed[id(slot)])
    people = by_role.get("GVCN", [])
    issuing = by_role.get("CBQL", []) + by_role.get("KY_PHAT_HANH", [])
    if not draft.is_secondary:
        return people + issuing
    teachers = [writer.block("DANH_SACH_GVBM", by_role["GVBM"])] if "GVBM" in by_role else []
    return [*teachers, *people, writer.block("PHAT_HANH_HOC_BA", issuing)]
