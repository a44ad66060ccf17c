"""The journal, newest first: who did what, when, from where, and why."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.accounts.policy import Permission
from portal.audit.models import Block, Entry
from portal.schools.models import School
from portal.web.access import page
from portal.web.read.journal import ACTIONS, told

PER_PAGE = 100


@page(Permission.SEE_JOURNAL)
def journal(request: HttpRequest) -> HttpResponse:
    """Paged by key, because the journal only grows."""
    rows = Entry.objects.select_related("actor").order_by("-id")
    action, subject = request.GET.get("viec", "")[:60], request.GET.get("doi-tuong", "")[:64]
    before = request.GET.get("truoc", "")
    if action:
        rows = rows.filter(action=action)
    if subject:
        rows = rows.filter(subject_id=subject)
    if before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    shown = list(rows[: PER_PAGE + 1])
    names = dict(School.objects.filter(pk__in={e.school_id for e in shown if e.school_id}).values_list("pk", "name"))
    context = {
        "entries": [told(entry, names) for entry in shown[:PER_PAGE]],
        "next": shown[PER_PAGE - 1].pk if len(shown) > PER_PAGE else None,
        "actions": ACTIONS,
        "action": action,
        "subject": subject,
        "sealed": Block.objects.order_by("-number").first(),
    }
    return render(request, "web/journal.html", context)
