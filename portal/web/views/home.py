"""The first page: what a school has to do next; the department goes to its overview."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.web.access import Opening, page, required_actor
from portal.web.read.tasks import school_day


@page(Opening.SIGNED_IN)
def home(request: HttpRequest) -> HttpResponse:
    actor = required_actor(request)
    if actor.is_department:
        return redirect("overview")
    if actor.school is None:
        return render(request, "web/no_membership.html", status=403)
    return render(request, "web/home.html", {"day": school_day(actor)})
