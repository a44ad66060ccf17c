"""The province in figures: records by where they are, by level and by school. No child's data.

Counting millions of rows is kept for a few seconds, so that many open pages cost one count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from gateway.models import Discrepancy
from portal.records.models import Batch, Recall, Record
from portal.records.recall import refused_there
from portal.records.states import BatchState, RecallState, RecordState
from portal.schools.models import Certificate, Level, School
from portal.web.read.batches import Progress, counters

KEEP_SECONDS = 4
T = TypeVar("T")


@dataclass(frozen=True)
class LevelLine:
    title: str
    progress: Progress


@dataclass(frozen=True)
class Province:
    """What the overview shows; `at` says when it was counted."""

    at: datetime
    years: list[str]
    total: Progress
    levels: list[LevelLine]
    schools: int
    schools_with_records: int
    expected: int
    batches_waiting: int
    batches_refused: int
    batches_set_aside: int
    certificates_waiting: int
    recalls_waiting: int
    recalls_refused: int
    discrepancies_open: int


def province(year: str) -> Province:
    """Figures of one school year, or of all."""
    return _kept(f"province:{year}", lambda: _count(year))


def _kept(key: str, make: Callable[[], T]) -> T:
    found: T | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, KEEP_SECONDS)
    return found


def _count(year: str) -> Province:
    records = Record.objects.filter(school_year=year) if year else Record.objects.all()
    levels = by_level(records)
    batches = dict(Batch.objects.values_list("state").annotate(n=Count("pk")).order_by())
    schools = School.objects.filter(is_active=True)
    return Province(
        at=timezone.now(),
        years=list(
            Record.objects.exclude(school_year="")
            .order_by("-school_year")
            .values_list("school_year", flat=True)
            .distinct()
        ),
        total=_sum([line.progress for line in levels]),
        levels=levels,
        schools=schools.count(),
        schools_with_records=records.values("school").distinct().count(),
        expected=sum(schools.values_list("expected_records", flat=True)),
        batches_waiting=batches.get(BatchState.RECEIVED, 0) + batches.get(BatchState.OPENED, 0),
        batches_refused=batches.get(BatchState.REFUSED, 0),
        batches_set_aside=Batch.objects.filter(set_aside_at__isnull=False).count(),
        certificates_waiting=Certificate.objects.filter(state=Certificate.State.REQUESTED).count(),
        recalls_waiting=Recall.objects.filter(state=RecallState.REQUESTED).count(),
        recalls_refused=refused_there().count(),
        discrepancies_open=Discrepancy.objects.filter(closed_at__isnull=True).count(),
    )


def progress_by(records: QuerySet[Record], field: str) -> dict[Any, Progress]:
    """The progress of records grouped by a field."""
    rows: Iterable[dict[str, Any]] = records.order_by().values(field).annotate(**counters())
    return {row[field]: Progress(**{k: v for k, v in row.items() if k != field}) for row in rows}


def by_level(records: QuerySet[Record]) -> list[LevelLine]:
    rows = progress_by(records, "level")
    titles = {**dict(Level.choices), "": _("Chưa rõ cấp học")}
    return [LevelLine(_(str(titles[key])), rows[key]) for key in titles if key in rows]


def by_school(schools: list[School], *, year: str = "") -> dict[int, Progress]:
    """The progress of some schools, for one page of a list."""
    records = Record.objects.filter(school__in=schools)
    if year:
        records = records.filter(school_year=year)
    return progress_by(records, "school")


def busiest_schools(*, year: str, limit: int = 12) -> list[tuple[School, Progress]]:
    """The schools with most records that need somebody: refused here or by the Ministry, or without a verdict."""
    records = Record.objects.filter(school_year=year) if year else Record.objects.all()
    wrong = Q(state=RecordState.REFUSED) | Q(item__verdict="REJECTED")
    worst = records.order_by().values("school").annotate(wrong=Count("id", filter=wrong), all=Count("id"))
    ids = [row["school"] for row in worst.order_by("-wrong", "-all")[:limit]]
    schools = School.objects.select_related("commune").in_bulk(ids)
    progress = by_school(list(schools.values()), year=year)
    return [(schools[i], progress[i]) for i in ids if i in progress]


def _sum(parts: list[Progress]) -> Progress:
    return Progress(**{f.name: sum(getattr(p, f.name) for p in parts) for f in fields(Progress)})
