"""One record: as the official form, as XML, its file, and the report on its signatures. Each reading is journalled."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.records.content import ContentDamaged
from portal.records.dispatch import held_back_by
from portal.records.models import Record
from portal.records.queries import original_bytes
from portal.web.access import page, required_actor
from portal.web.acts import Refused, request_recall
from portal.web.forms import ReasonForm
from portal.web.journalling import keep
from portal.web.read.findings import complaints_of, signers_again
from portal.web.read.opened import open_form
from portal.web.read.record_file import report_of, signature_lines
from portal.web.read.records import records_of


@page(Permission.SEE_RECORD)
def record(request: HttpRequest, record_id: int) -> HttpResponse:
    found = _read(request, record_id, what="form")
    complaints = complaints_of(found)
    report = report_of(found)
    context = {
        "record": found,
        "form": open_form(found),
        "complaints": complaints,
        "again": signers_again(complaints),
        "report": report,
        "signatures": signature_lines(report),
        "recall": found.recalls.order_by("-requested_at").first(),
        "held_back_by": held_back_by(found),
        "may_recall": required_actor(request).may(Permission.REQUEST_RECALL),
        "reason_form": ReasonForm(label_suffix=""),
    }
    return render(request, "web/record.html", context)


@page(Permission.SEE_RECORD)
def record_xml(request: HttpRequest, record_id: int) -> HttpResponse:
    """The bytes as they came, shown as text: escaped by the template, never re-indented."""
    found = _read(request, record_id, what="xml")
    try:
        data = original_bytes(found)
    except ContentDamaged:
        return _damaged(request, found)
    context = {
        "record": found,
        "xml": data.decode("utf-8", "replace"),
        "sha256": bytes(found.sha256).hex(),
    }
    return render(request, "web/record_xml.html", context)


@page(Permission.SEE_RECORD)
def record_file(request: HttpRequest, record_id: int) -> HttpResponse:
    found = _read(request, record_id, what="file")
    try:
        data = original_bytes(found)
    except ContentDamaged:
        return _damaged(request, found)
    response = HttpResponse(data, content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="hoc-ba-{found.lookup_uuid or found.pk}.xml"'
    return response


def _damaged(request: HttpRequest, found: Record) -> HttpResponse:
    """Nobody is given other bytes for the school's own."""
    messages.error(
        request, _("Bản lưu của học bạ không còn nguyên vẹn nên không hiển thị được. Hãy báo quản trị hệ thống.")
    )
    return redirect("record", found.pk)


@page(Permission.SEE_RECORD)
def record_signatures(request: HttpRequest, record_id: int) -> HttpResponse:
    found = _read(request, record_id, what="signatures")
    report = report_of(found)
    context = {"record": found, "report": report, "signatures": signature_lines(report)}
    return render(request, "web/record_signatures.html", context)


@page(Permission.REQUEST_RECALL, methods=("POST",))
def record_recall(request: HttpRequest, record_id: int) -> HttpResponse:
    """Ask for the record's withdrawal; what follows (at once, or by the department's approval) the domain decides."""
    actor = required_actor(request)
    found = get_object_or_404(records_of(actor), pk=record_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Chưa ghi lý do thu hồi (ít nhất 5 ký tự)."))
        return redirect("record", record_id)
    try:
        said = request_recall(request, found, reason=form.cleaned_data["reason"])
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, said)
    return redirect("record", record_id)


def _read(request: HttpRequest, record_id: int, *, what: str) -> Record:
    found = get_object_or_404(records_of(required_actor(request)), pk=record_id)
    keep(
        request,
        action="record.read",
        subject_kind="record",
        subject_id=str(found.pk),
        school_id=found.school_id,
        what=what,
    )
    return found
