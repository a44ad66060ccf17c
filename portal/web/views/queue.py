"""The outbox: what waits, one submission in full, and the three things an officer may do to it, each with a reason."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from gateway import outbox
from gateway.models import Submission
from gateway.states import SubmissionState, Verdict
from portal.accounts.policy import Permission
from portal.web.access import page, required_actor
from portal.web.forms import ReasonForm
from portal.web.journalling import keep
from portal.web.read.line import line_now
from portal.web.read.line_facts import contact, silence_now
from portal.web.read.package import doubt_of, item_lines, verdict_counts, with_still_here
from portal.web.read.queue import listed, receipts_of, state_lines, what_next

PER_PAGE = 50


@page(Permission.SEE_QUEUE)
def queue(request: HttpRequest) -> HttpResponse:
    return render(request, "web/queue.html", _queue(request))


@page(Permission.SEE_QUEUE)
def queue_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/parts/queue_live.html", _queue(request))


def _queue(request: HttpRequest) -> dict[str, object]:
    state = request.GET.get("state", "")
    line = line_now()
    paged = Paginator(listed(state), PER_PAGE).get_page(request.GET.get("trang"))
    silent, paused = silence_now(now=timezone.now()), bool(line and line.is_paused)
    rows = [(row, what_next(row, is_paused=paused, silent=silent)) for row in paged.object_list]
    return {"states": state_lines(), "state": state, "page": paged, "rows": rows, "line": line, "silence": silent}


@page(Permission.SEE_QUEUE)
def submission(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    rows = with_still_here(Submission.objects.select_related("endpoint"))
    found = get_object_or_404(rows, pk=submission_id)
    line = line_now()
    items = found.items.order_by("position")
    receipts = receipts_of(found)
    if required_actor(request).reads_records and any(one.receipt.kind == "VERDICTS" for one in receipts):
        # The Ministry's answers name pupils, and they are on this page.
        keep(request, action="submission.answers_read", subject_kind="submission", subject_id=str(found.pk))
    verdict = request.GET.get("ket_qua", "")
    shown = items.filter(verdict=verdict) if verdict in Verdict.values else items
    counts = verdict_counts(found)
    paged = Paginator(shown.select_related("record", "recall"), PER_PAGE).get_page(request.GET.get("trang"))
    context = {
        "submission": found,
        "next": what_next(found, is_paused=bool(line and line.is_paused), silent=silence_now(now=timezone.now())),
        "verdict": verdict,
        "counts": counts,
        "rejected": next((number for code, _label, number in counts if code == Verdict.REJECTED), 0),
        "doubt": doubt_of(found),
        "contact": contact(),
        "attempts": found.attempts.order_by("-number")[:100],
        "receipts": receipts,
        "split_from": found.details.get("split_from", ""),
        "split_into": Submission.objects.filter(details__split_from=str(found.pk)).order_by("enqueued_at"),
        "page": paged,
        "lines": item_lines(found, paged.object_list),
        "reason_form": ReasonForm(label_suffix=""),
        "acts": _acts(found) if required_actor(request).controls_queue else [],
    }
    return render(request, "web/submission.html", context)


def _acts(found: Submission) -> list[tuple[str, str, str]]:
    """The acts that make sense now: path word, button, what it does."""
    acts = []
    if found.state in (SubmissionState.QUEUED, SubmissionState.UNCERTAIN):
        acts.append(("giu", _("Tạm giữ"), _("Gói đứng yên cho đến khi được thả.")))
    if found.state == SubmissionState.HELD:
        acts.append(("tha", _("Thả ra"), _("Gói đi tiếp ngay từ chỗ đã dừng.")))
    if found.next_attempt_at is not None:
        acts.append(("lam-ngay", _("Làm ngay"), _("Không chờ đến giờ hẹn: làm bước tiếp theo ngay bây giờ.")))
    if found.state == SubmissionState.UNCERTAIN:
        acts.append(
            (
                "gui-lai",
                _("Cho gửi lại"),
                _("Chỉ khi đã hỏi Bộ và biết chắc gói chưa tới. Gói cũ, mã giao dịch cũ."),
            )
        )
    return acts


@page(Permission.CONTROL_QUEUE, methods=("POST",))
def submission_act(request: HttpRequest, submission_id: UUID, act: str) -> HttpResponse:
    """Hold, release, hasten or permit resending: one call into the outbox and one row in the journal, or neither."""
    if act not in _ACTIONS:
        raise Http404
    found = get_object_or_404(Submission, pk=submission_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Chưa ghi lý do (ít nhất 5 ký tự)."))
        return redirect("submission", submission_id)
    reason, now = form.cleaned_data["reason"], timezone.now()
    try:
        with transaction.atomic():
            match act:
                case "giu":
                    outbox.hold(found.pk, reason=reason, now=now)
                case "tha":
                    outbox.release(found.pk, now=now)
                case _:
                    outbox.requeue(found.pk, now=now, resend=act == "gui-lai")
            keep(
                request, action=f"submission.{_ACTIONS[act]}", subject_kind="submission", subject_id=str(found.pk),
                reason=reason, state=found.state,
            )  # fmt: skip
    except outbox.ActRefused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Đã làm và đã ghi vào nhật ký."))
    return redirect("submission", submission_id)


_ACTIONS = {"giu": "held", "tha": "released", "lam-ngay": "hastened", "gui-lai": "resend_permitted"}
