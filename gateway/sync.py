"""What the workers run: one kind of work at a time, each run bounded in time and safe to run twice at once.

FORWARD and COLLECT work off what is due until nothing is (so that losing the broker costs seconds); the other kinds run
once per slot of their interval, and the slot's row decides who runs it. Every run that did something leaves a SyncRun.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random, SystemRandom
from typing import Final
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from gateway import (
    circuit,
    conf,
    duties,
    forwarding,
    notices,
    outbox,
    processes,
    receipts,
    reconciliation,
    session,
    unforeseen,
)
from gateway.conf import EndpointDescription
from gateway.ministry.errors import CAUSES
from gateway.models import Endpoint, Submission, SyncRun
from gateway.outbox import Claim, Purpose
from gateway.states import EndpointState, RunResult, SubmissionState

logger = logging.getLogger(__name__)

FORWARD, COLLECT, PROBE, COMPARE = "FORWARD", "COLLECT", "PROBE", "COMPARE"
_BUDGET: Final = 20.0
# A failed run of a slot is tried again after so long, a run that never ended after longer.
_RETRY: Final = timedelta(minutes=15)
_LONGEST_RUN: Final = timedelta(hours=2)
_WORTH_TELLING: Final = 3_600
# A fresh acknowledgement is asked about after a second: waiting for it here beats another trip through the broker.
_PATIENCE: Final = 1.6
_ORDER: Final = {
    FORWARD: (Purpose.ASK, Purpose.SEND, Purpose.COLLECT),
    COLLECT: (Purpose.COLLECT, Purpose.ASK, Purpose.SEND),
}
# Each scheduled kind with the setting that holds its interval and the duty it runs.
SCHEDULED: Final[dict[str, tuple[str, Callable[..., dict[str, int]]]]] = {
    "RECONCILE": ("reconcile_seconds", duties.reconcile),
    "CATALOGUES": ("catalogues_seconds", duties.catalogues),
    "CERTIFICATES": ("certificates_seconds", duties.certificates),
    "WATCH": ("watch_seconds", duties.watch),
    "HOUSEKEEPING": ("housekeeping_seconds", duties.housekeeping),
}


def run(kind: str, now: datetime | None = None, *, budget: float = _BUDGET) -> dict[str, int]:
    """Run one kind of work and say what it did. Without `now` the database's clock counts."""
    clock = outbox.database_now if now is None else lambda: now
    if kind in _ORDER:
        return _work(kind, clock, budget)
    if kind == PROBE:
        return _probe(clock)
    if kind == COMPARE:
        return _compare(clock, budget)
    return _scheduled(kind, clock())


def due(*, now: datetime) -> list[str]:
    """The kinds of work that have something to do now: a few index look-ups, run every few seconds."""
    description = conf.endpoint()
    endpoint = circuit.row(description)
    found = [kind for kind, (setting, _) in SCHEDULED.items() if not _slot_taken(kind, setting, description, now)]
    if endpoint.state == EndpointState.PAUSED:
        probe_due = endpoint.next_probe_at is not None and endpoint.next_probe_at <= now
        return [*found, *([PROBE] if probe_due else [])]
    if reconciliation.due(now=now).exists():
        found.append(COMPARE)
    waiting = Submission.objects.filter(endpoint=endpoint)
    lost = waiting.filter(state=SubmissionState.SENDING, lease_until__lt=now).exists()
    owed = waiting.filter(next_attempt_at__lte=now)
    if (
        lost
        or outbox.held_by_the_dead()
        or owed.filter(state__in=[SubmissionState.QUEUED, SubmissionState.UNCERTAIN]).exists()
    ):
        found.append(FORWARD)
    if owed.filter(state=SubmissionState.ACKNOWLEDGED).exists():
        found.append(COLLECT)
    return found


def _probe(clock: Callable[[], datetime]) -> dict[str, int]:
    began = clock()
    opened = circuit.probe(session.client(), now=began, rng=randomness())
    if opened is not None:
        counts = Counter(probed=1, opened=int(opened))
        if not opened and Endpoint.objects.filter(name=conf.endpoint().name, cause="OWN_FAULT").exists():
            counts["own_faults"] = 1
        _record(PROBE, counts, began, clock())
    return {"opened": int(bool(opened))}


