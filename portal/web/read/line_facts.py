"""What the endpoint's description says, without its secrets, and what the scheduled runs last did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from gateway import calendar, expiry, sizes, stuck, sync
from gateway.conf import EndpointUnreadable, endpoint
from gateway.models import Endpoint, EndpointEvent, Item, Submission, SyncRun
from portal.web.formats import day, moment
from portal.web.read.run_words import kind_in_words


def description_facts() -> list[tuple[str, str]]:
    """Facts for people: where, as whom, from which address. Raises EndpointUnreadable."""
    found = endpoint()
    who, line, rules = found.endpoint, found.connection, found.document
    rows = [
        (_("Hệ thống"), who.title),
        (_("Địa chỉ"), who.base_url),
        (_("Mã đơn vị gửi"), who.unit_code),
        (_("Tên đăng nhập"), found.login.user_name),
        (_("Địa chỉ IP đi ra"), line.source_address or _("theo tuyến mặc định")),
        (_("Địa chỉ IP đã đăng ký"), line.registered_address),
        (_("Máy chủ trung gian"), line.proxy or _("không dùng")),
        (_("Giới hạn một gói"), f"{rules.max_document_bytes / 1_000_000:.1f} MB".replace(".", ",")),
        (_("Đầu mối của Bộ"), who.contact),
        (_("Đầu mối của Sở"), who.our_contact),
    ]
    return [(name, value) for name, value in rows if value]


def silence(*, now: datetime) -> str:
    """Why nothing may be sent at this hour although the line is open, and what happens next; empty when it may be.
    Raises EndpointUnreadable."""
    quiet = calendar.silence(endpoint(), now=now)
    if quiet is None:
        return ""
    until = moment(quiet.until)
    if quiet.code == "MAINTENANCE":
        said = _("Đang bảo trì: %(reason)s.") % {"reason": quiet.reason}
    else:
        said = _("Ngoài khung giờ được gửi.")
    if quiet.until is None:
        return said + " " + _("Chưa có giờ gửi nào sắp tới; kiểm tra khung giờ trong tệp mô tả.")
    after = _("Không gói nào bị mất: các gói đứng chờ và tự đi từ %(until)s. Việc hỏi kết quả vẫn chạy.")
    return said + " " + after % {"until": until}


def silence_now(*, now: datetime) -> str:
    """The same for pages that show more than the line; an unreadable description is the endpoint page's to tell."""
    try:
        return silence(now=now)
    except EndpointUnreadable:
        return ""


def contact() -> str:
    """Whom to call at the Ministry, as the description says; empty while it cannot be read."""
    try:
        return endpoint().endpoint.contact
    except EndpointUnreadable:
        return ""


def maintenance_ahead(*, now: datetime) -> list[calendar.Announced]:
    """Maintenance that runs or is to come. Raises EndpointUnreadable."""
    return calendar.ahead(endpoint(), now=now)


@dataclass(frozen=True)
class SizeMemory:
    """What packing keeps below because the Ministry once found it too big, in words."""

    sentence: str


def size_memory(*, now: datetime) -> SizeMemory | None:
    """None while nothing is remembered. Raises EndpointUnreadable."""
    found = sizes.remembered(endpoint(), now=now)
    if found is None:
        return None
    said = _(
        "Bộ từ chối gói %(size)s vì quá lớn lúc %(at)s, nên gói mới được đóng dưới %(limit)s tới %(until)s rồi tự thử "
        "lại. Bộ đã nâng giới hạn: bấm Quên cỡ này; nếu chưa, cùng lắm một gói bị từ chối rồi tự chia nhỏ."
    )
    sizes_said = {"size": _megabytes(found.refused_bytes), "limit": _megabytes(found.limit)}
    return SizeMemory(said % {**sizes_said, "at": moment(found.refused_at), "until": moment(found.until)})


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:.2f} MB".replace(".", ",")


def history() -> list[EndpointEvent]:
    """The last pauses and resumptions of the line."""
    return list(EndpointEvent.objects.select_related("endpoint").order_by("-pk")[:20])


def expiring(*, now: datetime) -> list[tuple[expiry.Watched, int]]:
    """Certificates within the first threshold, soonest first, with the days left. Raises EndpointUnreadable."""
    description = endpoint()
    first = max(description.schedule.certificate_warning_days, default=0)
    found = [(one, one.days_left(now)) for one in expiry.watched(description)]
    return [(one, left) for one, left in found if left <= first]


