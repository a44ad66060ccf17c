"""Signing in and out, one's own password, who one is, the school one acts for, and the language of the pages."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from portal.web.access import SCHOOL_KEY, SEEN_KEY, Opening, page, required_actor
from portal.web.forms import ChangePasswordForm, SignInForm
from portal.web.journalling import keep
from portal.web.language import CHOICES


@page(Opening.PUBLIC, methods=("GET", "POST"))
def sign_in(request: HttpRequest) -> HttpResponse:
    """User name and password. Axes counts failures and makes the next try wait."""
    if request.user.is_authenticated:
        return redirect("home")
    form = SignInForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.get_user()
        login(request, user)
        request.session[SEEN_KEY] = timezone.now().isoformat()
        keep(request, action="user.signed_in", subject_kind="user", subject_id=str(user.pk))
        return HttpResponseRedirect(_safe(request, request.POST.get("tiep", "")))
    status = 401 if request.method == "POST" else 200
    context = {"form": form, "next": request.POST.get("tiep") or request.GET.get("tiep", "")}
    return render(request, "web/sign_in.html", context, status=status)


@page(Opening.SIGNED_IN, methods=("POST",))
def sign_out(request: HttpRequest) -> HttpResponse:
    keep(request, action="user.signed_out", subject_kind="user", subject_id=str(request.user.pk))
    logout(request)
    messages.success(request, _("Đã đăng xuất. Nếu dùng máy chung, hãy đóng trình duyệt."))
    return redirect("sign-in")


@page(Opening.SIGNED_IN, methods=("GET", "POST"))
def change_password(request: HttpRequest) -> HttpResponse:
    """One's own password; every other session of this person ends with it."""
    actor = required_actor(request)
    form = ChangePasswordForm(actor.user, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.save(commit=False)
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])
        update_session_auth_hash(request, user)
        keep(request, action="user.password_changed", subject_kind="user", subject_id=str(user.pk))
        messages.success(request, _("Đã đổi mật khẩu. Các phiên đăng nhập khác của bạn đã kết thúc."))
        return redirect("me")
    status = 422 if request.method == "POST" else 200
    return render(request, "web/change_password.html", {"form": form}, status=status)


@page(Opening.SIGNED_IN)
def me(request: HttpRequest) -> HttpResponse:
    actor = required_actor(request)
    memberships = actor.user.memberships.select_related("school").order_by("role")
    return render(request, "web/me.html", {"memberships": memberships})


@page(Opening.SIGNED_IN, methods=("POST",))
def choose_school(request: HttpRequest) -> HttpResponse:
    """Act for another of one's own schools."""
    wished = request.POST.get("school", "")
    school = next((s for s in required_actor(request).schools if str(s.pk) == wished), None)
    if school is None:
        raise Http404
    request.session[SCHOOL_KEY] = school.pk
    return redirect("home")


@page(Opening.PUBLIC, methods=("POST",))
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language in a cookie and go back to the page."""
    wished = request.POST.get("language", "")
    response = HttpResponseRedirect(_safe(request, request.POST.get("tiep", "")))
    if wished in CHOICES:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, wished, max_age=31_536_000, httponly=True, samesite="Lax",
            secure=request.is_secure(),
        )  # fmt: skip
    return response


def _safe(request: HttpRequest, address: str) -> str:
    """The address to go on to, when it is one of ours."""
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if address and ours else reverse("home")
