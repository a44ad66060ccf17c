"""Certificates of schools: a school registers its own, an officer who did not ask for it decides."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.schools import register
from portal.schools.models import Certificate
from portal.schools.vetting import vet
from portal.web.access import page, required_actor
from portal.web.forms import CertificateForm, OptionalReasonForm

CERTIFICATE_BYTES = 64_000


@page(Permission.REQUEST_CERTIFICATE, methods=("GET", "POST"))
def school_certificates(request: HttpRequest) -> HttpResponse:
    """A school's own certificates, and the form to register another."""
    actor = required_actor(request)
    school = actor.school
    if school is None:
        return render(request, "web/no_membership.html", status=403)
    form = CertificateForm(request.POST or None, request.FILES or None, label_suffix="")
    status = 200
    if request.method == "POST":
        if form.is_valid() and _said(request, lambda: _register(request, form)):
            return redirect("school-certificates")
        status = 422
    context = {"form": form, "school": school, "certificates": school.certificates.order_by("-requested_at")}
    return render(request, "web/school_certificates.html", context, status=status)


def _register(request: HttpRequest, form: CertificateForm) -> str:
    actor = required_actor(request)
    if actor.school is None:
        raise register.RegisterRefused("NO_SCHOOL", _("Tài khoản chưa gắn với trường nào."))
    register.request_certificate(
        school=actor.school,
        data=form.cleaned_data["file"].read(CERTIFICATE_BYTES),
        requested_by=actor.user,
        signature_kind=form.cleaned_data["signature_kind"],
        provider=form.cleaned_data["provider"],
        now=timezone.now(),
    )
    return _("Đã gửi đề nghị. Sở duyệt xong thì chứng thư mới được dùng để phát hành học bạ.")


@page(Permission.DECIDE_CERTIFICATE)
def certificates(request: HttpRequest) -> HttpResponse:
    rows, now = Certificate.objects.select_related("school", "requested_by", "decided_by"), timezone.now()
    waiting = rows.filter(state=Certificate.State.REQUESTED).order_by("requested_at")[:200]
    context = {
        "waiting": [vet(one, now=now) for one in waiting],
        "decided": rows.exclude(state=Certificate.State.REQUESTED).order_by("-decided_at")[:100],
        "reason_form": OptionalReasonForm(label_suffix="", auto_id=False),
        "now": now,
    }
    return render(request, "web/certificates.html", context)


@page(Permission.DECIDE_CERTIFICATE, methods=("POST",))
def certificate_decide(request: HttpRequest, certificate_id: int, act: str) -> HttpResponse:
    """Approve, decline or withdraw; the register refuses whoever asked for it (four eyes)."""
    if act not in {"duyet", "tu-choi", "thu-hoi"}:
        raise Http404
    found = get_object_or_404(Certificate, pk=certificate_id)
    form = OptionalReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    _said(request, lambda: _decide(request, found, act=act, reason=reason))
    return redirect("certificates")


def _decide(request: HttpRequest, found: Certificate, *, act: str, reason: str) -> str:
    user, now = required_actor(request).user, timezone.now()
    match act:
        case "duyet":
            register.approve(certificate=found, decided_by=user, reason=reason, now=now)
            return _("Đã duyệt chứng thư số của %(school)s.") % {"school": found.school.name}
        case "tu-choi":
            register.decline(certificate=found, decided_by=user, reason=reason, now=now)
            return _("Đã từ chối chứng thư số của %(school)s.") % {"school": found.school.name}
    register.withdraw(certificate=found, decided_by=user, reason=reason, now=now)
    return _("Đã thu hồi quyền dùng chứng thư số của %(school)s.") % {"school": found.school.name}


def _said(request: HttpRequest, act: Callable[[], str]) -> bool:
    """Do it and say what was done, or why not."""
    try:
        messages.success(request, act())
    except register.RegisterRefused as refusal:
        messages.error(request, refusal.message)
        return False
    return True
