"""The state of the line to the Ministry, what scheduled runs did, and the public page that says whether all is well."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from gateway.conf import EndpointUnreadable
from portal.accounts.policy import Permission
from portal.web.access import Opening, page
from portal.web.read.line import line_now
from portal.web.read.line_facts import description_facts, last_runs
from portal.web.read.status import health


@page(Permission.SEE_QUEUE)
def endpoint(request: HttpRequest) -> HttpResponse:
    return render(request, "web/endpoint.html", _endpoint())


@page(Permission.SEE_QUEUE)
def endpoint_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/parts/endpoint_live.html", _endpoint())


def _endpoint() -> dict[str, object]:
    problem, facts = "", []
    try:
        facts = description_facts()
    except EndpointUnreadable as unreadable:
        problem = unreadable.message
    return {"line": line_now(), "facts": facts, "problem": problem, "runs": last_runs(), "now": timezone.now()}


@page(Opening.PUBLIC)
def status(request: HttpRequest) -> HttpResponse:
    """For everybody, also before signing in: figures without a name, and 503 when the portal cannot do its work."""
    found = health(now=timezone.now())
    return render(request, "web/status.html", {"health": found}, status=200 if found.is_up else 503)
