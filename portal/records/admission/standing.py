"""A record against the other records of the province: an id that is taken, a pupil who has one in force already.

Asked once per chunk, in the transaction that will store the chunk. What two workers do at the same moment is decided by
the unique constraints; the loser asks again and then sees the winner.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q

from portal.records.admission.judging import Judged
from portal.records.admission.wording import finding
from portal.records.models import Record
from portal.records.profiles import Finding
from portal.records.states import RecordState, Standing

_PupilKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Other:
    """A record already stored that an admitted one meets."""

    record_id: int
    school_id: int
    lookup_uuid: UUID
    pupil: _PupilKey
    is_recalled: bool
    is_rejected: bool  # by the Ministry: its place may be taken by a corrected one
    sha256: bytes


@dataclass(frozen=True)
class Outcome:
    """The chunk as it may be stored, and the earlier records whose place it takes."""

    judged: list[Judged]
    released: list[int]


def settle(judged: Sequence[Judged], *, school_id: int) -> Outcome:
    """Hold every clean record against what is stored and against the earlier ones of the same chunk."""
    clean = [one for one in judged if one.state is not RecordState.REFUSED and not one.is_unchecked]
    by_uuid, by_pupil = _others(clean)
    taken_uuids: set[UUID] = set()
    taken_pupils: set[_PupilKey] = set()
    released: list[int] = []
    result: list[Judged] = []
    for one in judged:
        if one.state is RecordState.REFUSED or one.is_unchecked:
            result.append(one)
            continue
        uuid, pupil = uuid_of(one), _pupil(one)
        if uuid is None:  # the profile's own rule has refused such a record already; never let it slip through here
            result.append(one.refused_for([_uuid_missing()]))
            continue
        met = {other.record_id: other for other in (by_uuid.get(uuid), by_pupil.get(pupil)) if other is not None}
        findings = [
            *_in_chunk(uuid in taken_uuids, pupil in taken_pupils),
            *_against(met.values(), one, uuid, school_id),
        ]
        if findings:
            result.append(one.refused_for(findings))
            continue
        taken_uuids.add(uuid)
        taken_pupils.add(pupil)
        if one.state is RecordState.ADMITTED:
            released.extend(met)
        result.append(one)
    return Outcome(result, released)


def give_way(record: Record) -> None:
    """Earlier records that the Ministry refused leave their place to this one, by the same rule as at admission."""
    ours, same_uuid = Q(school_id=record.school_id), Q(lookup_uuid=record.lookup_uuid)
    same_pupil = Q(cccd=record.cccd, school_year=record.school_year, grade=record.grade)
    refused = Record.objects.filter(standing=Standing.IN_FORCE, item__verdict="REJECTED").exclude(pk=record.pk)
    refused.filter((same_uuid & ours) | (same_pupil & (ours | ~same_uuid))).update(standing=Standing.RELEASED)


def uuid_of(one: Judged) -> UUID | None:
    try:
        return UUID(one.identity.lookup_uuid or "")
    except ValueError:
        return None


def _pupil(one: Judged) -> _PupilKey:
    identity = one.identity
    return (identity.cccd or "", identity.school_year or "", identity.grade or "")


def _others(clean: Sequence[Judged]) -> tuple[dict[UUID, Other], dict[_PupilKey, Other]]:
    if not clean:
        return {}, {}
    pupils = [_pupil(one) for one in clean]
    columns = [list(column) for column in zip(*pupils, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH met AS (
                SELECT id FROM records_record
                 WHERE lookup_uuid = ANY(%s::uuid[]) AND standing IN ('IN_FORCE', 'RECALLED')
                UNION
                SELECT r.id FROM records_record AS r
                  JOIN unnest(%s::text[], %s::text[], %s::text[]) AS p (cccd, school_year, grade)
                    ON r.cccd = p.cccd AND r.school_year = p.school_year AND r.grade = p.grade
                 WHERE r.standing = 'IN_FORCE'
            )
            SELECT r.id, r.school_id, r.lookup_uuid, r.cccd, r.school_year, r.grade, r.standing = 'RECALLED',
                   COALESCE(i.verdict = 'REJECTED', FALSE), r.sha256
              FROM met JOIN records_record AS r ON r.id = met.id LEFT JOIN gateway_item AS i ON i.id = r.item_id
            """,
            [[uuid for one in clean if (uuid := uuid_of(one))], *columns],
        )
        rows = [
            Other(pk, school, uuid, (cccd, year, grade), recalled, rejected, bytes(sha256))
            for pk, school, uuid, cccd, year, grade, recalled, rejected, sha256 in cursor.fetchall()
        ]
    return (
        {other.lookup_uuid: other for other in rows},
        {other.pupil: other for other in rows if not other.is_recalled},
    )


def _in_chunk(same_uuid: bool, same_pupil: bool) -> list[Finding]:
    found = []
    if same_uuid:
        found.append(_uuid_taken("Mã tra cứu này xuất hiện hai lần trong cùng một lô."))
    if same_pupil:
        found.append(_second("Trong lô này đã có một học bạ khác của học sinh này, cùng năm học và khối."))
    return found


def _against(others: Iterable[Other], one: Judged, uuid: UUID, school_id: int) -> Iterable[Finding]:
    for other in others:
        same_uuid = other.lookup_uuid == uuid
        if other.is_recalled:
            yield _uuid_taken("Mã tra cứu này thuộc một học bạ đã bị thu hồi và không bao giờ được dùng lại.")
        elif other.is_rejected and (other.school_id == school_id or not same_uuid):
            continue  # the Ministry refused the earlier one: a corrected record takes its place
        elif same_uuid and other.sha256 == one.raw.sha256:
            yield _already_here()
        elif same_uuid:
            yield _uuid_taken("Mã tra cứu này đã thuộc một học bạ đang lưu hành.")
        else:
            yield _second("Học sinh này đã có một học bạ đang lưu hành của cùng năm học và khối.")


def _uuid_missing() -> Finding:
    return finding(
        "UUID_MISSING", "Không đọc được mã tra cứu học bạ.", "Bổ sung MA_TRA_CUU_UUID (UUID phiên bản 4) và ký lại.",
        field="MA_TRA_CUU_UUID", title="Mã số tra cứu học bạ",
    )  # fmt: skip


def _already_here() -> Finding:
    return finding(
        "RECORD_ALREADY_RECEIVED",
        "Học bạ này, đúng từng byte, đã được nhận ở một lô trước.",
        "Không cần gửi lại; hãy tra kết quả ở lô trước.",
        field="MA_TRA_CUU_UUID",
        title="Mã số tra cứu học bạ",
    )


def _uuid_taken(message: str) -> Finding:
    return finding(
        "UUID_TAKEN",
        message,
        "Nếu là học bạ thay thế: thu hồi bản cũ trước, rồi phát hành bản mới với mã tra cứu mới.",
        field="MA_TRA_CUU_UUID",
        title="Mã số tra cứu học bạ",
    )


def _second(message: str) -> Finding:
    return finding(
        "SECOND_RECORD_IN_FORCE",
        message,
        "Nếu cần thay thế, hãy đề nghị thu hồi học bạ cũ trước rồi gửi học bạ mới.",
        field="SO_CCCD",
        title="Số định danh cá nhân",
    )
