"""Reconciliation: differences with the Ministry, each with an owner and a closing note; runs on demand; statements."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from gateway import conf, queries, reconciliation, statement, sync, tasks
from gateway.models import Discrepancy, Statement
from portal.accounts.policy import Permission
from portal.web.access import page, required_actor
from portal.web.forms import ReasonForm, ReconcileForm
from portal.web.journalling import keep
from portal.web.read.line_facts import contact
from portal.web.read.reconciliation import advice, answer_of, listed, statements, unit_name

PER_PAGE = 50
_TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf", "xml": "application/xml"}


@page(Permission.SEE_QUEUE)
def discrepancies(request: HttpRequest) -> HttpResponse:
    shown, unit = request.GET.get("xem", ""), request.GET.get("don_vi", "").strip()
    context = {
        "page": Paginator(listed(shown, unit), PER_PAGE).get_page(request.GET.get("trang")),
        "shown": shown,
        "unit": unit,
        "statements": statements(),
        "comparisons": queries.comparisons(),
        "form": ReconcileForm(),
        "may_act": required_actor(request).controls_queue,
    }
    return render(request, "web/discrepancies.html", context)


@page(Permission.SEE_QUEUE)
def discrepancy(request: HttpRequest, discrepancy_id: int) -> HttpResponse:
    found = get_object_or_404(Discrepancy.objects.select_related("submission"), pk=discrepancy_id)
    may_read = required_actor(request).reads_records
    answer = answer_of(found) if may_read else ""
    if answer:
        keep(request, action="discrepancy.answer_read", subject_kind="discrepancy", subject_id=str(found.pk))
    context = {
        "found": found,
        "answer": answer,
        "has_answer": found.evidence is not None,
        "advice": advice(found),
        "contact": contact(),
        "unit_name": unit_name(found.submission.unit_code),
        "may_act": required_actor(request).controls_queue and found.closed_at is None,
    }
    return render(request, "web/discrepancy.html", context)


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def discrepancy_act(request: HttpRequest, discrepancy_id: int, act: str) -> HttpResponse:
    """Take it upon oneself, or close it with a note: the row and its line in the journal, or neither."""
    if act not in _ACTIONS:
        raise Http404
    found = get_object_or_404(Discrepancy, pk=discrepancy_id)
    me, now = str(required_actor(request).user), timezone.now()
    form = ReasonForm(request.POST)
    if act == "dong" and not form.is_valid():
        messages.error(request, _("Chưa ghi kết luận (ít nhất 5 ký tự)."))
        return redirect("discrepancy", discrepancy_id)
    note = form.cleaned_data["reason"] if act == "dong" else ""
    with transaction.atomic():
        if act == "dong":
            done = reconciliation.close(found.pk, by=me, closing_note=note, now=now)
        else:
            done = reconciliation.take(found.pk, owner=me, now=now)
        if done:
            keep(
                request, action=f"discrepancy.{_ACTIONS[act]}", subject_kind="discrepancy", subject_id=str(found.pk),
                reason=note, kind=found.kind,
            )  # fmt: skip
    if done:
        messages.success(request, _("Đã làm và đã ghi vào nhật ký."))
    else:
        messages.error(request, _("Điểm khác nhau này đã được đóng."))
    return redirect("discrepancy", discrepancy_id)


_ACTIONS = {"nhan": "taken", "dong": "closed"}


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def reconcile(request: HttpRequest) -> HttpResponse:
    """Put a comparison down; workers go through it in slices, and the page shows how far it has come."""
    form = ReconcileForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Chọn một ngày, một đơn vị hoặc một năm học để đối soát."))
        return redirect("discrepancies")
    day, unit, year = form.cleaned_data["day"], form.cleaned_data["unit"], form.cleaned_data["year"]
    now = timezone.now()
    since, until = reconciliation.period(day, conf.endpoint(), now=now)
    with transaction.atomic():
        asked = reconciliation.ask_for(
            since=since, until=until, now=now, asked_by=str(required_actor(request).user),
            unit_code=unit, school_year=year,
        )  # fmt: skip
        keep(
            request, action="reconciliation.asked", subject_kind="comparison", subject_id=str(asked.pk),
            day=day.isoformat() if day else "", unit=unit, year=year,
        )  # fmt: skip
    tasks.nudge(sync.COMPARE)
    messages.success(request, _("Đã giao việc đối soát %(n)s gói; tiến độ hiện ở trang này.") % {"n": asked.total})
    return redirect("discrepancies")


@page(Permission.SEE_QUEUE)
def statement_file(request: HttpRequest, statement_id: int, kind: str) -> HttpResponse:
    """One of the three files of a signed statement."""
    found = get_object_or_404(Statement, pk=statement_id)
    if kind not in _TYPES:
        raise Http404
    name, data = next((name, data) for name, data in statement.files(found).items() if name.endswith(kind))
    keep(request, action="statement.read", subject_kind="statement", subject_id=str(found.pk), file=kind)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(data, content_type=_TYPES[kind], headers=headers)
