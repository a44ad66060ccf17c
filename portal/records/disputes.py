"""Records held because the two engines disagree, because their check kills our process or because our store damaged
them: the alarm, the list, a second look, an officer's decision.

Nothing leaves while it is held. A decision is a person's, with a reason, and stands in the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import zstandard
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from pydantic_core import to_json

from portal.audit import journal
from portal.records import content, nudge
from portal.records.admission import standing
from portal.records.admission.court import court_for
from portal.records.admission.judging import Judged, judge
from portal.records.admission.opening import RawRecord
from portal.records.admission.second_look import ENGINES_DISAGREE, about_disagreement, about_refusal
from portal.records.admission.wording import CHECK_KILLS, RECORD_DAMAGED, damaged
from portal.records.conf import conf
from portal.records.content import ContentDamaged
from portal.records.models import Batch, HeldApproval, Record
from portal.records.states import RecordState, Standing
from signing import verify
from signing.report import Report
from signing.verification.second import agrees, verify_again

if TYPE_CHECKING:
    from django.db.models import QuerySet

_DISAGREE = "record.engines_disagree"
_UNCHECKED = (CHECK_KILLS, RECORD_DAMAGED)
_ALARMS = {CHECK_KILLS: "record.check_kills", RECORD_DAMAGED: "record.damaged"}


COMMAND_LINE = "command line"


class DisputeRefused(Exception):
    """The act is not possible as asked; `message` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Rechecked:
    """Both engines' reports on one record, now."""

    first: Report
    second: Report

    @property
    def agree(self) -> bool:
        return agrees(self.first, self.second)


def held_records() -> "QuerySet[Record]":
    """Records that wait for an officer, oldest first."""
    waiting = Record.objects.filter(state=RecordState.RECEIVED, next_check_at__isnull=True)
    return waiting.filter(_named(ENGINES_DISAGREE, *_UNCHECKED)).order_by("checked_at")


def disputed_records() -> "QuerySet[Record]":
    """Those of them about which the engines disagree."""
    return held_records().filter(_named(ENGINES_DISAGREE))


def unchecked_records() -> "QuerySet[Record]":
    """Those of them of which nothing sure is known, since the check killed its process or the bytes were damaged: a
    child process may try again, and nobody may let them through."""
    return held_records().filter(_named(*_UNCHECKED))


def is_unchecked(record: Record) -> bool:
    """The same of a row at hand."""
    return any(finding["code"] in _UNCHECKED for finding in record.findings)


def _named(*codes: str) -> Q:
    found = Q()
    for code in codes:
        found |= Q(findings__contains=[{"code": code}])
    return found


def hold_damaged(record_id: int, *, now: datetime) -> None:
    """An admitted record, locked by the caller, whose stored bytes are no longer the school's: it does not leave."""
    row = Record.objects.get(pk=record_id)
    findings = [damaged().to_json(), *row.findings]
    Record.objects.filter(pk=row.pk).update(
        state=RecordState.RECEIVED, standing=Standing.NONE, next_check_at=None, findings=findings,
        error_count=row.error_count + 1,
    )  # fmt: skip
    _count(row, admitted=-1)
    _alarm(row.school_id, ("record", row.pk), {}, now, action=_ALARMS[RECORD_DAMAGED])


def raise_alarms(*, batch: Batch, judged: Sequence[Judged], now: datetime) -> None:
    """One journal row for each held record, in the transaction that stores it."""
    for one in judged:
        if one.is_held:
            named = (_ALARMS[finding.code] for finding in one.findings if finding.code in _ALARMS)
            action = next(named, _DISAGREE)
            _alarm(batch.school_id, ("batch", batch.pk), {"position": one.raw.position}, now, action=action)


def recheck(*, record: Record, actor: Any | None, now: datetime, address: str | None = None) -> Rechecked:
    """Ask both engines about a disputed record; a disagreement holds it as long as it has not left."""
    court = court_for(record.batch, now=now)
    policy = court.policies.get(record.profile)
    if policy is None:
        raise DisputeRefused(
            "PROFILE_UNKNOWN", "Học bạ này không có khuôn dạng đã biết nên không có gì để kiểm tra lại."
        )
    try:
        data = content.whole(bytes(record.data), bytes(record.sha256))
    except ContentDamaged:
        raise DisputeRefused("RECORD_DAMAGED", "Bản lưu của học bạ không còn nguyên vẹn.") from None
    first = verify(data, policy, court.trust, at=court.at, binding=court.binding, revocation=court.revocation)
    second = verify_again(data, policy, court.trust, at=court.at, revocation=court.revocation)
    result = Rechecked(first, second)
    with transaction.atomic():
        journal.record(
            action="record.rechecked", now=now, actor=actor, subject=("record", record.pk), school_id=record.school_id,
            detail={"first": first.code, "second": second.code, "agree": result.agree}
            | ({} if actor is not None else {"operator": COMMAND_LINE}), address=address,
        )  # fmt: skip
        if not result.agree:
            _hold(record.pk, first, second, now)
    if result.agree and disputed_records().filter(pk=record.pk).exists():
        _take_up(record, judge(_raw(record, data), replace(court, second_share=0.0)))
    return result


def _raw(record: Record, data: bytes) -> RawRecord:
    return RawRecord(record.position, record.source, data)


