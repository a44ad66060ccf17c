"""Sealing by an officer: what waits, a second officer's confirmation, and the PIN that releases everything in one go.

The PIN lives in this request only: it is in no form object that is shown again, no session, no message, no journal.
"""

from __future__ import annotations

import time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from pydantic import SecretStr

from portal.accounts.policy import Permission
from portal.records import sealing as sealings
from portal.web.access import address_of, page, required_actor

# Within the web server's own patience; what is left goes with a second click.
_PATIENCE_SECONDS = 20
_PIN_CAUSES = frozenset({"HSM_PIN_INCORRECT", "HSM_PIN_LOCKED", "KEY_PASSPHRASE", "REMOTE_PIN_INCORRECT"})


@page(Permission.SEE_QUEUE)
def sealing(request: HttpRequest) -> HttpResponse:
    return render(request, "web/sealing.html", _context(request))


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def sealing_confirm(request: HttpRequest) -> HttpResponse:
    """The second pair of eyes."""
    try:
        sealings.confirm(by=required_actor(request).user, now=timezone.now(), address=address_of(request))
    except sealings.SealingRefused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Đã xác nhận. Cán bộ khác có thể đóng dấu trong 30 phút."))
    return redirect("sealing")


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def sealing_resume(request: HttpRequest) -> HttpResponse:
    """Somebody removed the cause: try again at once."""
    reason = request.POST.get("reason", "")[:500]
    sealings.resume(by=required_actor(request).user, reason=reason, now=timezone.now(), address=address_of(request))
    messages.success(request, _("Cổng sẽ thử đóng dấu lại ngay."))
    return redirect("sealing")


@sensitive_post_parameters("pin")
@sensitive_variables("pin")
@page(Permission.CONTROL_QUEUE, methods=("POST",))
def sealing_release(request: HttpRequest) -> HttpResponse:
    """Use the PIN once. A refused PIN is said in red and never tried again by itself."""
    pin = SecretStr(request.POST.get("pin", "")[:200])
    end = time.monotonic() + _PATIENCE_SECONDS
    try:
        done = sealings.release(
            pin=pin, by=required_actor(request).user, now=timezone.now(), address=address_of(request),
            until=lambda: time.monotonic() >= end,
        )  # fmt: skip
    except sealings.SealingRefused as refusal:
        context = _context(request) | {"refusal": refusal, "is_pin": refusal.code in _PIN_CAUSES}
        return render(request, "web/sealing.html", context, status=422)
    text = _("Đã đóng dấu %(packages)s gói, %(records)s học bạ, %(recalls)s đề nghị thu hồi.")
    messages.success(request, text % {"packages": done.packages, "records": done.records, "recalls": done.recalls})
    return redirect("sealing")


def _context(request: HttpRequest) -> dict[str, object]:
    actor = required_actor(request)
    need = sealings.need(now=timezone.now())
    return {
        "need": need,
        "controls": actor.controls_queue,
        "is_confirmer": need.confirmed_by is not None and need.confirmed_by.pk == actor.user.pk,
    }
