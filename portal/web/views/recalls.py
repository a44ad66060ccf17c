"""Recalls: a school's own, and those an officer must decide (never the one who asked)."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.records.models import Recall
from portal.records.recall import refused_there
from portal.records.states import RecallState
from portal.web import acts
from portal.web.access import page, required_actor
from portal.web.forms import OptionalReasonForm
from portal.web.journalling import keep

PER_PAGE = 50
_ROWS = Recall.objects.select_related("record__school", "requested_by", "decided_by", "item")


@page(Permission.REQUEST_RECALL)
def school_recalls(request: HttpRequest) -> HttpResponse:
    school = required_actor(request).school
    paged = _paged(request, _ROWS.filter(record__school=school).order_by("-requested_at"))
    keep(
        request, action="recall.read", subject_kind="list", subject_id="recalls",
        school_id=school.pk if school else None, shown=len(paged.object_list),
    )  # fmt: skip
    return render(request, "web/school_recalls.html", {"page": paged})


@page(Permission.DECIDE_RECALL)
def recalls(request: HttpRequest) -> HttpResponse:
    waiting = list(_ROWS.filter(state=RecallState.REQUESTED).order_by("requested_at")[:200])
    refused = list(_ROWS.filter(pk__in=refused_there().values("pk")).order_by("item__judged_at")[:200])
    others = _ROWS.exclude(state=RecallState.REQUESTED).order_by("-requested_at")
    paged = _paged(request, others)
    shown = len({one.pk for one in (*waiting, *refused, *paged.object_list)})
    keep(request, action="recall.read", subject_kind="list", subject_id="recalls", shown=shown)
    return render(
        request, "web/recalls.html", {"waiting": waiting, "refused": refused, "page": paged, "may_decide": True}
    )


@page(Permission.DECIDE_RECALL, methods=("POST",))
def recall_decide(request: HttpRequest, recall_id: UUID, act: str) -> HttpResponse:
    if act not in {"duyet", "tu-choi", "gui-lai", "da-giai-quyet"}:
        raise Http404
    found = get_object_or_404(Recall, pk=recall_id)
    form = OptionalReasonForm(request.POST)
    words = form.cleaned_data["reason"] if form.is_valid() else ""
    said = _("Đã ghi quyết định.")
    try:
        if act in {"gui-lai", "da-giai-quyet"}:
            said = acts.answer_refused_recall(request, found, again=act == "gui-lai", reason=words)
        else:
            acts.decide_recall(request, found, approve=act == "duyet", decision=words)
    except acts.Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, said)
    return redirect("recalls")


def _paged(request: HttpRequest, rows: QuerySet[Recall]) -> Page[Recall]:
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