def _work(kind: str, clock: Callable[[], datetime], budget: float) -> dict[str, int]:
    """Claim → act → settle until nothing is due, the line is closed or the time is over."""
    counts: Counter[str] = Counter()
    started_at, deadline, rng = clock(), time.monotonic() + budget, randomness()
    counts["lease_expired"] = outbox.expire_leases(now=started_at)
    while time.monotonic() < deadline:
        description = conf.endpoint()
        endpoint = circuit.row(description)
        if endpoint.state != EndpointState.OPEN:
            break
        round_began = clock()
        done = sum(
            _one(purpose, description=description, endpoint=endpoint, clock=clock, rng=rng, counts=counts)
            for purpose in _ORDER[kind]
        )
        if not done and not _wait_for_next(endpoint, round_began, clock(), deadline):
            break
    _record(kind, counts, started_at, clock())
    return dict(counts)


def _one(
    purpose: Purpose,
    *,
    description: EndpointDescription,
    endpoint: Endpoint,
    clock: Callable[[], datetime],
    rng: Random,
    counts: Counter[str],
) -> int:
    if purpose == Purpose.SEND and not circuit.may_send(endpoint, description=description, now=clock()):
        return 0
    now = clock()  # the lease begins here, and not before whatever made us wait
    claims = outbox.claim_due(
        purpose=purpose,
        endpoint_id=endpoint.pk,
        now=now,
        lease=description.lease(),
        worker=worker_name(),
        on_the_wire=description.sending.parallelism if purpose == Purpose.SEND else None,
    )
    for claim in claims:
        _act(claim, endpoint, now, rng, counts)
    return len(claims)


def _act(claim: Claim, endpoint: Endpoint, now: datetime, rng: Random, counts: Counter[str]) -> None:
    act = receipts.collect if claim.purpose == Purpose.COLLECT else forwarding.forward
    client = session.client()
    try:
        settled = act(claim, client, endpoint, now=now, rng=rng)
    except unforeseen.DATABASE_AWAY:
        raise
    except Exception as trouble:
        problem = unforeseen.own_fault(trouble, during=f"{claim.purpose} {claim.submission_id}")
        settled = forwarding.settle_trouble(problem, claim, client.description, endpoint, now=now, rng=rng)
        counts["own_faults"] += 1
    counts[claim.purpose.lower()] += 1
    counts["judged"] += settled.judged
    if not settled.applied:
        counts["fenced"] += 1


def _wait_for_next(endpoint: Endpoint, since: datetime, now: datetime, deadline: float) -> bool:
    """Sleep until the next thing is due, if that is very soon; False when it is not. What was due at `since` and is
    still there may not be done now; what became due after that was not looked at by everyone."""
    soonest = (
        Submission.objects.filter(endpoint=endpoint, next_attempt_at__isnull=False)
        .exclude(next_attempt_at__lte=since)
        .order_by("next_attempt_at")
        .values_list("next_attempt_at", flat=True)
        .first()
    )
    if soonest is None:
        return False
    wait = (soonest - now).total_seconds()
    if wait > _PATIENCE or time.monotonic() + wait > deadline:
        return False
    time.sleep(min(max(wait, 0.02), 0.25))
    return True


def _record(kind: str, counts: Counter[str], started_at: datetime, ended_at: datetime) -> None:
    if any(counts.values()):
        failed = counts["own_faults"]
        SyncRun.objects.create(
            kind=kind,
            started_at=started_at,
            ended_at=ended_at,
            result=RunResult.FAILED if failed else RunResult.DONE,
            counts=dict(counts),
            error=CAUSES["OWN_FAULT"] if failed else "",
        )


