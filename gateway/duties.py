"""The scheduled duties beside forwarding: each one function that does its work once and says in numbers what it did.

`sync` decides when; nothing here knows of slots or beats. A duty that meets trouble of the line lets the error out.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from gateway import circuit, expiry, notices, outbox, receipts, reconciliation, statement, stuck, unforeseen
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.models import Comparison, Discrepancy, Endpoint, Statement, SyncRun
from gateway.states import DiscrepancyKind, RunResult
from signing.errors import SigningError

logger = logging.getLogger(__name__)

_ASKED_AGAIN = timedelta(days=3)
# A statement that a night could not make is made by one of the next.
_MADE_UP_FOR = timedelta(days=6)
# Our own programme fails again after so long without a failure: people hear of it once more.
_QUIET = timedelta(days=1)
# Found while an answer is settled, at any hour: people are told by the next watch and not after the next night.
_SEEN_AT_ONCE = (
    DiscrepancyKind.TAKEN_THERE, DiscrepancyKind.VERDICT_DIFFERS, DiscrepancyKind.MESSAGE_CONFLICT,
    DiscrepancyKind.FOREIGN_ANSWER,
)  # fmt: skip


def reconcile(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Put down tonight's comparison: yesterday and today, every day since the last nightly one if nights were missed,
    and the last one's days again, for three nights, where it left questions unanswered. The comparison itself is
    worked off in slices; the signed statement of yesterday is made now, with those that earlier nights could not make.
    """
    since, _ = reconciliation.day_of(now - timedelta(days=1), client.description)
    last = Comparison.objects.filter(asked_by="").order_by("-pk").first()
    if last is not None:
        since = min(since, last.until)
        if last.unanswered:
            since = min(since, max(last.since, now - _ASKED_AGAIN))
    asked = reconciliation.ask_for(since=since, until=now, now=now)
    return {"to_ask": asked.total, **_statements(client.description, now=now)}


def catalogues(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """The Ministry's two catalogues, kept as they were last seen."""
    kinds = client.catalogue("signature_kinds")
    providers = client.catalogue("certificate_providers")
    row = circuit.row(client.description)
    Endpoint.objects.filter(pk=row.pk).update(
        catalogues={
            "signature_kinds": [entry.to_json() for entry in kinds],
            "certificate_providers": [entry.to_json() for entry in providers],
            "read_at": now.isoformat(),
        }
    )
    return {"signature_kinds": len(kinds), "certificate_providers": len(providers)}


def certificates(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Days left of every certificate that matters; people are told at each threshold once."""
    watched = expiry.watched(client.description)
    thresholds = client.description.schedule.certificate_warning_days
    told = expiry.warn(watched, thresholds=thresholds, endpoint=client.description.name, now=now)
    soonest = {"soonest_days_left": watched[0].days_left(now)} if watched else {}
    return {"watched": len(watched), "told": told, **soonest}


def watch(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Leases that ran out, packages that wait too long for their verdicts, contradictions, and states nobody moves."""
    endpoint = circuit.row(client.description).name
    with transaction.atomic():
        # The news and the mark that it was told: a watch that stumbles further down does not tell it each minute.
        news = _tell_contradictions(endpoint=endpoint, now=now) | _tell_own_faults(endpoint=endpoint, now=now)
        SyncRun.objects.filter(kind="WATCH", result=RunResult.RUNNING, started_at=now).update(counts=news)
    expired = outbox.expire_leases(now=now)
    late = receipts.overdue(description=client.description, now=now)
    noted = reconciliation.note_overdue(late, now=now)
    found = {"lease_expired": expired, "overdue": late.count(), "overdue_noted": noted}
    return found | news | stuck.counts(now=now)


def housekeeping(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Documents whose verdicts are long in, and rows of runs nobody reads any more."""
    keep = timedelta(days=client.description.schedule.keep_documents_days)
    dropped = outbox.drop_documents(now=now, keep=keep)
    runs, _ = SyncRun.objects.filter(started_at__lt=now - timedelta(days=90)).delete()
    return {"documents_dropped": dropped, "runs_dropped": runs}


def _tell_contradictions(*, endpoint: str, now: datetime) -> dict[str, int]:
    """One notice for all that late or foreign answers have opened since the last look."""
    before = _last_watch("contradictions", now=now)
    since = before.started_at if before else now - timedelta(days=1)
    fresh = Discrepancy.objects.filter(found_at__gt=since, found_at__lte=now, kind__in=_SEEN_AT_ONCE, owner="").count()
    if not fresh:
        return {}
    message = f"Câu trả lời của Bộ trái với sổ của Sở ở {fresh} điểm. Mở trang Đối soát để nhận xử lý."
    notices.tell(event="DISCREPANCIES", endpoint=endpoint, cause="CONTRADICTION", message=message)
    return {"contradictions": fresh}


def _tell_own_faults(*, endpoint: str, now: datetime) -> dict[str, int]:
    """One notice when our own programme begins to fail over exchanges; while it goes on, if only at each of one
    package's attempts, the pages show it."""
    failing = stuck.own_faults(since=now - _QUIET)
    if not failing:
        return {}
    before = _last_watch("own_fault_runs", now=now)
    if before is None or before.started_at < now - _QUIET or not before.counts.get("own_fault_runs"):
        message = (
            "Phần mềm của cổng tự gặp lỗi khi trao đổi với Bộ. Không gói nào mất: gói được hỏi lại Bộ rồi mới gửi "
            "tiếp. Chuyển nhật ký worker (dòng own_fault) cho người hỗ trợ phần mềm."
        )
        notices.tell(event="FAULT", endpoint=endpoint, cause="OWN_FAULT", message=message)
    return {"own_fault_runs": failing}


def _last_watch(mark: str, *, now: datetime) -> SyncRun | None:
    """The newest watch before this one that came to its end, or that told of `mark` before it failed."""
    looked = Q(result=RunResult.DONE) | Q(counts__has_key=mark)
    return SyncRun.objects.filter(looked, kind="WATCH", started_at__lt=now).order_by("-started_at").first()


def _statements(description: EndpointDescription, *, now: datetime) -> dict[str, int]:
    """The signed statement of the day that has just ended, and of the days of this week on which it was not made.
    Without one the comparison still counts."""
    yesterday = reconciliation.day_of(now - timedelta(days=1), description)[0].date()
    made = Statement.objects.order_by("day_on").values_list("day_on", flat=True)
    since = max(yesterday - _MADE_UP_FOR, min(yesterday, made.first() or yesterday))
    week = [since + timedelta(days=number) for number in range((yesterday - since).days + 1)]
    counts = {"statements": 0}
    for day in sorted(set(week).difference(made.filter(day_on__in=week))):
        try:
            statement.make(day, description, now=now)
        except SigningError as problem:
            logger.warning("statement not sealed", extra={"code": problem.code})
            break
        except unforeseen.DATABASE_AWAY:
            raise
        except Exception as trouble:
            # Failing here, the run would be tried again with a new comparison each time.
            unforeseen.own_fault(trouble, during=f"statement {day}")
            counts["own_faults"] = counts.get("own_faults", 0) + 1
        else:
            counts["statements"] += 1
    return counts
