"""The state of the line as a row: trouble of the line belongs to the line, not to each of ten thousand submissions.

A refused address, certificate, login or token pauses the endpoint with its cause by name; so do several failures in a
row. One probe on schedule, by one worker, opens it again and releases what waited. Only `Endpoint` and its history are
written here. Each pause and each resumption is announced exactly once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from gateway import calendar, notices, outbox, unforeseen
from gateway.backoff import retry_delay
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.ministry.errors import CAUSES, LinkRefused, MinistryError, NotSent, OwnFault
from gateway.models import Endpoint, EndpointEvent
from gateway.states import EndpointState

logger = logging.getLogger(__name__)

# Causes that no probe can disprove: a person must act and then resume.
_OFFICER: Final = "BY_OFFICER"
_SEAL: Final = "SEAL_REFUSED"
_BY_PERSON: Final = frozenset({_SEAL, _OFFICER})
# So long after a resumption the same cause is no news, and one answer proves nothing about the line.
_RELAPSE: Final = timedelta(minutes=15)
# From this relapse on whoever closed the line waits apart, so that the others get through meanwhile: twice the longest
# delay of a probe, but shorter than `_RELAPSE`, or each time would be news again.
_SUSPECTED: Final = 2
_LONGEST_APART: Final = timedelta(minutes=5)
_QUIET: Final = timedelta(seconds=10)


def row(description: EndpointDescription) -> Endpoint:
    """The endpoint's row, made when it is met for the first time."""
    found, _ = Endpoint.objects.get_or_create(name=description.name)
    return found


def pause(
    endpoint: Endpoint,
    cause: str,
    message: str,
    *,
    description: EndpointDescription,
    now: datetime,
    rng: Random,
    submission: UUID | None = None,
) -> bool:
    """Pause an open endpoint, or give a closed one a cause that only a person can lift. True for the one caller who
    really did it. `submission` is what was on the wire."""
    with transaction.atomic():
        row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        if row.state != EndpointState.OPEN:
            return cause in _BY_PERSON and _take_over(row, cause, message, now=now)
        recent = row.resumed_at is not None and now - row.resumed_at < _RELAPSE
        again = recent and row.last_cause == cause and cause not in _BY_PERSON
        relapses = row.relapses + 1 if again else 0
        Endpoint.objects.filter(pk=row.pk).update(
            state=EndpointState.PAUSED,
            cause=cause,
            cause_message=message,
            last_cause=cause,
            relapses=relapses,
            paused_at=now,
            next_probe_at=None if cause in _BY_PERSON else now + _probe_delay(relapses, description, rng),
            probes_made=0,
            last_failed=submission or row.last_failed,
        )
        if not again:
            _announce("PAUSED", endpoint, cause, message, now=now)
    return True


def _take_over(row: Endpoint, cause: str, message: str, *, now: datetime) -> bool:
    """From now on no probe opens this closed line. An officer's stop stands above a refused seal (who mends the seal
    and lets the line go on must not undo the stop), and the sentence holds both."""
    both = row.cause in _BY_PERSON
    if both and cause in (row.cause, row.last_cause):
        return False
    sentence = message
    if both:
        sentence = f"{message}; {row.cause_message}" if cause == _OFFICER else f"{row.cause_message}; {message}"
    Endpoint.objects.filter(pk=row.pk).update(
        cause=_OFFICER if both else cause,
        last_cause=_SEAL if both else cause,
        cause_message=sentence,
        next_probe_at=None,
        relapses=0,
    )
    _announce("PAUSED", row, cause, message, now=now)
    return True


def note_failure(
    endpoint: Endpoint,
    problem: MinistryError,
    *,
    submission: UUID,
    nothing_left: bool,
    description: EndpointDescription,
    now: datetime,
    rng: Random,
) -> None:
    """Count a failure that may be the line's. One submission that fails again and again counts once (it may be the
    culprit itself); when several fail in a row the endpoint is paused."""
    Endpoint.objects.filter(pk=endpoint.pk).filter(
        Q(last_failed__isnull=True) | ~Q(last_failed=submission) if not nothing_left else Q()
    ).update(failures_in_a_row=F("failures_in_a_row") + 1, last_failed=submission)
    endpoint.refresh_from_db(fields=["failures_in_a_row"])
    if endpoint.failures_in_a_row >= description.sending.pause_after_failures:
        cause, message = _named(problem, nothing_left=nothing_left)
        pause(endpoint, cause, message, description=description, now=now, rng=rng)


def note_success(endpoint: Endpoint, *, now: datetime) -> None:
    """The line works. Written rarely, so that parallel workers do not queue for this row."""
    open_now = Endpoint.objects.filter(pk=endpoint.pk, state=EndpointState.OPEN)
    open_now.filter(
        Q(failures_in_a_row__gt=0) | Q(last_success_at__isnull=True) | Q(last_success_at__lt=now - _QUIET)
    ).update(failures_in_a_row=0, last_failed=None, last_success_at=now)
    if not endpoint.relapses:
        return
    with transaction.atomic():
        # What passes between two relapses proves only that not everything is refused.
        if open_now.filter(relapses__gt=0, resumed_at__lte=now - _RELAPSE).update(relapses=0, last_cause=""):
            _announce("RESUMED", endpoint, "", "Đường truyền đã thông thật sự.", now=now)


