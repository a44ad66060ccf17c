"""The department's overview, its schools, and the search for one record."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from gateway.conf import EndpointUnreadable
from portal.accounts.policy import Permission
from portal.records import disputes, sealing
from portal.schools import refresh
from portal.schools.models import School
from portal.web.access import page, required_actor
from portal.web.forms import SchoolFilter, SearchForm
from portal.web.journalling import keep
from portal.web.read.batches import batches_of, with_verdicts
from portal.web.read.line import line_now
from portal.web.read.line_facts import silence_now, worries
from portal.web.read.overview import busiest_schools, province
from portal.web.read.records import records_of, searched
from portal.web.read.schools import listed_schools, school_lines

PER_PAGE = 50
MOST_HITS = 50


@page(Permission.SEE_OVERVIEW)
def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "web/overview.html", _figures(request))


@page(Permission.SEE_OVERVIEW)
def overview_figures(request: HttpRequest) -> HttpResponse:
    """The live part of the overview."""
    return render(request, "web/parts/overview_live.html", _figures(request))


def _figures(request: HttpRequest) -> dict[str, object]:
    year = request.GET.get("nam", "")
    figures = province(year if len(year) == 9 else "")
    now = timezone.now()
    return {
        "figures": figures,
        "year": year,
        "worst": busiest_schools(year=year),
        "line": line_now(),
        "sealing_need": sealing.need(now=now),
        "sources_away": refresh.away(now=now),
        "held_records": disputes.held_records().count(),
        "worries": _worries(now),
        "silence": silence_now(now=now),
    }


def _worries(now: datetime) -> list[str]:
    """What stands still or was missed on the line; without a readable description the endpoint page says why."""
    try:
        return worries(now=now)
    except EndpointUnreadable:
        return []


@page(Permission.SEE_OVERVIEW)
def schools(request: HttpRequest) -> HttpResponse:
    form = SchoolFilter(request.GET)
    wished = {k: v for k, v in form.cleaned_data.items() if v} if form.is_valid() else {}
    paged = Paginator(listed_schools(**wished), PER_PAGE).get_page(request.GET.get("trang"))
    paged.object_list = list(paged.object_list)
    context = {"form": form, "page": paged, "lines": school_lines(paged.object_list), "is_filtered": bool(wished)}
    return render(request, "web/schools.html", context)


@page(Permission.SEE_OVERVIEW)
def school(request: HttpRequest, code: str) -> HttpResponse:
    """One school: figures, certificates, signatories in office, and its last batches."""
    actor = required_actor(request)
    found = get_object_or_404(School.objects.select_related("commune", "vendor"), code=code)
    recent = batches_of(actor).filter(school=found).order_by("-received_at")
    context = {
        "school": found,
        "line": school_lines([found])[0],
        "certificates": found.certificates.order_by("-requested_at")[:20],
        "heads": found.signatories.filter(role="CBQL", until_on__isnull=True) if actor.reads_records else [],
        "batches": list(with_verdicts(recent)[:20]) if actor.sees_batches else [],
    }
    return render(request, "web/school.html", context)


@page(Permission.SEE_RECORD, methods=("GET", "POST"))
def search(request: HttpRequest) -> HttpResponse:
    """Find records by one exact number. By POST, so that the number stands in no address, history or log."""
    form = SearchForm(request.POST or None, label_suffix="")
    hits = None
    if request.method == "POST" and form.is_valid():
        number = form.cleaned_data["number"].strip()
        rows = searched(records_of(required_actor(request)), number)
        hits = list(rows[:MOST_HITS])
        keep(request, action="record.searched", subject_kind="search", subject_id=_kind_of(number), hits=len(hits))
    return render(request, "web/search.html", {"form": form, "hits": hits})


def _kind_of(number: str) -> str:
    """What was searched by, for the journal: never the number itself."""
    try:
        UUID(number)
    except ValueError:
        return "cccd" if len(number) == 12 and number.isdigit() else "pupil_code"
    return "lookup_uuid"
