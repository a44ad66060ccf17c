"""Handing in: a list, a record or a ZIP, streamed into the store while it arrives.

Works as an ordinary form; with our script the same address answers in JSON, so that a progress bar can lead on.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.records.conf import conf
from portal.records.intake import IntakeRefused, Received, receive_batch
from portal.records.uploading import StoringUploadHandler
from portal.web.access import address_of, page, required_actor
from portal.web.forms import HandInForm

# The form around a file: boundaries, names, the CSRF token.
_FORM_BYTES = 1_000_000


def _too_long(request: HttpRequest) -> bool:
    length = request.headers.get("Content-Length", "")
    return not length.isdigit() or int(length) > conf().max_upload_bytes + _FORM_BYTES


def _open_store(request: HttpRequest) -> HttpResponse | None:
    """Before the body is read: refuse what is announced as too large, and lead the file into the store."""
    if request.method != "POST":
        return None
    if _too_long(request):
        limit = conf().max_upload_bytes // 1_000_000
        message = _("Tệp lớn hơn %(n)s MB. Hãy chia nhỏ theo lớp hoặc khối rồi nộp từng tệp.") % {"n": limit}
        return _refuse(request, code="FILE_TOO_LARGE", message=message, status=413)
    handler = StoringUploadHandler(request)
    request.upload_handlers = [handler]
    request._hocba_store = handler  # type: ignore[attr-defined]
    return None


@page(Permission.HAND_IN, methods=("GET", "POST"), prepare=_open_store)
def hand_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _show(request, HandInForm(label_suffix=""))
    form = HandInForm(request.POST, request.FILES, label_suffix="")
    stopped: IntakeRefused | None = request._hocba_store.refused  # type: ignore[attr-defined]
    if stopped is not None:
        return _refuse(request, code=stopped.code, message=stopped.message, status=stopped.status)
    if not form.is_valid():
        return _refuse(
            request, code="NO_FILE", message=" ".join(str(e) for e in form.errors.get("file", [])), status=422
        )
    try:
        received = _receive(request, form.cleaned_data["file"])
    except IntakeRefused as refusal:
        return _refuse(request, code=refusal.code, message=refusal.message, status=refusal.status)
    return _lead_on(request, received)


def _receive(request: HttpRequest, upload: Any) -> Received:
    actor = required_actor(request)
    if actor.school is None:
        raise IntakeRefused("NO_SCHOOL", _("Tài khoản chưa gắn với trường nào."), 403)
    return receive_batch(
        school=actor.school,
        file=upload.stored,
        file_name=upload.name or "",
        sender=actor.user,
        address=address_of(request),
        now=timezone.now(),
    )


def _lead_on(request: HttpRequest, received: Received) -> HttpResponse:
    if received.repeated:
        messages.info(
            request, _("Tệp này đã được nộp trước đây; đây là lô đã nhận lần đầu. Không có gì bị nộp hai lần.")
        )
    address = reverse("batch", args=[received.batch.pk])
    if _by_script(request):
        return JsonResponse({"next": address}, status=200 if received.repeated else 201)
    return redirect(address)


def _refuse(request: HttpRequest, *, code: str, message: str, status: int) -> HttpResponse:
    if _by_script(request):
        return JsonResponse({"code": code, "message": message}, status=status)
    return _show(request, HandInForm(label_suffix=""), refusal={"code": code, "message": message}, status=status)


def _show(
    request: HttpRequest, form: HandInForm, *, refusal: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    limit = conf().max_upload_bytes // 1_000_000
    context = {"form": form, "refusal": refusal, "limit_mb": limit, "limit": conf().max_upload_bytes}
    return render(request, "web/hand_in.html", context, status=status)


def _by_script(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")
