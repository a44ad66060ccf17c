"""Keys of schools' software: list, hand out, revoke. Administrators of the department only.

The secret stands in the answer to the form that made it, and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import access
from portal.accounts.models import ApiToken
from portal.accounts.policy import Permission
from portal.web.access import page, required_actor
from portal.web.access_forms import TokenForm
from portal.web.forms import ReasonForm

PER_PAGE = 50


@page(Permission.MANAGE_TOKENS, methods=("GET", "POST"))
def tokens(request: HttpRequest) -> HttpResponse:
    """Every key, those in force first, and the form for another."""
    if request.method != "POST":
        return _shown(request, _empty())
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=422)
    said = form.cleaned_data
    issued = access.create_token(
        school=said["school"], networks=said["networks"], expires_at=said["expires_on"],
        created_by=required_actor(request).user, now=timezone.now(),
    )  # fmt: skip
    return _shown(request, _empty(), issued=issued)


@page(Permission.MANAGE_TOKENS, methods=("POST",))
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Close a key for good, with a reason."""
    found = get_object_or_404(ApiToken, pk=token_id)
    form = ReasonForm(request.POST)
    if found.revoked_at is not None:
        messages.error(request, _("Khóa này đã bị thu hồi từ trước."))
    elif not form.is_valid():
        messages.error(request, _("Chưa ghi lý do (ít nhất 5 ký tự)."))
    else:
        actor, now = required_actor(request).user, timezone.now()
        access.revoke_token(token=found, actor=actor, reason=form.cleaned_data["reason"], now=now)
        messages.success(request, _("Đã thu hồi khóa %(name)s; phần mềm dùng khóa này bị ngắt ngay.") % {"name": found})
    return redirect("tokens")


def _empty() -> TokenForm:
    return TokenForm(initial={"expires_on": (timezone.localdate() + timedelta(days=365)).strftime("%d/%m/%Y")})


def _shown(
    request: HttpRequest, form: TokenForm, *, issued: access.Issued | None = None, status: int = 200
) -> HttpResponse:
    text = request.GET.get("tim", "").strip()[:80]
    rows = ApiToken.objects.select_related("school", "created_by").order_by(
        F("revoked_at").asc(nulls_first=True), "school__name", "user_name"
    )
    if text:
        rows = rows.filter(school__code=text) | rows.filter(school__name__icontains=text)
    paged = Paginator(rows, PER_PAGE).get_page(request.GET.get("trang"))
    context = {"form": form, "page": paged, "text": text, "issued": issued, "now": timezone.now()}
    return render(request, "web/tokens.html", context, status=status)
