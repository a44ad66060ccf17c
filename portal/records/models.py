"""Rows of the domain core: what schools handed in, the records in it, and recalls.

`portal.records` alone writes them. A school's bytes are stored once and never changed; whether the Ministry accepted a
record is read through `Record.item`, never copied.
"""

import uuid
from collections.abc import Sequence

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from portal.accounts.models import ApiToken
from portal.records.states import (
    BATCH_MOVES,
    RECALL_MOVES,
    RECORD_MOVES,
    BatchState,
    Door,
    FileKind,
    RecallState,
    RecordState,
    Standing,
)
from portal.schools.models import Level, School


def only_these_moves(name: str, moves: Sequence[tuple[str, str]]) -> pgtrigger.FSM:
    """The database refuses a change of state that is not in the table of moves; other updates cost nothing."""
    return pgtrigger.FSM(
        name=f"{name}_moves",
        field="state",
        transitions=list(moves),
        condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
    )


class Content(models.Model):
    """A file as it came in, in chunks; complete once its last byte and its digest are stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    size = models.BigIntegerField("số byte", default=0)
    sha256 = models.CharField("dấu vết SHA-256", max_length=64, blank=True)
    is_complete = models.BooleanField("đã trọn vẹn", default=False)
    started_at = models.DateTimeField("bắt đầu lúc")

    class Meta:
        indexes = [
            # Read by housekeeping: uploads that broke off.
            models.Index(fields=["started_at"], condition=Q(is_complete=False), name="content_broken_off"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.size} byte)"


class ContentChunk(models.Model):
    """One piece of a content; together, in order, they are the file."""

    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField("thứ tự")
    data = models.BinaryField("dữ liệu")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["content", "index"], name="chunk_once")]

    def __str__(self) -> str:
        return f"{self.content_id} #{self.index}"


class Batch(models.Model):
    """What one school handed in at once; its bytes and digest never change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="batches")
    # The sender's own id of the transaction; for the browser door it is our id.
    message_id = models.CharField("mã giao dịch", max_length=100)
    # The same bytes handed in again under other ids: a query by any of them finds this batch.
    other_message_ids = ArrayField(
        models.CharField(max_length=100), verbose_name="mã giao dịch khác", default=list, blank=True
    )
    # First calendar year of the school year that the sender named in the transaction.
    declared_year = models.PositiveSmallIntegerField("năm học khai báo", null=True)
    door = models.CharField("cửa nhận", max_length=8, choices=Door.choices)
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    api_token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="+")
    file_name = models.CharField("tên tệp", max_length=255, blank=True)
    file_kind = models.CharField("loại tệp", max_length=6, choices=FileKind.choices)
    content = models.OneToOneField(Content, on_delete=models.PROTECT, related_name="batch")
    sha256 = models.CharField("dấu vết SHA-256", max_length=64)
    state = models.CharField("trạng thái", max_length=9, choices=BatchState.choices, default=BatchState.RECEIVED)
    received_at = models.DateTimeField("nhận lúc")
    opened_at = models.DateTimeField("mở lúc", null=True)
    processed_at = models.DateTimeField("kiểm tra xong lúc", null=True)
    refusal_code = models.CharField("mã từ chối", max_length=40, blank=True)
    refusal = models.TextField("lý do từ chối", blank=True)
    # The verdict on the list's own signature, when it has one.
    seal_report = models.JSONField("kết quả kiểm tra chữ ký danh sách", null=True)
    record_count = models.PositiveIntegerField("số học bạ", null=True)
    admitted_count = models.PositiveIntegerField("hợp lệ", default=0)
    refused_count = models.PositiveIntegerField("không hợp lệ", default=0)
    # What opening has to say about the file beside its records: entries skipped in a ZIP and the like.
    remarks = models.JSONField("ghi chú khi mở tệp", default=list)
    # One worker at a time; a lease that ran out lets another go on where the rows stand. The number of the
    # attempt is the fence: a worker writes only while it is still its own.
    lease_until = models.DateTimeField("giữ đến", null=True)
    attempts_made = models.PositiveIntegerField("số lần xử lý", default=0)
    # Attempts that ended without one more record checked: a file that kills its worker is found by them.
    attempts_in_vain = models.PositiveSmallIntegerField("số lần không tiến triển", default=0)
    # Not before: evidence is away, or our own trouble is to pass.
    next_check_at = models.DateTimeField("xử lý tiếp lúc", null=True)
    # How often evidence of revocation was looked for in vain, and the last list and answer that had come by then.
    rechecks = models.PositiveIntegerField("số lần chờ bằng chứng", default=0, db_default=0)
    evidence_mark = models.BigIntegerField("mốc bằng chứng", null=True)
    answers_mark = models.BigIntegerField("mốc câu trả lời", null=True)
    # SHA-256 of the certificates and issuers about whom nothing is known: news of one of them wakes the batch. Empty:
    # any news does.
    waits_for = ArrayField(models.CharField(max_length=64), verbose_name="chờ bằng chứng về", null=True)
    # Set aside for an officer: nothing is lost, nothing goes on until somebody has looked.
    set_aside_at = models.DateTimeField("để riêng lúc", null=True)
    set_aside_code = models.CharField("mã để riêng", max_length=40, blank=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(fields=["school", "message_id"], name="batch_message_once"),
            # The same bytes from the same school are the same batch; a refused one may be handed in again.
            models.UniqueConstraint(
                fields=["school", "sha256"], condition=~Q(state="REFUSED"), name="batch_bytes_once"
            ),
        ]
        indexes = [
            # Read by processing.claim: what waits to be opened or went on too long.
            models.Index(
                fields=["received_at"],
                condition=Q(state__in=["RECEIVED", "OPENED"], set_aside_at__isnull=True),
                name="batch_to_process",
            ),
            models.Index(fields=["school", "-received_at"], name="batch_of_school"),
            # Read by the department's page: newest hand-ins of the whole province.
            models.Index(fields=["-received_at"], name="batch_newest"),
        ]
        triggers = [only_these_moves("batch", BATCH_MOVES)]

    def __str__(self) -> str:
        return f"{self.message_id} · {self.get_state_display()}"


