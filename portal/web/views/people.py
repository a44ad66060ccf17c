"""Accounts of people: list, create, close, open again, give a new password. Administrators of the department only.

A one-time password stands in the answer to the form that made it, and nowhere else: no session, no message, no journal.
"""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import people
from portal.accounts.models import User
from portal.accounts.policy import Permission
from portal.web.access import address_of, page, required_actor
from portal.web.access_forms import AccountForm

PER_PAGE = 50
_ACTS = {"mo": people.reopen, "mat-khau": people.give_password}


@page(Permission.MANAGE_ACCOUNTS, methods=("GET", "POST"))
def accounts(request: HttpRequest) -> HttpResponse:
    """Everybody who has an account, and the form for another."""
    if request.method != "POST":
        return _shown(request, AccountForm())
    form = AccountForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    said = form.cleaned_data
    try:
        given = people.create(
            user_name=said["user_name"], full_name=said["full_name"], role=said["role"], school=said["school"],
            by=required_actor(request).user, now=timezone.now(), address=address_of(request),
        )  # fmt: skip
    except people.AccountRefused as refusal:
        form.add_error(None, _(refusal.message))
        return _shown(request, form, status=422)
    return _shown(request, AccountForm(), given=given)


@page(Permission.MANAGE_ACCOUNTS, methods=("POST",))
def account_act(request: HttpRequest, user_id: int, act: str) -> HttpResponse:
    """Close, open again, or give a new password; always with a reason."""
    if act != "khoa" and act not in _ACTS:
        raise Http404
    found = get_object_or_404(User, pk=user_id)
    by, now, address = required_actor(request).user, timezone.now(), address_of(request)
    reason = request.POST.get("reason", "")[:500]
    try:
        if act != "khoa":
            given = _ACTS[act](user=found, by=by, reason=reason, now=now, address=address)
            return _shown(request, AccountForm(), given=given)
        people.close(user=found, by=by, reason=reason, now=now, address=address)
    except people.AccountRefused as refusal:
        messages.error(request, _(refusal.message))
    else:
        messages.success(
            request, _("Đã khóa tài khoản %(name)s; mọi phiên của người này đã kết thúc.") % {"name": found}
        )
    return redirect("accounts")


def _shown(
    request: HttpRequest, form: AccountForm, *, given: people.Given | None = None, status: int = 200
) -> HttpResponse:
    text = request.GET.get("tim", "").strip()[:80]
    rows = User.objects.prefetch_related("memberships__school").order_by("-is_active", "username")
    if text:
        rows = rows.filter(
            Q(username__icontains=text) | Q(full_name__icontains=text) | Q(memberships__school__code=text)
        ).distinct()
    paged = Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
    context = {"form": form, "page": paged, "text": text, "given": given}
    return render(request, "web/accounts.html", context, status=status)
