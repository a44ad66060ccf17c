"""The state of the line to the Ministry, what scheduled runs did, and the public page that says whether all is well."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from gateway import conf, doctor
from portal.accounts.policy import Permission
from portal.web.access import Opening, page
from portal.web.journalling import keep
from portal.web.read.line import line_now
from portal.web.read.line_facts import description_facts, last_runs, silence
from portal.web.read.status import health


@page(Permission.SEE_QUEUE)
def endpoint(request: HttpRequest) -> HttpResponse:
    return render(request, "web/endpoint.html", _endpoint())


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def endpoint_check(request: HttpRequest) -> HttpResponse:
    """The connection doctor's walk along the line; it sends no package and changes nothing."""
    context = _endpoint()
    try:
        context["findings"] = doctor.examine(conf.endpoint(), now=timezone.now())
    except conf.EndpointUnreadable as unreadable:
        context["problem"] = unreadable.message
    keep(request, action="endpoint.examined", subject_kind="endpoint", subject_id="1")
    return render(request, "web/endpoint.html", context)


@page(Permission.SEE_QUEUE)
def endpoint_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/parts/endpoint_live.html", _endpoint())


def _endpoint() -> dict[str, object]:
    now = timezone.now()
    shown: dict[str, object] = {"line": line_now(), "runs": last_runs(), "now": now}
    try:
        return shown | {"facts": description_facts(), "silence": silence(now=now)}
    except conf.EndpointUnreadable as unreadable:
        return shown | {"problem": unreadable.message}


@page(Opening.PUBLIC)
def status(request: HttpRequest) -> HttpResponse:
    """For everybody, also before signing in: figures without a name, and 503 when the portal cannot do its work."""
    found = health(now=timezone.now())
    return render(request, "web/status.html", {"health": found}, status=200 if found.is_up else 503)
