"""Withdrawing a record, with the approvals it needs.

Before a school year is closed the school recalls by itself; after closing an officer approves. A record that never left
is simply withdrawn here; one that was dispatched is also recalled at the Ministry, by a sealed list of transaction 5.
A recalled lookup_uuid is never used again.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from gateway import outbox
from gateway.conf import endpoint
from gateway.discrepancies import is_held_there
from gateway.models import Submission
from portal.audit import journal
from portal.records import content, document, nudge
from portal.records.conf import conf, seal_profile, sealing_key, stamper
from portal.records.content import ContentDamaged
from portal.records.models import Recall, Record
from portal.records.packing import ROOT_ID
from portal.records.profiles import registry
from portal.records.states import RecallState, RecordState, Standing
from signing import xml
from signing.sealing import seal

logger = logging.getLogger(__name__)

_LOCK = 0x2EC1
_LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_MOST_AT_ONCE = 200


class RecallRefused(Exception):
    """The act is not allowed as asked; `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def closes_on(school_year: str) -> date:
    """The day after which records of a school year change only by an approved recall."""
    return date(int(school_year[5:9]), conf().closing_month, conf().closing_day)


def is_closed(school_year: str, now: datetime) -> bool:
    return now.astimezone(_LOCAL).date() > closes_on(school_year)


@transaction.atomic
def request(
    *,
    record: Record,
    reason: str,
    requested_by: Any | None,
    now: datetime,
    requested_through: str = "",
    message_id: str = "",
) -> Recall:
    """Ask to withdraw a record. Before closing it is granted at once. Raises RecallRefused."""
    if not reason.strip():
        raise RecallRefused("REASON_MISSING", "Hãy ghi lý do thu hồi.")
    # The dispatcher locks the same row: either the record has left, or it never will.
    locked = Record.objects.select_for_update().get(pk=record.pk)
    if locked.standing != Standing.IN_FORCE:
        raise RecallRefused("NOT_IN_FORCE", "Chỉ thu hồi được học bạ đang lưu hành.")
    if Recall.objects.filter(record=locked, state__in=[RecallState.REQUESTED, RecallState.APPROVED]).exists():
        raise RecallRefused("ALREADY_REQUESTED", "Học bạ này đã có đề nghị thu hồi đang chờ.")
    recall = Recall.objects.create(
        record=locked,
        reason=reason[:500],
        message_id=message_id,
        requested_by=requested_by,
        requested_at=now,
        state=RecallState.REQUESTED,
    )
    _journal("recall.requested", recall, requested_by, now, reason, actor_name=requested_through)
    if not is_closed(locked.school_year, now):
        _approve(recall, locked, decided_by=None, decision="Trước ngày chốt: trường tự thu hồi.", now=now)
    return recall


@transaction.atomic
def approve(*, recall: Recall, decided_by: Any, now: datetime, decision: str = "") -> Recall:
    """An officer grants a recall after closing; never the one who asked. Raises RecallRefused."""
    locked = _to_decide(recall, decided_by)
    _approve(locked, _locked_record(locked), decided_by=decided_by, decision=decision, now=now)
    return locked


@transaction.atomic
def decline(*, recall: Recall, decided_by: Any, decision: str, now: datetime) -> Recall:
    """An officer refuses a recall; the record stays in force. Raises RecallRefused."""
    if not decision.strip():
        raise RecallRefused("REASON_MISSING", "Hãy ghi lý do từ chối để trường biết cần làm gì.")
    locked = _to_decide(recall, decided_by)
    _decide(locked, RecallState.DECLINED, decided_by, decision, now)
    _journal("recall.declined", locked, decided_by, now, decision)
    return locked


def refused_there() -> QuerySet[Recall]:
    """Recalls that the Ministry refused and nobody has settled: the former version is still in force there."""
    return Recall.objects.filter(state=RecallState.DISPATCHED, item__verdict="REJECTED")


@transaction.atomic
def ask_again(*, recall: Recall, decided_by: Any, now: datetime, reason: str = "") -> Recall:
    """A recall that the Ministry refused goes to it once more, in a package of its own; also one that was settled, for
    that may have been a mistake. Raises RecallRefused."""
    locked = _refused_there(recall, RecallState.DISPATCHED, RecallState.SETTLED)
    refused = locked.item_id
    locked.state, locked.item = RecallState.APPROVED, None
    locked.save(update_fields=["state", "item"])
    _journal("recall.asked_again", locked, decided_by, now, reason, item=refused)
    return locked


@transaction.atomic
def settle(*, recall: Recall, decided_by: Any, now: datetime, reason: str) -> Recall:
    """An officer has settled a refused recall with the Ministry: the next version may leave. Raises RecallRefused."""
    if not reason.strip():
        raise RecallRefused("REASON_MISSING", "Hãy ghi đã giải quyết với Bộ thế nào.")
    locked = _refused_there(recall, RecallState.DISPATCHED)
    if decided_by is None or locked.requested_by_id == decided_by.pk:
        raise RecallRefused("FOUR_EYES", "Người đề nghị không được tự đóng. Hãy nhờ một cán bộ khác.")
    locked.state, locked.decision = RecallState.SETTLED, reason[:500]
    locked.save(update_fields=["state", "decision"])
    _journal("recall.settled", locked, decided_by, now, reason, item=locked.item_id)
    return locked


def dispatch_due(*, now: datetime) -> int:
    """Seal approved recalls of dispatched records and put them into the outbox; the number of recalls. Those of a
    package that was refused as a whole go again in other packages."""
    done = sum(_dispatch_year(year, now=now) for year in _waiting_years()) + _repack_due(now=now)
    if done:
        nudge.send(nudge.FORWARD)
    return done


def _refused_there(recall: Recall, *states: RecallState) -> Recall:
    locked = Recall.objects.select_for_update(of=("self",)).select_related("item", "record").get(pk=recall.pk)
    if locked.state not in states or locked.item is None or locked.item.verdict != "REJECTED":
        raise RecallRefused("NOT_REFUSED_THERE", "Bộ không (hoặc chưa) từ chối đề nghị thu hồi này.")
    return locked


def _to_decide(recall: Recall, decided_by: Any) -> Recall:
    locked = Recall.objects.select_for_update().get(pk=recall.pk)
    if locked.state != RecallState.REQUESTED:
        raise RecallRefused("ALREADY_DECIDED", "Đề nghị này đã được quyết định trước đó.")
    if decided_by is None or locked.requested_by_id == decided_by.pk:
        raise RecallRefused("FOUR_EYES", "Người đề nghị không được tự duyệt. Hãy nhờ một cán bộ khác.")
    return locked


def _locked_record(recall: Recall) -> Record:
    return Record.objects.select_for_update().get(pk=recall.record_id)


def _approve(recall: Recall, record: Record, *, decided_by: Any, decision: str, now: datetime) -> None:
    _decide(recall, RecallState.APPROVED, decided_by, decision, now)
    # In the province it loses its force now; the Ministry's answer is read from the recall's own item.
    Record.objects.filter(pk=record.pk).update(standing=Standing.RECALLED)
    _journal("recall.approved", recall, decided_by, now, decision)


def _decide(recall: Recall, state: RecallState, decided_by: Any, decision: str, now: datetime) -> None:
    recall.state, recall.decided_by, recall.decided_at, recall.decision = state, decided_by, now, decision[:500]
    recall.save(update_fields=["state", "decided_by", "decided_at", "decision"])


def _journal(
    action: str,
    recall: Recall,
    actor: Any | None,
    now: datetime,
    reason: str,
    *,
    actor_name: str = "",
    **more: object,
) -> None:
    journal.record(
        action=action, now=now, actor=actor, actor_name=actor_name, subject=("recall", recall.pk),
        school_id=recall.record.school_id, reason=reason, detail={"record": recall.record_id, **more},
    )  # fmt: skip


def _waiting_years() -> list[str]:
    waiting = Recall.objects.filter(state=RecallState.APPROVED, record__state=RecordState.DISPATCHED)
    return list(waiting.order_by().values_list("record__school_year", flat=True).distinct())


@transaction.atomic
def _dispatch_year(school_year: str, *, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    recalls = list(
        Recall.objects.select_for_update(of=("self",))
        .filter(
            state=RecallState.APPROVED, record__state=RecordState.DISPATCHED, record__school_year=school_year,
            # The Ministry must have judged the record first: what it refused it does not hold.
            record__item__verdict="ACCEPTED",
        )
        .select_related("record__school")
        .order_by("decided_at")[:_MOST_AT_ONCE]
    )  # fmt: skip
    if not recalls:
        return 0
    if conf().on_behalf_of_schools:
        # A package carries the code of one school; the other schools' recalls go with the next run.
        recalls = [one for one in recalls if one.record.school_id == recalls[0].record.school_id]
    return _hand_over(recalls, now=now)


def _hand_over(recalls: Sequence[Recall], *, now: datetime, split_from: UUID | None = None) -> int:
    """One sealed package of these recalls, all of one year (and one school, when sent on its behalf)."""
    first = recalls[0].record
    sealed = seal(_document(recalls), key=sealing_key(), profile=seal_profile(), at=now, stamper=stamper())
    items = outbox.enqueue(
        submission_id=uuid4(),
        kind="RECALL",
        unit_code=first.school.code if conf().on_behalf_of_schools else endpoint().unit_code,
        school_year=int(first.school_year[:4]),
        document=sealed,
        items=[outbox.NewItem(key=str(one.record.lookup_uuid), digest=bytes(one.record.sha256)) for one in recalls],
        now=now,
        details={"split_from": str(split_from)} if split_from else None,
    )
    for one, item_id in zip(recalls, items, strict=True):
        Recall.objects.filter(pk=one.pk, state__in=[RecallState.APPROVED, RecallState.DISPATCHED]).update(
            state=RecallState.DISPATCHED, item=item_id
        )
    return len(recalls)


def _repack_due(*, now: datetime, limit: int = 10) -> int:
    """Recalls of refused packages: without the ones the Ministry named; in two halves when it named none or found the
    package too big, until one is left whose refusal is its own; sealed anew once a person has seen to our seal."""
    refused = Submission.objects.filter(
        ~is_held_there(), state="REFUSED", kind="RECALL", items__verdict="PENDING", items__recall__isnull=False
    ).distinct()
    seal_refused = Q(reason_code__startswith="SEAL")
    resumed = refused.filter(seal_refused, endpoint__state="OPEN", endpoint__resumed_at__gt=F("closed_at"))
    blamed = refused.exclude(seal_refused)
    hour_ago = now - timedelta(hours=1)
    of_late = Submission.objects.filter(
        state="REFUSED", kind="RECALL", closed_at__gt=hour_ago, details__has_key="split_from"
    ).count()
    left = max(0, min(limit, endpoint().sending.bisections_an_hour - of_late))
    due = [*resumed.values_list("pk", flat=True)[:limit], *blamed.values_list("pk", flat=True)[:left]]
    return sum(_repack(submission_id, now=now) for submission_id in due)


@transaction.atomic
def _repack(submission_id: UUID, *, now: datetime) -> int:
    submission = Submission.objects.get(pk=submission_id)
    waiting = Recall.objects.filter(item__submission_id=submission_id, item__verdict="PENDING")
    recalls = list(
        waiting.select_for_update(of=("self",)).select_related("record__school").order_by("decided_at", "pk")
    )
    if not recalls:
        return 0  # another worker was first
    named = submission.items.filter(verdict="REJECTED").exists()
    whole = named or submission.reason_code.startswith("SEAL")
    middle = len(recalls) if whole else (len(recalls) + 1) // 2
    for part in (recalls[:middle], recalls[middle:]):
        if part:
            _hand_over(part, now=now, split_from=submission_id)
    return len(recalls)


def _document(recalls: Sequence[Recall]) -> bytes:
    """The unsealed list of transaction 5 (spec section 3, content of 5)."""
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<DANH_SACH_HOC_BA id="{ROOT_ID}">']
    parts.extend(_entry(one.record) for one in recalls)
    return ("\n".join(parts) + "\n</DANH_SACH_HOC_BA>").encode()


def _entry(record: Record) -> str:
    fields = {
        "MA_TRA_CUU_UUID": str(record.lookup_uuid),
        "HO_VA_TEN": record.full_name,
        "GIOI_TINH": _sex(record),
        "NGAY_SINH": record.birth_on.isoformat() if record.birth_on else "",
        "SO_CCCD": record.cccd,
        "TEN_TRUONG": record.school.name,
        "MA_TRUONG": record.school.code,
        "TEN_NAM_HOC": record.school_year,
    }
    # A null is an absent tag, never an empty one.
    return "<HOC_BA>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in fields.items() if text) + "</HOC_BA>"


def _sex(record: Record) -> str:
    """As it was signed. The one field without a column of its own: a damaged row must not keep recalls from leaving."""
    try:
        root = xml.parse(content.whole(bytes(record.data), bytes(record.sha256))).root
    except ContentDamaged:
        logger.error("record_damaged record=%s", record.pk)
        return ""
    return document.identify(root, registry(conf().extra_profiles)).sex or ""