class Record(models.Model):
    """One pupil's report book for one school year in a batch: the school's bytes, and what we found."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="records")
    position = models.PositiveIntegerField("thứ tự trong lô")
    source = models.CharField("tệp trong ZIP", max_length=255, blank=True)
    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="records")
    state = models.CharField("trạng thái", max_length=10, choices=RecordState.choices)
    standing = models.CharField("giá trị", max_length=8, choices=Standing.choices, default=Standing.NONE)

    # Identity, from what was signed; of a refused record it is only what the file claims.
    lookup_uuid = models.UUIDField("mã tra cứu", null=True)
    profile = models.CharField("khuôn dạng", max_length=40, blank=True)
    level = models.CharField("cấp học", max_length=2, choices=Level.choices, blank=True)
    grade = models.CharField("khối", max_length=2, blank=True)
    school_year = models.CharField("năm học", max_length=9, blank=True)
    pupil_code = models.CharField("mã học sinh", max_length=20, blank=True)
    cccd = models.CharField("số định danh cá nhân", max_length=12, blank=True)
    full_name = models.CharField("họ và tên", max_length=150, blank=True)
    birth_on = models.DateField("ngày sinh", null=True)
    class_name = models.CharField("lớp", max_length=100, blank=True)

    # The school's bytes, compressed; sha256 is of the bytes themselves, digest of the canonical signed data.
    data = models.BinaryField("dữ liệu (zstd)")
    data_size = models.PositiveIntegerField("số byte gốc")
    sha256 = models.BinaryField("dấu vết SHA-256")
    digest = models.BinaryField("dấu vết phần được ký", null=True)

    findings = models.JSONField("kết quả kiểm tra", default=list)
    error_count = models.PositiveSmallIntegerField("số lỗi", default=0)
    warning_count = models.PositiveSmallIntegerField("số cảnh báo", default=0)
    # signing.Report as JSON, compressed: it is read one at a time, and there are millions.
    report = models.BinaryField("kết quả kiểm tra chữ ký (zstd)", null=True)

    checked_at = models.DateTimeField("kiểm tra lúc", null=True)
    next_check_at = models.DateTimeField("kiểm tra lại lúc", null=True)
    dispatched_at = models.DateTimeField("chuyển gửi lúc", null=True)
    item = models.OneToOneField("gateway.Item", on_delete=models.PROTECT, null=True, related_name="record")

    class Meta:
        ordering = ["batch", "position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="record_position_once"),
            # A lookup_uuid in force or once recalled is taken for ever.
            models.UniqueConstraint(
                fields=["lookup_uuid"], condition=Q(standing__in=["IN_FORCE", "RECALLED"]), name="record_uuid_once"
            ),
            # One record in force for a pupil, school year and grade.
            models.UniqueConstraint(
                fields=["cccd", "school_year", "grade"],
                condition=Q(standing="IN_FORCE"),
                name="record_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(state="DISPATCHED", item__isnull=False) | (~Q(state="DISPATCHED") & Q(item__isnull=True)),
                name="record_dispatched_has_item",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["ADMITTED", "DISPATCHED"]) | Q(standing="NONE"),
                name="record_standing_only_when_admitted",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["ADMITTED", "DISPATCHED"]) | Q(error_count=0), name="record_admitted_clean"
            ),
        ]
        indexes = [
            # Read by dispatch: what waits to be packed, by year and level, oldest first.
            models.Index(
                fields=["school_year", "level", "id"],
                condition=Q(state="ADMITTED", standing="IN_FORCE"),
                name="record_to_pack",
            ),
            # Read by processing: records whose revocation source was away.
            models.Index(fields=["next_check_at"], condition=Q(state="RECEIVED"), name="record_to_check_again"),
            models.Index(fields=["school", "school_year", "level", "state"], name="record_counts"),
            models.Index(fields=["lookup_uuid"], name="record_by_uuid"),
            models.Index(fields=["pupil_code"], name="record_by_pupil"),
            models.Index(fields=["cccd"], name="record_by_cccd"),
        ]
        triggers = [only_these_moves("record", RECORD_MOVES)]

    def __str__(self) -> str:
        return f"{self.lookup_uuid} · {self.get_state_display()}"


class Recall(models.Model):
    """Withdrawing a record, with the approvals it needs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    record = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="recalls")
    state = models.CharField("trạng thái", max_length=10, choices=RecallState.choices, default=RecallState.REQUESTED)
    reason = models.CharField("lý do", max_length=500)
    # The sender's own id of transaction 5, by which transaction 6 asks; empty when asked for on a page.
    message_id = models.CharField("mã giao dịch", max_length=100, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField("đề nghị lúc")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField("quyết định lúc", null=True)
    decision = models.CharField("ý kiến", max_length=500, blank=True)
    item = models.OneToOneField("gateway.Item", on_delete=models.PROTECT, null=True, related_name="recall")

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            # One open recall of a record at a time.
            models.UniqueConstraint(
                fields=["record"], condition=Q(state__in=["REQUESTED", "APPROVED", "DISPATCHED"]), name="recall_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["DISPATCHED", "SETTLED"], item__isnull=False)
                | (~Q(state__in=["DISPATCHED", "SETTLED"]) & Q(item__isnull=True)),
                name="recall_dispatched_has_item",
            ),
        ]
        indexes = [
            # Read by dispatch: approved recalls that wait to be packed.
            models.Index(fields=["decided_at"], condition=Q(state="APPROVED"), name="recall_to_pack"),
            # Read by the exchange door: the answer to transaction 6.
            models.Index(fields=["message_id"], condition=~Q(message_id=""), name="recall_by_message"),
        ]
        triggers = [only_these_moves("recall", RECALL_MOVES)]

    def __str__(self) -> str:
        return f"{self.record_id} · {self.get_state_display()}"


class HeldApproval(models.Model):
    """An officer has found a held record good. It stays held until another officer has found so too."""

    record = models.OneToOneField(Record, on_delete=models.PROTECT, related_name="held_approval")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField("đề nghị lúc")
    reason = models.CharField("lý do", max_length=500)

    def __str__(self) -> str:
        return f"{self.record_id} · {self.approved_by_id}"


class SealingState(models.Model):
    """One row: what keeps sealing from running, since when, and who has confirmed a release. Never a PIN."""

    cause_code = models.CharField("mã nguyên nhân", max_length=40, blank=True)
    cause = models.CharField("nguyên nhân", max_length=500, blank=True)
    failing_since = models.DateTimeField("không đóng dấu được từ", null=True)
    failures = models.PositiveIntegerField("số lần không được", default=0)
    next_try_at = models.DateTimeField("thử lại lúc", null=True)
    # Another try would lock the token or changes nothing: a person has to act first.
    needs_person = models.BooleanField("chờ người", default=False)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField("xác nhận lúc", null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="sealing_state_one_row")]

    def __str__(self) -> str:
        return self.cause_code or "–"
