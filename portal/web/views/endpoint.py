"""The state of the line to the Ministry, what scheduled runs did, and the public page that says whether all is well."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from gateway import calendar, circuit, conf, doctor, outbox, registration, sizes, sync
from portal.accounts.policy import Permission
from portal.records.reporting import seal_certificate
from portal.web.access import Opening, page, required_actor
from portal.web.forms import MaintenanceForm, ReasonForm
from portal.web.journalling import keep
from portal.web.read.line import line_now
from portal.web.read.line_facts import (
    contact,
    description_facts,
    expiring,
    history,
    last_runs,
    maintenance_ahead,
    registrations,
    runs_listed,
    silence,
    size_memory,
    worries,
)
from portal.web.read.run_words import KINDS
from portal.web.read.status import health
from signing.errors import KeyUnavailable

PER_PAGE = 50


@page(Permission.SEE_QUEUE)
def endpoint(request: HttpRequest) -> HttpResponse:
    return render(request, "web/endpoint.html", _endpoint())


@page(Permission.CONTROL_QUEUE, methods=("GET", "POST"))
def endpoint_check(request: HttpRequest) -> HttpResponse:
    """The connection doctor's walk along the line; it sends no package and changes nothing."""
    if request.method != "POST":
        return redirect("endpoint")  # the address of a result, opened again later
    context = _endpoint()
    try:
        found = doctor.examine(conf.endpoint(), now=timezone.now())
        context |= {
            "findings": found,
            "broken": next((one for one in found if one.outcome == "FAILED"), None),
            "doubtful": sum(one.outcome == "WARNING" for one in found),
            "contact": contact(),
            "examined_at": timezone.now(),
        }
    except conf.EndpointUnreadable as unreadable:
        context["problem"] = unreadable.message
    keep(request, action="endpoint.examined", subject_kind="endpoint", subject_id="1")
    return render(request, "web/endpoint.html", context)


@page(Permission.SEE_QUEUE)
def endpoint_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/parts/endpoint_live.html", _endpoint())


@page(Permission.SEE_QUEUE)
def runs_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/parts/runs_live.html", {"runs": last_runs()})


@page(Permission.SEE_QUEUE)
def registration_sheet(request: HttpRequest) -> HttpResponse:
    """What the department registers with the Ministry, to be printed and signed. Facts only, no secret."""
    try:
        found = registration.sheet(conf.endpoint(), now=timezone.now())
    except conf.EndpointUnreadable as unreadable:
        messages.error(request, unreadable.message)
        return redirect("endpoint")
    return render(request, "web/registration_sheet.html", {"sheet": found})


@page(Permission.SEE_QUEUE)
def runs(request: HttpRequest) -> HttpResponse:
    """Every run of scheduled work that is still kept, newest first: what it did, how long it took, what went wrong."""
    kind, failed = request.GET.get("viec", ""), request.GET.get("hong", "") == "1"
    context = {
        "page": Paginator(runs_listed(kind, failed_only=failed), PER_PAGE).get_page(request.GET.get("trang")),
        "kinds": KINDS,
        "kind": kind,
        "failed": failed,
        "now": timezone.now(),
    }
    return render(request, "web/runs.html", context)


