"""Rows in which the line speaks to people: what happened to it, maintenance, expiry warnings, comparisons, statements.

No logic lives here. `circuit` writes EndpointEvent, `calendar` Maintenance, `expiry` ExpiryNotice, `reconciliation`
Comparison, `statement` Statement. What was said once stays; only a maintenance may be called off, and a comparison
goes on from where it stands.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q


class EndpointEvent(models.Model):
    """One pause or one resumption of the line, each announced once: the history on the endpoint page."""

    class Event(models.TextChoices):
        PAUSED = "PAUSED", "Tạm dừng"
        RESUMED = "RESUMED", "Thông lại"

    endpoint = models.ForeignKey("gateway.Endpoint", on_delete=models.PROTECT, related_name="events")
    event = models.CharField("việc", max_length=7, choices=Event.choices)
    cause = models.CharField("nguyên nhân", max_length=40, blank=True)
    message = models.TextField("diễn giải", blank=True)
    at = models.DateTimeField("lúc")

    class Meta:
        ordering = ["-id"]
        triggers = [pgtrigger.Protect(name="endpoint_event_kept", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%d/%m/%Y %H:%M} {self.event} {self.cause}"


class Maintenance(models.Model):
    """Hours in which nothing new may leave, announced by an officer (beside those of the endpoint's description)."""

    starts_at = models.DateTimeField("từ")
    ends_at = models.DateTimeField("đến")
    reason = models.CharField("lý do", max_length=300)
    announced_by = models.CharField("người báo", max_length=150)
    announced_at = models.DateTimeField("báo lúc")
    cancelled_by = models.CharField("người huỷ", max_length=150, blank=True)
    cancelled_at = models.DateTimeField("huỷ lúc", null=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="maintenance_in_order"),
            models.CheckConstraint(condition=~Q(reason=""), name="maintenance_has_reason"),
        ]
        indexes = [
            # Read before every claim: is one of them running now.
            models.Index(fields=["ends_at"], condition=Q(cancelled_at__isnull=True), name="maintenance_ahead"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%d/%m/%Y %H:%M} – {self.ends_at:%d/%m/%Y %H:%M}"


class ExpiryNotice(models.Model):
    """Somebody was told that this certificate expires within so many days: once per certificate and threshold."""

    sha256 = models.CharField("dấu vết chứng thư", max_length=64)
    threshold_days = models.PositiveSmallIntegerField("mốc, ngày")
    role = models.CharField("vai", max_length=20)
    title = models.CharField("chứng thư", max_length=300)
    not_after = models.DateTimeField("hết hạn lúc")
    told_at = models.DateTimeField("báo lúc")

    class Meta:
        ordering = ["-told_at"]
        constraints = [models.UniqueConstraint(fields=["sha256", "threshold_days"], name="expiry_told_once")]

    def __str__(self) -> str:
        return f"{self.title} · {self.threshold_days}"


class Statement(models.Model):
    """The day's ledger as it was signed: CSV and PDF for people, and the sealed XML that binds both by digest."""

    day_on = models.DateField("ngày")
    made_at = models.DateTimeField("lập lúc")
    counts = models.JSONField("số liệu", default=dict)
    csv = models.BinaryField("CSV")
    pdf = models.BinaryField("PDF")
    sealed = models.BinaryField("XML có chữ ký")
    sha256 = models.CharField("dấu vết SHA-256 của XML", max_length=64)

    class Meta:
        ordering = ["-day_on", "-id"]
        indexes = [models.Index(fields=["-day_on", "-id"], name="statement_newest")]
        triggers = [pgtrigger.Protect(name="statement_kept", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.day_on:%d/%m/%Y}"


class Comparison(models.Model):
    """One comparison of our ledger with theirs: what was asked for, and how far it has come. Nobody asked: nightly."""

    asked_by = models.CharField("người yêu cầu", max_length=150, blank=True)
    asked_at = models.DateTimeField("yêu cầu lúc")
    since = models.DateTimeField("từ")
    until = models.DateTimeField("đến")
    unit_code = models.CharField("mã đơn vị", max_length=20, blank=True)
    school_year = models.PositiveSmallIntegerField("năm học", null=True)

    total = models.PositiveIntegerField("số gói phải hỏi")
    asked = models.PositiveIntegerField("đã hỏi", default=0)
    unanswered = models.PositiveIntegerField("không trả lời", default=0)
    opened = models.PositiveIntegerField("khác mới", default=0)
    # The last package done: a worker that dies, or a line that pauses, costs one question and not the year.
    done_until = models.DateTimeField("đã xong tới gói vào hàng đợi lúc", null=True)
    done_id = models.UUIDField("đã xong tới gói", null=True)

    next_at = models.DateTimeField("làm tiếp lúc", null=True)
    lease_until = models.DateTimeField("giữ đến", null=True)
    waiting_for = models.CharField("chờ vì", max_length=60, blank=True)
    # Waits at the package that is next, one after another: a line that works refuses that package and not us.
    waits = models.PositiveSmallIntegerField("số lần đã chờ tại gói kế tiếp", default=0, db_default=0)
    ended_at = models.DateTimeField("xong lúc", null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, next_at__isnull=False)
                | Q(ended_at__isnull=False, next_at__isnull=True, lease_until__isnull=True),
                name="comparison_ends_or_goes_on",
            ),
        ]
        indexes = [
            # Read by every tick: is a comparison to go on.
            models.Index(fields=["next_at"], condition=Q(ended_at__isnull=True), name="comparison_open"),
        ]

    def __str__(self) -> str:
        return f"{self.asked_at:%d/%m/%Y %H:%M} {self.asked + self.unanswered}/{self.total}"
