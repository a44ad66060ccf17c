"""Lists of batches, one batch with its records, its live progress, and its findings as files to work from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.records.models import Batch
from portal.records.processing import resume
from portal.web.access import Actor, page, required_actor
from portal.web.export import findings_csv, findings_xlsx
from portal.web.forms import BatchFilter, ReasonForm, RecordFilter
from portal.web.journalling import keep
from portal.web.read.batches import batches_of, filtered, in_order, is_finished, progress_of_batch
from portal.web.read.findings import complaints_of
from portal.web.read.records import records_in
from portal.web.read.waiting import waits_for

PER_PAGE = 50
_OPENED = "opened_batch"
_WRITERS = {"xlsx": findings_xlsx, "csv": findings_csv}


@page(Permission.SEE_BATCHES)
def batches(request: HttpRequest) -> HttpResponse:
    actor = required_actor(request)
    form = BatchFilter(request.GET, with_school=actor.is_department)
    wished = {name: value for name, value in form.cleaned_data.items() if value} if form.is_valid() else {}
    rows = filtered(batches_of(actor), **wished)
    paged = Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
    paged.object_list = in_order(paged.object_list)
    return render(request, "web/batches.html", {"form": form, "page": paged, "is_filtered": bool(wished)})


@page(Permission.SEE_BATCHES)
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """A batch: the frame with its live part; names of pupils only for those who read records."""
    found = _visible(request, batch_id)
    records = _records(request, found)
    _keep_reading(request, found, records)
    return render(request, "web/batch.html", {"batch": found, **_live(found), **records})


@page(Permission.SEE_BATCHES)
def batch_progress(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """The live part alone. Nothing new: 204, so the page stays as it is and asks again."""
    found = _visible(request, batch_id)
    live = _live(found)
    if request.GET.get("dau") == live["fingerprint"]:
        return HttpResponse(status=204)
    response = render(request, "web/parts/batch_live.html", {"batch": found, **live})
    response["HX-Trigger"] = "records-changed"
    return response


@page(Permission.SEE_BATCHES)
def batch_records(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """The table of records alone, asked for when the live part changed."""
    found = _visible(request, batch_id)
    records = _records(request, found)
    # The page that was opened last refreshes itself: one reading, one line. Anything else is a reading of its own.
    if request.session.get(_OPENED) != _what(request, found, records):
        _keep_reading(request, found, records)
    return render(request, "web/parts/batch_records.html", {"batch": found, **records})


def _keep_reading(request: HttpRequest, found: Batch, records: dict[str, Any]) -> None:
    if not records["reads_records"]:
        return
    request.session[_OPENED] = _what(request, found, records)
    keep(
        request, action="batch.read", subject_kind="batch", subject_id=str(found.pk), school_id=found.school_id,
        shown=len(records["page"]),
    )  # fmt: skip


def _what(request: HttpRequest, found: Batch, records: dict[str, Any]) -> str:
    return f"{found.pk} {request.GET.urlencode()[:200]} {len(records['page']) > 0}"


@page(Permission.SEE_RECORD)
def batch_findings(request: HttpRequest, batch_id: UUID, kind: str) -> HttpResponse:
    """All findings of a batch as a file: XLSX in the layout of a work list, or CSV."""
    if kind not in _WRITERS:
        raise Http404
    found = _visible(request, batch_id)
    rows = records_in(found).exclude(findings=[], item__errors=[])
    keep(
        request, action="batch.findings_exported", subject_kind="batch", subject_id=str(found.pk),
        school_id=found.school_id, kind=kind,
    )  # fmt: skip
    return _WRITERS[kind](found, rows)


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def batch_resume(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """An officer lets a batch that was set aside be checked again."""
    found = _visible(request, batch_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Chưa ghi lý do (ít nhất 5 ký tự)."))
    elif resume(batch=found, actor=request.user, reason=form.cleaned_data["reason"], now=timezone.now()):
        messages.success(request, _("Đã làm và đã ghi vào nhật ký."))
    return redirect("batch", batch_id)


def _visible(request: HttpRequest, batch_id: UUID) -> Batch:
    return get_object_or_404(batches_of(required_actor(request)), pk=batch_id)


def _live(found: Batch) -> dict[str, object]:
    progress = progress_of_batch(found)
    wait = waits_for(found, progress, now=timezone.now())
    return {
        "progress": progress,
        "is_finished": is_finished(found, progress),
        "wait": wait.value,
        "fingerprint": f"{found.state}-{progress.fingerprint}-{wait}",
        # Once only the Ministry is awaited, asking every two seconds would help nobody.
        "every": "2s" if found.state in ("RECEIVED", "OPENED") or progress.arrived < progress.admitted else "10s",
    }


def _records(request: HttpRequest, found: Batch) -> dict[str, Any]:
    actor: Actor = required_actor(request)
    form = RecordFilter(request.GET)
    state = form.cleaned_data["state"] if form.is_valid() else ""
    rows = records_in(found, state=state) if actor.reads_records else records_in(found).none()
    paged = Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
    shown = list(paged.object_list)
    for record in shown:
        record.complaints = complaints_of(record)  # type: ignore[attr-defined]
    paged.object_list = shown
    return {"form": form, "page": paged, "reads_records": actor.reads_records}
