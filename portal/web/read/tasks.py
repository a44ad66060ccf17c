"""What a school has to do next, counted: refused batches, records to correct, the Ministry's refusals, certificates.

Each task says how many, why, and leads to the page where it is done. Nothing to do is said as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.records.models import Batch, Record
from portal.records.states import BatchState, RecordState, Standing
from portal.schools.models import Certificate, School
from portal.web.access import Actor
from portal.web.read.batches import Progress, batches_of, progress_of, with_verdicts

EXPIRES_SOON = timedelta(days=60)
RECENT = timedelta(days=14)


@dataclass(frozen=True)
class Task:
    tone: str
    title: str
    why: str
    address: str
    action: str


@dataclass(frozen=True)
class Day:
    """What the school's first page shows."""

    school: School
    tasks: list[Task]
    progress: Progress
    expected: int
    batches: list[Batch]


def school_day(actor: Actor) -> Day:
    school = actor.school
    if school is None:
        raise ValueError("a school's page needs a school")
    records = Record.objects.filter(school=school)
    found = [_certificate_task(school), _refused_batches(school), _to_correct(records), _rejected(records)]
    return Day(
        school=school,
        tasks=[task for task in found if task is not None],
        progress=progress_of(records),
        expected=school.expected_records,
        batches=list(with_verdicts(batches_of(actor)).order_by("-received_at")[:5]),
    )


def uncorrected(records: QuerySet[Record]) -> QuerySet[Record]:
    """Refused records whose pupil has no record in force for that year: somebody still has to correct them."""
    took_its_place = Record.objects.filter(
        standing=Standing.IN_FORCE, cccd=OuterRef("cccd"), school_year=OuterRef("school_year")
    ).exclude(cccd="")
    return records.filter(~Exists(took_its_place), state=RecordState.REFUSED)


def _refused_batches(school: School) -> Task | None:
    since = timezone.now() - RECENT
    number = Batch.objects.filter(school=school, state=BatchState.REFUSED, received_at__gte=since).count()
    if not number:
        return None
    return Task(
        tone="bad",
        title=_("%(n)s lô bị từ chối trong 14 ngày qua") % {"n": number},
        why=_("Cả tệp không dùng được, chưa học bạ nào được nhận. Xem lý do, xử lý rồi nộp lại."),
        address=reverse("batches") + "?state=REFUSED",
        action=_("Xem lô bị từ chối"),
    )


def _to_correct(records: QuerySet[Record]) -> Task | None:
    wrong = uncorrected(records)
    number = wrong.count()
    if not number:
        return None
    newest = wrong.order_by("-batch__received_at").values_list("batch_id", flat=True).first()
    return Task(
        tone="bad",
        title=_("%(n)s học bạ không hợp lệ cần sửa") % {"n": number},
        why=_("Sửa trong phần mềm của trường, ký lại theo hướng dẫn của từng lỗi, rồi nộp lại các học bạ này."),
        address=reverse("batch", args=[newest]) + "?state=REFUSED",
        action=_("Mở lô mới nhất có lỗi"),
    )


def _rejected(records: QuerySet[Record]) -> Task | None:
    wrong = records.filter(item__verdict="REJECTED", standing=Standing.IN_FORCE)
    number = wrong.count()
    if not number:
        return None
    newest = wrong.order_by("-batch__received_at").values_list("batch_id", flat=True).first()
    return Task(
        tone="bad",
        title=_("%(n)s học bạ bị Bộ từ chối") % {"n": number},
        why=_("Xem lý do của Bộ ở từng học bạ, tạo học bạ mới với mã tra cứu mới, ký lại rồi nộp."),
        address=reverse("batch", args=[newest]) + "?state=REJECTED",
        action=_("Xem học bạ bị Bộ từ chối"),
    )


def _certificate_task(school: School) -> Task | None:
    now = timezone.now()
    approved = Certificate.objects.filter(school=school, state=Certificate.State.APPROVED, not_after__gt=now)
    newest = approved.order_by("-not_after").first()
    address, action = reverse("school-certificates"), _("Mở trang chứng thư số")
    if newest is None:
        waiting = Certificate.objects.filter(school=school, state=Certificate.State.REQUESTED).exists()
        why = (
            _("Đề nghị đã gửi, đang chờ Sở duyệt. Học bạ nộp trước khi duyệt sẽ không hợp lệ.")
            if waiting
            else _("Trường phải đăng ký chứng thư số của tổ chức và được Sở duyệt trước khi phát hành học bạ.")
        )
        return Task(
            tone="warn" if waiting else "bad", title=_("Chưa có chứng thư số được duyệt"), why=why,
            address=address, action=action,
        )  # fmt: skip
    if newest.not_after - now > EXPIRES_SOON:
        return None
    return Task(
        tone="warn",
        title=_("Chứng thư số sắp hết hạn: còn %(n)s ngày") % {"n": (newest.not_after - now).days},
        why=_("Xin cấp chứng thư mới và đăng ký với Sở trước ngày hết hạn, để việc phát hành không bị gián đoạn."),
        address=address,
        action=action,
    )
