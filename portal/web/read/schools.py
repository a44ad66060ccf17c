"""Schools as the department sees them: what they handed in and whether they can sign. No child's data."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from portal.records.models import Record
from portal.records.states import RecordState
from portal.schools.models import Certificate, Level, School
from portal.web.read.batches import Progress
from portal.web.read.overview import by_school

NOTHING = Progress(0, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class SchoolLine:
    school: School
    progress: Progress
    has_certificate: bool

    @property
    def levels(self) -> str:
        return ", ".join(str(Level(code).label) for code in self.school.levels)


def listed_schools(*, text: str = "", level: str = "", state: str = "") -> QuerySet[School]:
    """Active schools, narrowed by what the filter form asked."""
    records = Record.objects.filter(school=OuterRef("pk"))
    rows = School.objects.filter(is_active=True).select_related("commune").annotate(can_sign=Exists(_in_force()))
    if text:
        rows = rows.filter(Q(name__icontains=text) | Q(code__startswith=text) | Q(former_code__startswith=text))
    if level:
        rows = rows.filter(levels__contains=[level])
    if state == "nothing":
        rows = rows.filter(~Exists(records))
    if state == "refused":
        rows = rows.filter(Exists(records.filter(state=RecordState.REFUSED)))
    if state == "no-certificate":
        rows = rows.filter(can_sign=False)
    return rows.order_by("name", "code")


def school_lines(schools: list[School]) -> list[SchoolLine]:
    progress = by_school(schools)
    return [SchoolLine(s, progress.get(s.pk, NOTHING), bool(getattr(s, "can_sign", False))) for s in schools]


def _in_force() -> QuerySet[Certificate]:
    return Certificate.objects.filter(
        school=OuterRef("pk"), state=Certificate.State.APPROVED, not_after__gt=timezone.now()
    )
