"""A record held because its check killed its process, or because our store damaged it, checked again: never in this
process.

The child judges it with both engines and stores what it finds, journal line and all, in one transaction; a child that
dies leaves the record as it was. The verdict is the portal's own, so no second officer is asked. The school's bytes
stay what they are; damaged ones are replaced by those of the hand-in, if these have the record's digest.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from portal.audit import journal
from portal.records import content, disputes, nudge
from portal.records.admission import opening
from portal.records.admission.court import court_for
from portal.records.admission.judging import Judged, judge
from portal.records.admission.opening import BatchUnreadable, RawRecord, Walk
from portal.records.admission.wording import CHECK_CRASHED
from portal.records.conf import conf
from portal.records.content import ContentDamaged
from portal.records.models import Record
from portal.records.processing import storing, trial
from portal.records.states import FileKind, RecordState

_ACTION = "record.rechecked"


class Outcome(StrEnum):
    """What came of a second check; but for the first two the record stays held."""

    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    DISPUTED = "DISPUTED"  # the check ends now, and the engines disagree
    WAITS = "WAITS"  # the check ends now, and evidence of revocation is away
    CRASHED = "CRASHED"  # a mistake of ours, found in time
    DIED = "DIED"
    TOO_LONG = "TOO_LONG"
    DAMAGED = "DAMAGED"  # the stored bytes are not those that came in
    FAILED = "FAILED"  # the check could not begin: it proves nothing
    NOT_HELD = "NOT_HELD"


# What an officer is told.
SENTENCES: Final = {
    Outcome.ADMITTED: "Đã kiểm tra lại trọn vẹn: học bạ hợp lệ và đã vào hàng chờ gửi.",
    Outcome.REFUSED: "Đã kiểm tra lại trọn vẹn: học bạ không hợp lệ; trường sẽ thấy lý do.",
    Outcome.DISPUTED: "Việc kiểm tra nay chạy đến cùng nhưng hai bộ kiểm tra bất đồng: học bạ vẫn bị giữ.",
    Outcome.WAITS: "Việc kiểm tra nay chạy đến cùng nhưng chưa có thông tin thu hồi của chứng thư: học bạ vẫn bị giữ. "
    "Hãy kiểm tra lại sau ít phút.",
    Outcome.CRASHED: "Việc kiểm tra gặp lỗi của phần mềm cổng: học bạ vẫn bị giữ. Hãy báo nhóm phát triển.",
    Outcome.DIED: "Việc kiểm tra lại đã làm dừng tiến trình riêng của nó: học bạ vẫn bị giữ. Hãy báo nhóm phát triển.",
    Outcome.TOO_LONG: "Việc kiểm tra lại kéo dài quá lâu nên đã bị dừng: học bạ vẫn bị giữ.",
    Outcome.DAMAGED: "Dữ liệu đã lưu của học bạ và của tệp đã nộp đều không còn nguyên vẹn: học bạ vẫn bị giữ. "
    "Hãy khôi phục từ bản sao lưu.",
    Outcome.FAILED: "Chưa kiểm tra lại được: máy chủ không bắt đầu được việc kiểm tra. Hãy thử lại sau.",
    Outcome.NOT_HELD: "Học bạ này không còn bị giữ: đã có người quyết định.",
}
ENDED: Final = (Outcome.ADMITTED, Outcome.REFUSED, Outcome.DISPUTED, Outcome.WAITS)


class _NoLongerHeld(Exception):
    """Somebody has decided meanwhile."""


def recheck(*, record: Record, actor: Any | None, now: datetime, address: str | None = None) -> Outcome:
    """Have it checked again by a child process; waits for it, with a bound. Raises DisputeRefused."""
    if not disputes.unchecked_records().filter(pk=record.pk).exists():
        raise disputes.DisputeRefused(
            "NOT_HELD", "Học bạ này không bị giữ vì việc kiểm tra làm dừng phần mềm hay vì bản lưu bị hỏng."
        )
    outcome = _watched(command(record.pk, actor.pk if actor is not None else None, address))
    if outcome not in (Outcome.DIED, Outcome.TOO_LONG, Outcome.FAILED):
        return outcome  # the child has written the line itself
    record.refresh_from_db(fields=["state", "findings"])
    if not disputes.is_unchecked(record):
        return _outcome(record.state)  # it ended badly only after its work was stored
    _keep(record, actor, address, outcome, now)
    return outcome


def command(record_id: int, actor_id: int | None, address: str | None) -> list[str]:
    more = [*(["--actor", str(actor_id)] if actor_id else []), *(["--address", address] if address else [])]
    return [sys.executable, "-m", "django", "recheck_held", str(record_id), *more]


def run(*, record_id: int, actor_id: int | None, address: str | None, now: datetime) -> Outcome:
    """The check itself, in its own process."""
    record = disputes.unchecked_records().select_related("batch__school", "batch__content").filter(pk=record_id).first()
    if record is None:
        return Outcome.NOT_HELD
    actor = get_user_model().objects.get(pk=actor_id) if actor_id is not None else None

    def keep(outcome: Outcome) -> Outcome:
        _keep(record, actor, address, outcome, now)
        return outcome

    raw = _stored(record) or _handed_in(record)
    if raw is None:
        return keep(Outcome.DAMAGED)
    court = replace(court_for(record.batch, now=now), second_share=1.0)
    trial.limit()
    judged = judge(raw, court)
    court.keep_evidence(now=now)
    if any(finding.code == CHECK_CRASHED for finding in judged.findings):
        return keep(Outcome.CRASHED)
    if judged.state is RecordState.RECEIVED and not judged.is_held:
        return keep(Outcome.WAITS)
    try:
        return _store(record, judged, keep, now=now)
    except _NoLongerHeld:
        return Outcome.NOT_HELD


def _stored(record: Record) -> RawRecord | None:
    """The record as it stands in its own row, if it is what came in."""
    try:
        data = content.whole(bytes(record.data), bytes(record.sha256))
    except ContentDamaged:
        return None
    return RawRecord(record.position, record.source, data)


def _handed_in(record: Record) -> RawRecord | None:
    """The record as it stands in the file that was handed in, if it is what came in."""
    try:
        with content.laid_out(record.batch.content) as file:
            raws = opening.raw_records(FileKind(record.batch.file_kind), file, Walk())
            found = next(islice(raws, record.position - 1, None), None)
    except (ContentDamaged, BatchUnreadable):
        return None
    return found if found is not None and found.sha256 == bytes(record.sha256) else None


def _store(record: Record, judged: Judged, keep: Callable[[Outcome], Outcome], *, now: datetime) -> Outcome:
    """The new verdict in the place of the finding, whole or not at all."""
    told: list[Outcome] = []

    def hold() -> None:
        if not disputes.unchecked_records().select_for_update(of=("self",)).filter(pk=record.pk).exists():
            raise _NoLongerHeld

    def then(settled: Judged) -> None:
        if _stored(record) is None:
            Record.objects.filter(pk=record.pk).update(data=storing.pack(judged.raw.data))
        told[:] = [keep(_outcome(settled.state))]
        nudge.after_commit(nudge.DISPATCH)

    storing.store_held(batch=record.batch, judged=judged, now=now, hold=hold, then=then)
    return told[0]


def _outcome(state: str) -> Outcome:
    match state:
        case RecordState.ADMITTED:
            return Outcome.ADMITTED
        case RecordState.REFUSED:
            return Outcome.REFUSED
        case _:
            return Outcome.DISPUTED


def _watched(words: list[str]) -> Outcome:
    with subprocess.Popen(
        words, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=conf().recheck_patience_seconds)
        except subprocess.TimeoutExpired:
            return Outcome.TOO_LONG
        finally:
            process.kill()
    if process.returncode < 0 or process.returncode == trial.NO_MEMORY:
        return Outcome.DIED
    last = said.strip().rsplit("\n", 1)[-1]
    return Outcome(last) if process.returncode == 0 and last in set(Outcome) else Outcome.FAILED


def _keep(record: Record, actor: Any | None, address: str | None, outcome: Outcome, now: datetime) -> None:
    with transaction.atomic():
        journal.record(
            action=_ACTION, now=now, actor=actor, subject=("record", record.pk), school_id=record.school_id,
            detail={"outcome": str(outcome)} | ({} if actor is not None else {"operator": disputes.COMMAND_LINE}),
            address=address,
        )  # fmt: skip
