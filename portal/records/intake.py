"""Step 1 of a batch's path: take the bytes, look once, store, answer. Nothing is opened or verified here.

The answer is a receipt, never an acceptance. The same bytes from the same school get the first batch again; the same id
with other bytes is refused. What a first look shows (kind, size, encryption) is refused at once with a sentence.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4
from zlib import crc32

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from gateway import failpoints
from portal.audit import journal
from portal.records import content, nudge
from portal.records.conf import conf, storage_dir
from portal.records.content import StoredFile, TooLarge
from portal.records.kinds import IntakeRefused, kind_of
from portal.records.models import Batch
from portal.records.states import BatchState, Door, FileKind
from portal.schools.models import School

_LOCK = 0x1D0E

__all__ = ["IntakeRefused", "Received", "StoredFile", "check_space", "receive_batch"]


@dataclass(frozen=True)
class Received:
    """The batch that answers this hand-in; `repeated` when it had been handed in before."""

    batch: Batch
    repeated: bool


@dataclass(frozen=True)
class _HandIn:
    """Who hands in what: everything the batch row will say about it."""

    school: School
    message_id: str
    door: Door
    sender: Any | None
    api_token: Any | None
    file_name: str
    declared_year: int | None
    address: str | None
    now: datetime


def receive_batch(
    *,
    school: School,
    file: Iterable[bytes] | StoredFile,
    now: datetime,
    door: Door = Door.BROWSER,
    file_name: str = "",
    sender: Any | None = None,
    api_token: Any | None = None,
    message_id: str = "",
    declared_year: int | None = None,
    address: str | None = None,
) -> Received:
    """Take in one hand-in of a school. Raises IntakeRefused; then nothing of it stays behind."""
    hand_in = _HandIn(
        school, message_id or str(uuid4()), door, sender, api_token, clean_name(file_name), declared_year, address, now
    )
    stored = file if isinstance(file, StoredFile) else _store(file, hand_in)
    try:
        kind = _first_look(stored, hand_in)
        received = _find_or_create(stored, kind, hand_in)
    except BaseException:
        content.discard(stored.content_id)
        raise
    failpoints.reach("P3")
    if received.batch.content_id != stored.content_id:
        content.discard(stored.content_id)
    return received


def check_space() -> None:
    """Refuse early while there is room to refuse in. Raises IntakeRefused (507)."""
    if shutil.disk_usage(storage_dir()).free < conf().min_free_bytes:
        raise IntakeRefused(
            "NO_SPACE", "Máy chủ của Sở sắp hết chỗ lưu, tạm thời chưa nhận tệp. Hãy gửi lại sau ít phút.", 507
        )


def clean_name(name: str) -> str:
    """A file name as we show it: the last part only, without control characters."""
    last = re.split(r"[\\/]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:255]


def too_large() -> IntakeRefused:
    limit = conf().max_upload_bytes // 1_000_000
    return IntakeRefused("FILE_TOO_LARGE", f"Tệp lớn hơn {limit} MB. Hãy chia nhỏ theo lớp hoặc khối rồi gửi lại.", 413)


def _store(pieces: Iterable[bytes], hand_in: _HandIn) -> StoredFile:
    check_space()
    try:
        return content.store(pieces, now=hand_in.now, max_bytes=conf().max_upload_bytes)
    except TooLarge:
        raise too_large() from None


def _first_look(stored: StoredFile, hand_in: _HandIn) -> FileKind:
    if not hand_in.school.is_active:
        raise IntakeRefused("SCHOOL_INACTIVE", "Trường đã ngừng hoạt động trên cổng. Hãy liên hệ Sở.", 403)
    if stored.size == 0:
        raise IntakeRefused("FILE_EMPTY", "Tệp rỗng, không có byte nào. Hãy kiểm tra lại tệp rồi gửi lại.")
    kind = kind_of(stored.head)
    if kind is FileKind.ZIP and hand_in.door is Door.EXCHANGE:
        raise IntakeRefused("ZIP_NOT_TAKEN_HERE", "Cửa phần mềm chỉ nhận XML DANH_SACH_HOC_BA, không nhận ZIP.")
    return kind


def _find_or_create(stored: StoredFile, kind: FileKind, hand_in: _HandIn) -> Received:
    # Two identical hand-ins may race: the loser of the unique constraint finds the winner on its second look.
    for _ in range(3):
        try:
            with transaction.atomic():
                _wait_for_turn(hand_in)
                earlier = _earlier(stored, hand_in)
                if earlier is not None:
                    return Received(earlier, repeated=True)
                return Received(_create(stored, kind, hand_in), repeated=False)
        except IntegrityError:
            continue
    raise IntakeRefused("BUSY", "Tệp này đang được nhận ở một lần gửi khác. Hãy thử lại sau vài giây.", 503)


def _wait_for_turn(hand_in: _HandIn) -> None:
    """One hand-in at a time under one id of one school: no constraint sees that an id which is noted beside a known
    file (`other_message_ids`) is becoming the id of a new one."""
    key = crc32(f"{hand_in.school.pk}|{hand_in.message_id}".encode()) - (1 << 31)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, key])


def _earlier(stored: StoredFile, hand_in: _HandIn) -> Batch | None:
    """The batch that already answers this hand-in. Raises IntakeRefused when the id stands for other bytes."""
    mine = Batch.objects.filter(school=hand_in.school)
    by_id = mine.filter(Q(message_id=hand_in.message_id) | Q(other_message_ids__contains=[hand_in.message_id])).first()
    if by_id is not None:
        if by_id.sha256 != stored.sha256:
            raise IntakeRefused(
                "MESSAGE_ID_REUSED",
                "Mã giao dịch này đã dùng cho một tệp khác. Hãy gửi với mã giao dịch (messageid) mới.",
                409,
            )
        return by_id
    by_bytes = mine.filter(sha256=stored.sha256).exclude(state=BatchState.REFUSED).first()
    if by_bytes is not None:
        _remember_other_id(by_bytes, hand_in)
    return by_bytes


@transaction.atomic
def _remember_other_id(batch: Batch, hand_in: _HandIn) -> None:
    if hand_in.door is not Door.EXCHANGE:
        return
    locked = Batch.objects.select_for_update().get(id=batch.id)
    if hand_in.message_id not in locked.other_message_ids:
        locked.other_message_ids.append(hand_in.message_id)
        locked.save(update_fields=["other_message_ids"])
    batch.other_message_ids = locked.other_message_ids


@transaction.atomic
def _create(stored: StoredFile, kind: FileKind, hand_in: _HandIn) -> Batch:
    batch = Batch(
        school=hand_in.school,
        message_id=hand_in.message_id,
        declared_year=hand_in.declared_year,
        door=hand_in.door,
        sender=hand_in.sender,
        api_token=hand_in.api_token,
        file_name=hand_in.file_name,
        file_kind=kind,
        content_id=stored.content_id,
        sha256=stored.sha256,
        received_at=hand_in.now,
    )
    batch.save(force_insert=True)
    journal.record(
        action="batch.received",
        now=hand_in.now,
        actor=hand_in.sender,
        actor_name=str(hand_in.api_token) if hand_in.api_token else "",
        subject=("batch", batch.id),
        school_id=hand_in.school.pk,
        detail={"size": stored.size, "sha256": stored.sha256, "door": str(hand_in.door), "kind": str(kind)},
        address=hand_in.address,
    )
    nudge.after_commit(nudge.PROCESS, batch_id=str(batch.id))
    return batch
