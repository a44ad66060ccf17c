"""Rows of the journal: entries that nothing may change, and the blocks that chain them.

`portal.audit.journal` is the only writer. The database itself refuses UPDATE, DELETE and TRUNCATE.
"""

import pgtrigger
from django.conf import settings
from django.db import models


def append_only(name: str) -> list[pgtrigger.Trigger]:
    """The triggers that make a table append-only, whoever asks."""
    return [
        pgtrigger.Protect(name=f"{name}_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name=f"{name}_no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'the journal is append-only';",
        ),
    ]


class DatabaseClock(models.Func):
    """The database's own time, which moves on within a transaction."""

    function = "clock_timestamp"
    arity = 0
    output_field = models.DateTimeField()


class Entry(models.Model):
    """One thing that somebody did, or one reading of personal data."""

    # The clock of the machine that acted, and that of the database: several machines, one database. Entries of before
    # there were two have only the first.
    at = models.DateTimeField("lúc")
    written_at = models.DateTimeField("ghi lúc (cơ sở dữ liệu)", null=True, db_default=DatabaseClock())
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField("ai", max_length=150)
    action = models.CharField("việc", max_length=60)
    subject_kind = models.CharField("loại đối tượng", max_length=40, blank=True)
    subject_id = models.CharField("đối tượng", max_length=64, blank=True)
    school_id = models.BigIntegerField("trường", null=True)
    reason = models.CharField("lý do", max_length=500, blank=True)
    # Facts about the act (counts, states, digests); never a child's data.
    detail = models.JSONField("chi tiết", default=dict)
    address = models.GenericIPAddressField("địa chỉ", null=True)

    class Meta:
        ordering = ["-id"]
        triggers = append_only("entry")
        indexes = [
            # Read by the page "who has seen this record".
            models.Index(fields=["subject_kind", "subject_id"], name="entry_by_subject"),
            # Read by the journal page, newest first, per school.
            models.Index(fields=["school_id", "-id"], name="entry_by_school"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%d/%m/%Y %H:%M} {self.action}"


class Block(models.Model):
    """A sealed run of entries: the Merkle root over them, chained to the block before."""

    number = models.PositiveBigIntegerField("số", unique=True)
    first_entry = models.PositiveBigIntegerField("từ dòng")
    last_entry = models.PositiveBigIntegerField("đến dòng")
    entries = models.PositiveIntegerField("số dòng")
    root = models.BinaryField("gốc Merkle")
    previous = models.BinaryField("khối trước")
    digest = models.BinaryField("dấu vết khối")
    # How its entries were digested: 1 without the database's clock, 2 with it.
    leaf_format = models.SmallIntegerField("cách tính dòng", db_default=1)
    sealed_at = models.DateTimeField("đóng lúc")

    class Meta:
        ordering = ["-number"]
        triggers = append_only("block")

    def __str__(self) -> str:
        return f"khối {self.number}"