def _take_up(record: Record, agreed: Judged) -> None:
    """What both engines now say stands beside the alarm, which only a decision ends: what both refuse cannot pass."""
    if agreed.report is None or agreed.report.try_later:
        return
    with transaction.atomic():
        row = disputed_records().select_for_update(of=("self",)).filter(pk=record.pk).first()
        if row is None:
            return
        alarm = [finding for finding in row.findings if finding["code"] == ENGINES_DISAGREE]
        findings = [*alarm, *(finding.to_json() for finding in agreed.findings)]
        Record.objects.filter(pk=row.pk).update(
            findings=findings, error_count=agreed.errors, warning_count=len(findings) - agreed.errors,
            report=zstandard.ZstdCompressor(level=3).compress(to_json(agreed.report.to_json())),
        )  # fmt: skip


@transaction.atomic
def let_through(*, record: Record, by: Any | None, reason: str, now: datetime, address: str | None = None) -> bool:
    """An officer has found the record good. True: it takes its place and is packed; False: another must confirm.

    `by` is None at the command line, where whoever runs the machine answers for it alone.
    """
    row = _locked_held(record, reason)
    if row.error_count:
        raise DisputeRefused("HAS_ERRORS", "Học bạ còn lỗi khác nên không thể cho qua; hãy từ chối để trường sửa.")
    first = HeldApproval.objects.filter(record_id=row.pk).select_related("approved_by").first()
    if by is not None and conf().held_four_eyes:
        if first is None:
            HeldApproval.objects.create(record_id=row.pk, approved_by=by, approved_at=now, reason=reason.strip()[:500])
            _decided("record.dispute_approved", row, by, reason, now, address=address)
            return False
        if first.approved_by_id == by.pk:
            raise DisputeRefused("SAME_OFFICER", "Bạn đã đề nghị cho qua học bạ này; phải có cán bộ khác xác nhận.")
    try:
        with transaction.atomic():
            standing.give_way(row)
            Record.objects.filter(pk=row.pk).update(
                state=RecordState.ADMITTED, standing=Standing.IN_FORCE, checked_at=now
            )
    except IntegrityError:
        raise DisputeRefused("PLACE_TAKEN", "Đã có học bạ khác đang lưu hành ở chỗ của học bạ này.") from None
    _count(row, admitted=1)
    HeldApproval.objects.filter(record_id=row.pk).delete()
    told = {"approved_by": first.approved_by.get_username()} if first is not None else {}
    _decided("record.dispute_admitted", row, by, reason, now, address=address, **told)
    nudge.after_commit(nudge.DISPATCH)
    return True


@transaction.atomic
def refuse(*, record: Record, by: Any | None, reason: str, now: datetime, address: str | None = None) -> None:
    """An officer has found the record bad: the school corrects and hands in again."""
    row = _locked_held(record, reason)
    told = about_refusal(reason.strip()).to_json()
    Record.objects.filter(pk=row.pk).update(
        state=RecordState.REFUSED, error_count=row.error_count + 1, findings=[told, *row.findings]
    )
    _count(row, refused=1)
    HeldApproval.objects.filter(record_id=row.pk).delete()
    _decided("record.dispute_refused", row, by, reason, now, address=address)


def _hold(record_id: int, first: Report, second: Report, now: datetime) -> None:
    row = Record.objects.select_for_update().get(pk=record_id)
    if row.state not in (RecordState.ADMITTED, RecordState.RECEIVED):
        _alarm(row.school_id, ("record", row.pk), {"state": row.state}, now)
        return
    others = [finding for finding in row.findings if finding["code"] != ENGINES_DISAGREE]
    findings = [*others, about_disagreement(first, second).to_json()]
    Record.objects.filter(pk=row.pk).update(
        state=RecordState.RECEIVED, standing=Standing.NONE, next_check_at=None, findings=findings,
        warning_count=row.warning_count + len(findings) - len(row.findings),
    )  # fmt: skip
    if row.state == RecordState.ADMITTED:
        _count(row, admitted=-1)
    HeldApproval.objects.filter(record_id=row.pk).delete()
    _alarm(row.school_id, ("record", row.pk), {"state": row.state}, now)


def _count(row: Record, *, admitted: int = 0, refused: int = 0) -> None:
    """The batch's own figures follow every decision on one of its records."""
    Batch.objects.filter(pk=row.batch_id).update(
        admitted_count=F("admitted_count") + admitted, refused_count=F("refused_count") + refused
    )


def _locked_held(record: Record, reason: str) -> Record:
    if len(reason.strip()) < 5:
        raise DisputeRefused("REASON_MISSING", "Hãy ghi lý do của quyết định (ít nhất 5 ký tự).")
    row = held_records().select_for_update().filter(pk=record.pk).first()
    if row is None:
        raise DisputeRefused("NOT_HELD", "Học bạ này không bị giữ để cán bộ xem.")
    return row


def _alarm(
    school_id: int, subject: tuple[str, object], detail: dict[str, object], now: datetime, *, action: str = _DISAGREE
) -> None:
    journal.record(action=action, now=now, subject=subject, school_id=school_id, detail=detail)


def _decided(
    action: str, row: Record, by: Any | None, reason: str, now: datetime, *, address: str | None, **told: object
) -> None:
    detail = told if by is not None else {"operator": COMMAND_LINE, **told}
    journal.record(
        action=action, now=now, actor=by, subject=("record", row.pk), school_id=row.school_id, reason=reason,
        detail=detail, address=address,
    )  # fmt: skip