def _expiring_in_words(now: datetime) -> list[str]:
    """Each certificate of the line, the seal and the trust as a sentence; those of schools in one."""
    soon = expiring(now=now)
    said = []
    for one, left in soon:
        if one.role == "SCHOOL":
            continue
        facts = {"title": one.title, "until": day(one.not_after), "n": left}
        if left < 0:
            said.append(_("%(title)s đã hết hạn ngày %(until)s: thay ngay, rồi đăng ký chứng thư mới với Bộ.") % facts)
        else:
            said.append(_("%(title)s còn %(n)s ngày (đến %(until)s): xin cấp chứng thư mới từ bây giờ.") % facts)
    schools = sum(one.role == "SCHOOL" for one, _left in soon)
    if schools:
        said.append(_("%(n)s trường có chứng thư số sắp hết hạn: xem danh sách ở trang Đường truyền.") % {"n": schools})
    return said


def worries(*, now: datetime) -> list[str]:
    """What stands still or was missed, each as a sentence. Raises EndpointUnreadable."""
    words = {
        "stuck_uncertain": _("%(n)s gói chưa rõ đã tới hay chưa quá 6 giờ: mở hàng đợi, xem câu trả lời của Bộ."),
        "stuck_queued": _("%(n)s gói chờ gửi quá 24 giờ: xem đường truyền có tạm dừng hoặc ngoài khung giờ."),
        "stuck_held": _("%(n)s gói bị cán bộ giữ quá 3 ngày: thả ra hoặc ghi rõ lý do."),
        "stuck_refused": _(
            "%(n)s gói bị Bộ từ chối mà học bạ chưa vào gói khác quá một giờ: mở hàng đợi, xem lý do của Bộ."
        ),
        "stuck_paused": _("Đường truyền tạm dừng quá 6 giờ: gọi đầu mối của Bộ."),
    }
    numbers = stuck.counts(now=now) | {"stuck_refused": _not_repacked(now - timedelta(hours=1))}
    found = [words[name] % {"n": number} for name, number in numbers.items() if number] + _expiring_in_words(now)
    failing = stuck.own_faults(since=now - timedelta(hours=1))
    if failing:
        found.append(
            _("Giờ qua phần mềm của cổng tự gặp lỗi ở %(n)s lượt chạy; không gói nào mất. Xem nhật ký worker.")
            % {"n": failing}
        )
    late = sync.missed(now=now)
    if late:
        found.append(_("Việc định kỳ chưa chạy đúng lịch: %(kinds)s.") % {"kinds": ", ".join(map(kind_in_words, late))})
    return found


def last_runs() -> list[SyncRun]:
    """The newest run of each kind."""
    return list(SyncRun.objects.order_by("kind", "-started_at").distinct("kind"))


def runs_listed(kind: str, *, failed_only: bool) -> QuerySet[SyncRun]:
    """The runs of one kind, or all, newest first; on demand only those that failed or never ended."""
    rows = SyncRun.objects.annotate(took=F("ended_at") - F("started_at")).order_by("-started_at", "-pk")
    if kind:
        rows = rows.filter(kind=kind)
    return rows.exclude(result="DONE") if failed_only else rows


def _not_repacked(before: datetime) -> int:
    """Refused packages whose records should have gone into another one by now, and have not."""
    rows = Submission.objects.filter(state="REFUSED", kind="RECORDS", closed_at__lt=before)
    return rows.filter(items__verdict="PENDING", items__record__isnull=False).distinct().count()


@dataclass(frozen=True)
class Registrations:
    """The Ministry's two catalogues as last read, and the certificates registered with it."""

    kinds: list[tuple[str, str]]
    providers: list[tuple[str, str]]
    sent: list[Item]


def registrations() -> Registrations:
    row = Endpoint.objects.order_by("pk").last()
    catalogues = row.catalogues if row is not None else {}
    sent = Item.objects.filter(submission__kind="CERTIFICATE").select_related("submission")
    return Registrations(
        _entries(catalogues, "signature_kinds"),
        _entries(catalogues, "certificate_providers"),
        list(sent.order_by("-submission__enqueued_at")[:20]),
    )


def _entries(catalogues: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    return [(str(entry.get("ma", "")), str(entry.get("ten", ""))) for entry in catalogues.get(name, [])]