def _scheduled(kind: str, now: datetime) -> dict[str, int]:
    setting, duty = SCHEDULED[kind]
    description = conf.endpoint()
    slot = _slot(setting, description, now)
    missed_before = _missed_before(kind, setting, description, now)
    try:
        with transaction.atomic():
            _stale(kind, slot, now).update(slot=None, result=RunResult.FAILED)
            row = SyncRun.objects.create(kind=kind, slot=slot, started_at=now)
    except IntegrityError:
        return {}  # another beat was first
    try:
        counts = duty(client=session.client(), now=now)
    except Exception as problem:
        # The row must say that the run failed; the trace goes to the log, and the slot is tried again.
        SyncRun.objects.filter(pk=row.pk).update(
            result=RunResult.FAILED, ended_at=outbox.database_now(), error=f"{type(problem).__name__}: {problem}"[:2000]
        )
        logger.exception("scheduled work failed", extra={"kind": kind})
        return {"failed": 1}
    if missed_before:
        counts = {**counts, "slots_missed": missed_before}
        _tell_missed(kind, setting, description, missed_before)
    SyncRun.objects.filter(pk=row.pk).update(result=RunResult.DONE, ended_at=outbox.database_now(), counts=counts)
    return counts


def _compare(clock: Callable[[], datetime], budget: float) -> dict[str, int]:
    """A slice of the oldest comparison that is not at its end; the next tick brings the next slice."""
    started_at = clock()
    found = reconciliation.due(now=started_at).first()
    if found is None:
        return {}
    before = Counter(asked=found.asked, unanswered=found.unanswered, discrepancies=found.opened)
    counts: Counter[str] = Counter()
    after = reconciliation.work_on(found, client=session.client(), clock=clock, budget=budget, counts=counts)
    counts.update(asked=after.asked, unanswered=after.unanswered, discrepancies=after.opened)
    counts.subtract(before)
    _record(COMPARE, counts, started_at, clock())
    return dict(counts)


def _stale(kind: str, slot: int, now: datetime) -> QuerySet[SyncRun]:
    """The slot's run if it failed a while ago, or if whoever ran it never came back: it may be run once more."""
    failed = Q(result=RunResult.FAILED, started_at__lt=now - _RETRY)
    dead = Q(result=RunResult.RUNNING, started_at__lt=now - _LONGEST_RUN)
    return SyncRun.objects.filter(failed | dead, kind=kind, slot=slot)


def _missed_before(kind: str, setting: str, description: EndpointDescription, now: datetime) -> int:
    """How many slots passed in silence before this run."""
    latest = SyncRun.objects.filter(kind=kind).order_by("-started_at").values_list("started_at", flat=True).first()
    if latest is None:
        return 0
    return max(0, _slot(setting, description, now) - _slot(setting, description, latest) - 1)


def _tell_missed(kind: str, setting: str, description: EndpointDescription, number: int) -> None:
    """People hear of missed runs of the slow kinds; those of every minute only stand in the row."""
    if getattr(description.schedule, setting) < _WORTH_TELLING:
        return
    message = f"Việc định kỳ {kind} đã lỡ {number} kỳ vì cổng không chạy; nay đã chạy bù một lần."
    notices.tell(event="MISSED", endpoint=description.name, cause=kind, message=message)


def _slot(setting: str, description: EndpointDescription, now: datetime) -> int:
    """Slots of a day begin at local midnight: what runs nightly runs by night."""
    shift = now.astimezone(ZoneInfo(description.sending.timezone)).utcoffset() or timedelta()
    return int(now.timestamp() + shift.total_seconds()) // int(getattr(description.schedule, setting))


def _slot_taken(kind: str, setting: str, description: EndpointDescription, now: datetime) -> bool:
    slot = _slot(setting, description, now)
    taken = SyncRun.objects.filter(kind=kind, slot=slot)
    return taken.exists() and not _stale(kind, slot, now).exists()


def missed(*, now: datetime) -> list[str]:
    """Scheduled kinds that did not start in the last two of their intervals."""
    description = conf.endpoint()
    late: list[str] = []
    for kind, (setting, _) in SCHEDULED.items():
        since = now - 2 * timedelta(seconds=getattr(description.schedule, setting))
        if not SyncRun.objects.filter(kind=kind, started_at__gte=since).exists():
            late.append(kind)
    return late


def randomness() -> Random:
    """The edge's randomness: below it everything is handed a generator."""
    return SystemRandom()


def worker_name() -> str:
    """Who holds a lease, so named that its death can be seen."""
    return processes.identity()