def not_before(endpoint: Endpoint, moment: datetime) -> None:
    """Retry-After: nothing new leaves before `moment`."""
    Endpoint.objects.filter(pk=endpoint.pk).update(not_before_at=Greatest(F("not_before_at"), moment))


def may_send(endpoint: Endpoint, *, description: EndpointDescription, now: datetime) -> bool:
    """Whether a new package may leave now: open, no Retry-After running, inside the hours of sending."""
    if endpoint.state != EndpointState.OPEN or (endpoint.not_before_at and endpoint.not_before_at > now):
        return False
    return calendar.silence(description, now=now) is None


def probe(client: MinistryClient, *, now: datetime, rng: Random) -> bool | None:
    """The one probe that is due: True = open again, False = still closed, None = not due, another worker's, or about a
    pause that has ended or changed meanwhile."""
    description = client.description
    endpoint = row(description)
    delay = _probe_delay(endpoint.probes_made + endpoint.relapses + 1, description, rng)
    mine = Endpoint.objects.filter(
        pk=endpoint.pk,
        state=EndpointState.PAUSED,
        paused_at=endpoint.paused_at,
        next_probe_at__lte=now,
        probes_made=endpoint.probes_made,
    ).update(next_probe_at=now + delay, probes_made=F("probes_made") + 1)
    if not mine:
        return None
    # A connection kept open may have left by an address we no longer have (or not yet): the probe takes a new one.
    client.link.forget_session()
    problem = _trouble_of(client)
    if problem is not None:
        logger.info("probe failed", extra={"code": problem.code, "endpoint": endpoint.name})
        _tell_new_cause(endpoint, problem)
        return False
    apart = min(_LONGEST_APART, timedelta(seconds=2 * description.probe.longest_delay_seconds))
    return resume(endpoint, now=now, probed=endpoint.paused_at, apart=apart) or None


def _trouble_of(client: MinistryClient) -> MinistryError | None:
    try:
        client.probe()
    except MinistryError as problem:
        return problem
    except unforeseen.DATABASE_AWAY:
        raise
    except Exception as trouble:
        # A probe that stumbles is a probe that failed: the page must say so, and the next one must come.
        return unforeseen.own_fault(trouble, during="probe")
    return None


def _tell_new_cause(endpoint: Endpoint, problem: MinistryError) -> None:
    """The page says why the line is closed now, not why it was when it closed: who must act may be somebody else. No
    second notice; `last_cause` stays, so that a relapse is measured by what was announced."""
    cause, message = problem.code, problem.message
    if not isinstance(problem, LinkRefused):
        cause, message = _named(problem, nothing_left=isinstance(problem, NotSent))
    _in_pause(endpoint, endpoint.paused_at).exclude(cause=cause).update(cause=cause, cause_message=message)


def _named(problem: MinistryError, *, nothing_left: bool) -> tuple[str, str]:
    """Cause and sentence of a pause after failures that the other side has not explained."""
    if isinstance(problem, OwnFault):
        return problem.code, problem.message
    cause = "UNREACHABLE" if nothing_left else "UNAVAILABLE"
    return cause, f"{CAUSES[cause]} ({problem.message})"


def resume(
    endpoint: Endpoint, *, now: datetime, probed: datetime | None = None, apart: timedelta = timedelta()
) -> bool:
    """Open a paused endpoint and release everything that waited because of the line. With `probed` only the pause that
    began then, and only if a probe can disprove it: while the probe was on the wire, a person may have come. Whoever
    closed the line again and again waits `apart`; a person who opens it means everything."""
    with transaction.atomic():
        row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        opened = _in_pause(row, probed).update(
            resumed_at=now,
            state=EndpointState.OPEN,
            cause="",
            cause_message="",
            paused_at=None,
            next_probe_at=None,
            not_before_at=None,
            failures_in_a_row=0,
            last_failed=None,
            last_success_at=now,
        )
        released = outbox.release_all_due(endpoint=endpoint, now=now) if opened else 0
        if opened and row.last_failed and row.relapses >= _SUSPECTED:
            outbox.postpone(row.last_failed, until=now + apart)
        if opened and not row.relapses:
            _announce("RESUMED", endpoint, "", f"Đường truyền đã thông; {released} gói được gửi tiếp.", now=now)
    return bool(opened)


def _in_pause(endpoint: Endpoint, probed: datetime | None) -> QuerySet[Endpoint]:
    """The row while it is paused; with `probed` only in the pause of then, and never in one that waits for a person."""
    paused = Endpoint.objects.filter(pk=endpoint.pk, state=EndpointState.PAUSED)
    return paused.filter(paused_at=probed).exclude(cause__in=_BY_PERSON) if probed else paused


def _probe_delay(steps: int, description: EndpointDescription, rng: Random) -> timedelta:
    """The first probe comes soon and surely; later ones back off with jitter, never sooner than the first."""
    line = description.probe
    if steps == 0:
        return timedelta(seconds=line.first_delay_seconds)
    jittered = retry_delay(steps + 1, first=line.first_delay_seconds, longest=line.longest_delay_seconds, rng=rng)
    return timedelta(seconds=max(line.first_delay_seconds, jittered))


def _announce(event: notices.Event, endpoint: Endpoint, cause: str, message: str, *, now: datetime) -> None:
    """Inside the transaction of the change: the history on the page, the journal, and mail to the officers."""
    EndpointEvent.objects.create(endpoint=endpoint, event=event, cause=cause, message=message, at=now)
    notices.tell(event=event, endpoint=endpoint.name, cause=cause, message=message)
