"""Records held for an officer: what the two engines said, a second look, and a decision with a reason.

To let one through takes two officers where the setting says so; every act and every look at the list is journalled.
"""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.records import disputes
from portal.records.models import Record
from portal.web import acts
from portal.web.access import page
from portal.web.forms import OptionalReasonForm
from portal.web.journalling import keep
from portal.web.read.held import held_lines

PER_PAGE = 25
_ACTS = {"kiem-tra-lai": acts.recheck_held, "cho-qua": acts.admit_held, "tu-choi": acts.refuse_held}


@page(Permission.DECIDE_HELD)
def held(request: HttpRequest) -> HttpResponse:
    rows = disputes.held_records().select_related("school", "held_approval__approved_by").order_by("checked_at", "pk")
    paged = Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
    lines = held_lines(paged.object_list)
    keep(request, action="held.read", subject_kind="list", subject_id="held", shown=len(lines))
    return render(request, "web/held.html", {"page": paged, "lines": lines})


@page(Permission.DECIDE_HELD, methods=("POST",))
def held_act(request: HttpRequest, record_id: int, act: str) -> HttpResponse:
    if act not in _ACTS:
        raise Http404
    found = get_object_or_404(Record.objects.select_related("batch__school"), pk=record_id)
    form = OptionalReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        said = _ACTS[act](request, found, reason)
    except acts.Refused as refusal:
        messages.error(request, _(refusal.message))
    else:
        messages.success(request, said)
    return redirect("held")