def _endpoint() -> dict[str, object]:
    now = timezone.now()
    shown: dict[str, object] = {"line": line_now(), "runs": last_runs(), "now": now, "history": history()}
    shown["registrations"] = registrations()
    try:
        return shown | {
            "facts": description_facts(),
            "silence": silence(now=now),
            "ahead": maintenance_ahead(now=now),
            "expiring": expiring(now=now),
            "worries": worries(now=now),
            "size_memory": size_memory(now=now),
        }
    except conf.EndpointUnreadable as unreadable:
        return shown | {"problem": unreadable.message}


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def endpoint_switch(request: HttpRequest, act: str) -> HttpResponse:
    """The officer's hand on the line: stop all sending, let it go on once the cause is gone, or forget the size that
    was once refused; with a reason."""
    if act not in _SWITCHES:
        raise Http404
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Chưa ghi lý do (ít nhất 5 ký tự)."))
        return redirect("endpoint")
    # The database's clock: what waits for this moment was closed by it.
    reason, now, description = form.cleaned_data["reason"], outbox.database_now(), conf.endpoint()
    row = circuit.row(description)
    with transaction.atomic():
        if act == "dung":
            rng = sync.randomness()
            done = circuit.pause(row, "BY_OFFICER", reason, description=description, now=now, rng=rng)
        elif act == "thong":
            done = circuit.resume(row, now=now)
        else:
            done = sizes.forget(row)
        if done:
            keep(
                request, action=f"endpoint.{_SWITCHES[act]}", subject_kind="endpoint", subject_id=row.name,
                reason=reason,
            )  # fmt: skip
    if done:
        messages.success(request, _("Đã làm và đã ghi vào nhật ký."))
    else:
        messages.error(request, _("Đường truyền đã ở trạng thái đó."))
    return redirect("endpoint")


_SWITCHES = {"dung": "paused", "thong": "resumed", "quen-co": "size_forgotten"}


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def certificate_register(request: HttpRequest) -> HttpResponse:
    """Send the department's sealing certificate to the Ministry; its approval comes back through the queue."""
    kind, provider = request.POST.get("kind", "")[:60], request.POST.get("provider", "")[:60]
    try:
        with transaction.atomic():
            submission = registration.register_certificate(
                conf.endpoint(), seal_certificate(), kind=kind, provider=provider, now=timezone.now()
            )
            keep(
                request, action="endpoint.certificate_sent", subject_kind="submission", subject_id=str(submission),
                kind=kind, provider=provider,
            )  # fmt: skip
    except (registration.RegistrationRefused, KeyUnavailable) as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Đã xếp hàng gửi đăng ký chứng thư; kết quả phê duyệt hiện ở trang này."))
    return redirect("endpoint")


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def maintenance_announce(request: HttpRequest) -> HttpResponse:
    """Announce hours in which nothing new leaves."""
    form = MaintenanceForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Ghi đủ giờ bắt đầu, giờ kết thúc (dd/mm/yyyy HH:MM) và lý do."))
        return redirect("endpoint")
    said = form.cleaned_data
    try:
        with transaction.atomic():
            made = calendar.announce(
                starts_at=said["starts"], ends_at=said["ends"], reason=said["reason"],
                by=str(required_actor(request).user), now=timezone.now(),
            )  # fmt: skip
            keep(
                request, action="maintenance.announced", subject_kind="maintenance", subject_id=str(made.pk),
                reason=made.reason, starts_at=made.starts_at.isoformat(), ends_at=made.ends_at.isoformat(),
            )  # fmt: skip
    except calendar.CalendarRefused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Đã báo bảo trì và đã ghi vào nhật ký."))
    return redirect("endpoint")


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def maintenance_cancel(request: HttpRequest, maintenance_id: int) -> HttpResponse:
    with transaction.atomic():
        done = calendar.cancel(maintenance_id, by=str(required_actor(request).user), now=timezone.now())
        if done:
            keep(request, action="maintenance.cancelled", subject_kind="maintenance", subject_id=str(maintenance_id))
    if done:
        messages.success(request, _("Đã huỷ đợt bảo trì; các gói đi tiếp ngay."))
    else:
        messages.error(request, _("Đợt bảo trì này đã qua hoặc đã huỷ."))
    return redirect("endpoint")


@page(Opening.PUBLIC)
def status(request: HttpRequest) -> HttpResponse:
    """For everybody, also before signing in: figures without a name, and 503 when the portal cannot do its work."""
    found = health(now=timezone.now())
    return render(request, "web/status.html", {"health": found}, status=200 if found.is_up else 503)
