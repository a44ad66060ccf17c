"""Rows of the gateway: what is on its way to the Ministry, every try, every answer, and what did not match.

No logic lives here. `outbox` alone writes Submission.state and the rows that belong to it; `circuit` and `sizes` write
Endpoint, `sync` SyncRun, `discrepancies` and `reconciliation` Discrepancy. Items carry opaque keys: nothing here knows
a school or a pupil.
"""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from gateway.announcements import Comparison, EndpointEvent, ExpiryNotice, Maintenance, Statement
from gateway.states import (
    SUBMISSION,
    VERDICT,
    AttemptOutcome,
    AttemptPurpose,
    DiscrepancyKind,
    EndpointState,
    ReceiptKind,
    RunResult,
    SubmissionKind,
    SubmissionState,
    Verdict,
)

__all__ = [
    "Attempt",
    "Comparison",
    "Discrepancy",
    "Document",
    "Endpoint",
    "EndpointEvent",
    "ExpiryNotice",
    "Item",
    "Maintenance",
    "Receipt",
    "Statement",
    "Submission",
    "SyncRun",
]

_SCHEDULED = [SubmissionState.QUEUED, SubmissionState.UNCERTAIN, SubmissionState.ACKNOWLEDGED]


class Endpoint(models.Model):
    """The central repository as we are configured to reach it: how the line is, never what is sent over it."""

    name = models.CharField("tên", max_length=40, unique=True)
    state = models.CharField("trạng thái", max_length=6, choices=EndpointState.choices, default=EndpointState.OPEN)
    cause = models.CharField("nguyên nhân tạm dừng", max_length=40, blank=True)
    cause_message = models.TextField("diễn giải", blank=True)
    paused_at = models.DateTimeField("tạm dừng từ", null=True)
    # NULL while PAUSED means that only a person can remove the cause.
    next_probe_at = models.DateTimeField("thăm dò lúc", null=True)
    # A cause that came back soon after a probe had opened the line: the probe cannot see it, so it backs off further.
    last_cause = models.CharField("nguyên nhân lần trước", max_length=40, blank=True)
    resumed_at = models.DateTimeField("thông lại lúc", null=True)
    relapses = models.PositiveIntegerField("số lần tái diễn", default=0)
    probes_made = models.PositiveIntegerField("số lần thăm dò", default=0)
    failures_in_a_row = models.PositiveIntegerField("số lần hỏng liên tiếp", default=0)
    last_failed = models.UUIDField("gói hỏng gần nhất", null=True)
    last_success_at = models.DateTimeField("thông suốt gần nhất", null=True)
    # Retry-After of the whole endpoint: nothing new leaves before.
    not_before_at = models.DateTimeField("không gửi trước", null=True)
    # The smallest document that was refused as too big (413), when, and under which limit of the description: packing
    # stays below it for a while (`sizes`).
    refused_bytes = models.PositiveIntegerField("kích thước từng bị từ chối", null=True)
    refused_at = models.DateTimeField("bị từ chối vì quá lớn lúc", null=True)
    refused_under = models.PositiveIntegerField("giới hạn trong tệp mô tả lúc đó", null=True)
    # The Ministry's token, shared by all workers: some servers void the former when a new one is issued.
    token = models.TextField("mã phiên", blank=True)
    token_expires_at = models.DateTimeField("mã phiên hết hạn", null=True)
    catalogues = models.JSONField("danh mục của Bộ", default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="OPEN", cause="", paused_at__isnull=True, next_probe_at__isnull=True)
                | (Q(state="PAUSED", paused_at__isnull=False) & ~Q(cause="")),
                name="endpoint_pause_has_a_cause",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.get_state_display()}"


class Submission(models.Model):
    """One sealed document on its way; its id is the `messageid`, and neither it nor the document ever changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="submissions")
    kind = models.CharField("loại", max_length=11, choices=SubmissionKind.choices)
    unit_code = models.CharField("mã đơn vị", max_length=20)
    school_year = models.PositiveSmallIntegerField("năm học")
    digest = models.BinaryField("dấu vết SHA-256 của văn bản", max_length=32)
    document_bytes = models.PositiveIntegerField("số byte văn bản")
    items_count = models.PositiveIntegerField("số mục")
    details = models.JSONField("tham số riêng của loại", default=dict)

    state = models.CharField("trạng thái", max_length=12, choices=SubmissionState.choices)
    held_from = models.CharField("giữ từ trạng thái", max_length=12, blank=True)
    reason_code = models.CharField("mã lý do", max_length=60, blank=True)
    reason = models.TextField("lý do", blank=True)

    enqueued_at = models.DateTimeField("vào hàng đợi lúc")
    next_attempt_at = models.DateTimeField("lần tới lúc", null=True)
    lease_until = models.DateTimeField("giữ đến", null=True)
    attempts_made = models.PositiveIntegerField("số lần đã thử", default=0)
    failures = models.PositiveIntegerField("số lần hỏng liên tiếp", default=0)
    polls = models.PositiveIntegerField("số lần hỏi kết quả", default=0)
    unknown_answers = models.PositiveSmallIntegerField("số lần bị trả lời không có", default=0)
    # The first moment at which bytes may have left; NULL proves that the Ministry cannot have them.
    first_sent_at = models.DateTimeField("gửi lần đầu lúc", null=True)
    acknowledged_at = models.DateTimeField("có biên nhận lúc", null=True)
    closed_at = models.DateTimeField("kết thúc lúc", null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(state__in=_SCHEDULED) & Q(next_attempt_at__isnull=False))
                | (~Q(state__in=_SCHEDULED) & Q(next_attempt_at__isnull=True)),
                name="submission_scheduled_or_not",
            ),
            models.CheckConstraint(
                condition=~Q(state="SENDING") | Q(lease_until__isnull=False), name="submission_sending_has_lease"
            ),
            models.CheckConstraint(
                condition=Q(state="HELD", held_from__in=["QUEUED", "UNCERTAIN"]) | (~Q(state="HELD") & Q(held_from="")),
                name="submission_held_from",
            ),
            models.CheckConstraint(
                condition=~Q(state="REFUSED") | ~Q(reason_code=""), name="submission_refused_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["ACKNOWLEDGED", "ANSWERED"]) | Q(acknowledged_at__isnull=False),
                name="submission_acknowledged_at",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["ANSWERED", "REFUSED"], closed_at__isnull=False)
                | (~Q(state__in=["ANSWERED", "REFUSED"]) & Q(closed_at__isnull=True)),
                name="submission_closed_at",
            ),
        ]
        indexes = [
            # Read by outbox.claim_due: what is due, oldest schedule first, then in the order of enqueueing.
            models.Index(
                F("state"),
                F("next_attempt_at"),
                F("enqueued_at"),
                condition=Q(next_attempt_at__isnull=False),
                name="submission_due",
            ),
            # Read by outbox.expire_leases and by claim_due's count of what is on the wire.
            models.Index(fields=["lease_until"], condition=Q(state="SENDING"), name="submission_leased"),
            # Read by receipts.overdue and the queue page.
            models.Index(fields=["acknowledged_at"], condition=Q(state="ACKNOWLEDGED"), name="submission_waiting"),
            # Read by portal.records.dispatch: packages whose records go into another one.
            models.Index(fields=["closed_at"], condition=Q(state="REFUSED"), name="submission_refused"),
            # Read by reconciliation (a day) and by the queue page (newest first).
            models.Index(fields=["enqueued_at"], name="submission_by_day"),
        ]
        triggers = [
            pgtrigger.FSM(name="submission_moves", field="state", transitions=list(SUBMISSION.pairs())),
            pgtrigger.ReadOnly(
                name="submission_frozen",
                fields=["id", "kind", "unit_code", "school_year", "digest", "document_bytes", "items_count", "details"],
            ),
            pgtrigger.Protect(name="submission_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.id} · {self.get_state_display()}"


class Document(models.Model):
    """The frozen document in its coded form (4-byte length + GZip): exactly what `content` carries, before Base64."""

    submission = models.OneToOneField(Submission, primary_key=True, on_delete=models.PROTECT, related_name="document")
    packed = models.BinaryField("văn bản đã nén")

    class Meta:
        triggers = [pgtrigger.Protect(name="document_frozen", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return str(self.submission_id)


class Item(models.Model):
    """One thing in a submission that gets its own verdict. `key` is what the Ministry's answer calls it."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField("thứ tự")
    key = models.CharField("khoá", max_length=100)
    digest = models.BinaryField("dấu vết", max_length=64)
    verdict = models.CharField("kết quả", max_length=8, choices=Verdict.choices, default=Verdict.PENDING)
    # [{"code", "field", "message"}]: several errors of one record are possible.
    errors = models.JSONField("lỗi Bộ nêu", default=list)
    judged_at = models.DateTimeField("có kết quả lúc", null=True)

    class Meta:
        ordering = ["submission", "position"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "position"], name="item_position_once"),
            models.UniqueConstraint(fields=["submission", "key"], name="item_key_once"),
            models.CheckConstraint(
                condition=Q(verdict="PENDING", judged_at__isnull=True)
                | (~Q(verdict="PENDING") & Q(judged_at__isnull=False)),
                name="item_judged_at",
            ),
        ]
        indexes = [
            # Read by outbox.settle (is anything still outstanding) and by overview counts.
            models.Index(fields=["submission"], condition=Q(verdict="PENDING"), name="item_outstanding"),
            # Read by reconciliation: every package that carried this key.
            models.Index(fields=["key"], name="item_by_key"),
        ]
        triggers = [
            pgtrigger.FSM(name="item_moves", field="verdict", transitions=list(VERDICT.pairs())),
            pgtrigger.ReadOnly(name="item_frozen", fields=["submission", "position", "key", "digest"]),
            pgtrigger.Protect(name="item_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.key} · {self.get_verdict_display()}"


class Attempt(models.Model):
    """One try of one submission. Written when it begins, closed once; never changed afterwards."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField("lần thứ")
    purpose = models.CharField("mục đích", max_length=7, choices=AttemptPurpose.choices)
    worker = models.CharField("tiến trình", max_length=80, blank=True)
    started_at = models.DateTimeField("bắt đầu lúc")
    outcome = models.CharField("kết cục", max_length=15, choices=AttemptOutcome.choices, default=AttemptOutcome.OPEN)
    code = models.CharField("mã", max_length=60, blank=True)
    detail = models.TextField("diễn giải", blank=True)
    http_status = models.PositiveSmallIntegerField("mã HTTP", null=True)
    ended_at = models.DateTimeField("kết thúc lúc", null=True)

    class Meta:
        ordering = ["submission", "number"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="attempt_number_once"),
            models.CheckConstraint(
                condition=Q(outcome="OPEN", ended_at__isnull=True) | (~Q(outcome="OPEN") & Q(ended_at__isnull=False)),
                name="attempt_ended_at",
            ),
        ]
        indexes = [
            # Read by outbox.claim_due, which closes the attempt of a worker that never came back.
            models.Index(fields=["submission"], condition=Q(outcome="OPEN"), name="attempt_open"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="attempt_append_only", operation=pgtrigger.Update, condition=pgtrigger.Q(old__outcome__df="OPEN")
            ),
            pgtrigger.Protect(name="attempt_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.submission_id} #{self.number} {self.outcome}"


class Receipt(models.Model):
    """An answer of the Ministry that counts, raw (zlib) and append-only."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="receipts")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="receipts")
    kind = models.CharField("loại", max_length=15, choices=ReceiptKind.choices)
    http_status = models.PositiveSmallIntegerField("mã HTTP")
    body = models.BinaryField("nguyên văn (zlib)")
    sha256 = models.BinaryField("dấu vết SHA-256 của nguyên văn", max_length=32)
    received_at = models.DateTimeField("nhận lúc")

    class Meta:
        ordering = ["submission", "id"]
        indexes = [models.Index(fields=["submission", "id"], name="receipt_of_submission")]
        triggers = [pgtrigger.Protect(name="receipt_append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.submission_id} {self.kind}"


class SyncRun(models.Model):
    """One run of one scheduled kind of work. `slot` makes two beats at once start it only once."""

    kind = models.CharField("loại", max_length=20)
    slot = models.BigIntegerField("kỳ", null=True)
    started_at = models.DateTimeField("bắt đầu lúc")
    ended_at = models.DateTimeField("kết thúc lúc", null=True)
    result = models.CharField("kết quả", max_length=7, choices=RunResult.choices, default=RunResult.RUNNING)
    counts = models.JSONField("số liệu", default=dict)
    error = models.TextField("lỗi", blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["kind", "slot"], name="sync_run_slot_once")]
        # Read by sync (what is due, what was missed) and by the endpoint page.
        indexes = [models.Index(fields=["kind", "-started_at"], name="sync_run_latest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.result}"


class Discrepancy(models.Model):
    """One difference between our ledger and theirs: someone owns it, explains it and closes it with a note."""

    kind = models.CharField("loại", max_length=16, choices=DiscrepancyKind.choices)
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="discrepancies")
    key = models.CharField("khoá", max_length=100, blank=True)
    ours = models.CharField("phía Sở", max_length=20, blank=True)
    theirs = models.CharField("phía Bộ", max_length=20, blank=True)
    explanation = models.TextField("diễn giải")
    # The Ministry's answer in which it was found, raw (zlib): what is shown to the Ministry.
    evidence = models.BinaryField("nguyên văn câu trả lời (zlib)", null=True)
    # Nobody's at first; whoever takes it stands here, and the journal keeps who gave it to whom.
    owner = models.CharField("người xử lý", max_length=150, blank=True)
    owned_at = models.DateTimeField("nhận xử lý lúc", null=True)
    found_at = models.DateTimeField("phát hiện lúc")
    closed_at = models.DateTimeField("đóng lúc", null=True)
    closed_by = models.CharField("người đóng", max_length=150, blank=True)
    closing_note = models.TextField("ghi chú khi đóng", blank=True)

    class Meta:
        ordering = ["-found_at"]
        constraints = [
            # Found again every night, but it stays one until someone closes it.
            models.UniqueConstraint(
                fields=["kind", "submission", "key"], condition=Q(closed_at__isnull=True), name="discrepancy_open_once"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | ~Q(closing_note=""), name="discrepancy_closed_with_note"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
