"""Sealing as a whole: when it may run, what keeps it from running, and the release by an officer with a PIN.

A trouble of the key or the time-stamp authority leaves everything waiting (ADMITTED), is kept as one row with its cause
by name and is tried again with pauses; a refused PIN is never tried again until a person says so, because three tries
lock a token, whichever process makes them. Nothing is ever sealed by half: a package is one transaction.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Min, Sum
from django.views.decorators.debug import sensitive_variables
from pydantic import SecretStr

from portal.audit import journal
from portal.records import dispatch, keyring, recall
from portal.records.conf import conf, sealing_setup
from portal.records.models import Recall, Record, SealingState
from portal.records.states import RecallState, RecordState, Standing
from signing.errors import KeyUnavailable, TimestampUnavailable

logger = logging.getLogger(__name__)

CONFIRMED_FOR = timedelta(minutes=30)
_LOCK = 0x5EA2
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
# Causes that another try would only make worse.
_PERSONS = frozenset(
    {"HSM_PIN_INCORRECT", "HSM_PIN_LOCKED", "HSM_PIN_REFUSED_BEFORE", "KEY_PASSPHRASE", "REMOTE_PIN_INCORRECT"}
)


class SealingRefused(Exception):
    """The act is not possible as asked; `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one run has sealed."""

    packages: int = 0
    records: int = 0
    recalls: int = 0


@dataclass(frozen=True, slots=True)
class SealingNeed:
    """What waits for a seal and why; `since` is when the oldest of it was admitted."""

    records: int
    packages: int
    bytes: int
    recalls: int
    since: datetime | None
    attended: bool
    four_eyes: bool
    confirmed_by: Any | None
    cause_code: str
    cause: str
    needs_person: bool
    next_try_at: datetime | None

    @property
    def is_needed(self) -> bool:
        """Somebody has to do something: type a PIN, or remove a cause."""
        waits = bool(self.records or self.recalls)
        return (self.attended and waits) or bool(self.cause_code)


def run(*, now: datetime, at_once: bool = False) -> Sealed:
    """Seal and hand over whatever is due, if sealing may run now. Troubles of key or TSA are kept, not raised."""
    if not keyring.may_seal(sealing_setup()) or not _may_try(now):
        return Sealed()
    try:
        done = _seal(now=now, at_once=at_once)
    except (KeyUnavailable, TimestampUnavailable) as trouble:
        _keep_trouble(trouble.code, trouble.message, now)
        return Sealed()
    if done.packages or done.recalls:
        SealingState.objects.exclude(cause_code="").update(
            cause_code="", cause="", failing_since=None, next_try_at=None, needs_person=False, failures=0
        )
    return done


def _seal(*, now: datetime, at_once: bool) -> Sealed:
    dispatch.bisect_due(now=now)
    handed_over = dispatch.dispatch_due(now=now, at_once=at_once)
    return Sealed(handed_over.packages, handed_over.records, recall.dispatch_due(now=now))


def need(*, now: datetime) -> SealingNeed:
    """What the overview and the page of sealing show; three short queries."""
    setup, state = sealing_setup(), _state()
    waiting = Record.objects.filter(state=RecordState.ADMITTED, standing=Standing.IN_FORCE)
    groups = ["school_year", "level", *(["school_id"] if conf().on_behalf_of_schools else [])]
    rows = list(waiting.order_by().values(*groups).annotate(n=Count("id"), size=Sum("data_size"), at=Min("checked_at")))
    recalls = Recall.objects.filter(
        state=RecallState.APPROVED, record__state=RecordState.DISPATCHED, record__item__verdict="ACCEPTED"
    ).count()
    room = dispatch.document_room() if rows else 0
    return SealingNeed(
        records=sum(row["n"] for row in rows),
        packages=sum(_packages(row["n"], row["size"] or 0, room) for row in rows),
        bytes=sum(row["size"] or 0 for row in rows),
        recalls=recalls,
        since=min((row["at"] for row in rows if row["at"]), default=None),
        attended=setup.is_attended,
        four_eyes=setup.is_attended and setup.four_eyes,
        confirmed_by=state.confirmed_by if _is_confirmed(state, now) else None,
        cause_code=state.cause_code,
        cause=state.cause,
        needs_person=state.needs_person,
        next_try_at=state.next_try_at,
    )


def _packages(records: int, size: int, room: int) -> int:
    """How many packages one group (year, level and perhaps school) will fill: what travels apart is counted apart."""
    return max(-(-size // room), -(-records // conf().package_records))


@transaction.atomic
def confirm(*, by: Any, now: datetime, address: str | None = None) -> None:
    """The second pair of eyes: this officer has looked at what waits; another one may then release it."""
    setup = sealing_setup()
    if not (setup.is_attended and setup.four_eyes):
        raise SealingRefused("NO_FOUR_EYES", "Cấu hình hiện nay không yêu cầu hai người khi đóng dấu.")
    _state()
    SealingState.objects.update(confirmed_by=by, confirmed_at=now)
    journal.record(action="sealing.confirmed", now=now, actor=by, subject=("sealing", 1), address=address)


@transaction.atomic
def resume(*, by: Any | None, reason: str, now: datetime, address: str | None = None) -> None:
    """A person says that the cause is gone: sealing may be tried again at once."""
    _state()
    SealingState.objects.update(
        cause_code="", cause="", failing_since=None, next_try_at=None, needs_person=False, failures=0
    )
    keyring.forget()
    journal.record(
        action="sealing.resumed", now=now, actor=by, subject=("sealing", 1), reason=reason, address=address
    )  # fmt: skip


@sensitive_variables("pin")
def release(
    *, pin: SecretStr, by: Any, now: datetime, address: str | None = None, until: Callable[[], bool] = lambda: False
) -> Sealed:
    """Seal everything that waits, in one go, with the key that this PIN opens. Raises `SealingRefused`.

    The PIN is used once: a token that refuses it is not asked again.
    """
    setup = sealing_setup()
    if not setup.is_attended:
        raise SealingRefused("NOT_ATTENDED", "Cổng đang tự đóng dấu; không cần nhập mã PIN.")
    if not pin.get_secret_value():
        raise SealingRefused("PIN_MISSING", "Chưa nhập mã PIN của thiết bị ký.")
    if setup.four_eyes:
        _require_second_officer(by, now)
    if not need(now=now).records and not need(now=now).recalls:
        raise SealingRefused("NOTHING_WAITS", "Không có gói nào đang chờ đóng dấu.")
    with _alone():
        return _release(setup, pin, by, now, address, until)


@sensitive_variables("pin")
def _release(  # noqa: PLR0917 - one caller, above
    setup: keyring.SealingSetup, pin: SecretStr, by: Any, now: datetime, address: str | None, until: Callable[[], bool]
) -> Sealed:
    total = Sealed()
    try:
        with keyring.in_hand(setup, pin):
            while True:
                done = _seal(now=now, at_once=True)
                total = Sealed(
                    total.packages + done.packages, total.records + done.records, total.recalls + done.recalls
                )
                if not (done.packages or done.recalls) or until():
                    break
    except (KeyUnavailable, TimestampUnavailable) as trouble:
        _journal_release("sealing.refused", total, by, now, address, trouble.code)
        if trouble.code not in _PERSONS:  # a mistyped PIN is this officer's matter, not the installation's
            _keep_trouble(trouble.code, trouble.message, now)
        raise SealingRefused(trouble.code, trouble.message) from None
    SealingState.objects.update(
        confirmed_by=None, confirmed_at=None, cause_code="", cause="", failing_since=None, next_try_at=None,
        needs_person=False, failures=0,
    )  # fmt: skip
    _journal_release("sealing.released", total, by, now, address, "")
    return total


class _alone:  # noqa: N801 - reads as a phrase where it is used
    """One release at a time; a second officer's click finds the first one at work."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if not cursor.fetchone()[0]:
                raise SealingRefused("BUSY", "Một cán bộ khác đang đóng dấu. Hãy đợi rồi xem lại trang này.")

    def __exit__(self, *_: object) -> None:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _require_second_officer(by: Any, now: datetime) -> None:
    state = _state()
    if not _is_confirmed(state, now):
        raise SealingRefused("FOUR_EYES", "Cần một cán bộ khác xác nhận trước khi đóng dấu.")
    if state.confirmed_by_id == by.pk:
        raise SealingRefused("FOUR_EYES", "Người xác nhận không được tự đóng dấu. Hãy nhờ một cán bộ khác.")


def _is_confirmed(state: SealingState, now: datetime) -> bool:
    return (
        state.confirmed_by_id is not None
        and state.confirmed_at is not None
        and (state.confirmed_at <= now < state.confirmed_at + CONFIRMED_FOR)
    )


def _may_try(now: datetime) -> bool:
    state = SealingState.objects.filter(pk=1).first()
    if state is None or not state.cause_code:
        return True
    return not state.needs_person and (state.next_try_at is None or state.next_try_at <= now)


def _keep_trouble(code: str, message: str, now: datetime) -> None:
    state = _state()
    pause = min(_FIRST_PAUSE * 2 ** min(state.failures, 6), _LONGEST_PAUSE)
    logger.warning("sealing_waits code=%s failures=%s", code, state.failures + 1)
    if state.cause_code != code:
        journal.record(action="sealing.waits", now=now, subject=("sealing", 1), detail={"code": code})
    SealingState.objects.filter(pk=1).update(
        cause_code=code[:40], cause=message[:500], failing_since=state.failing_since or now,
        next_try_at=now + pause, needs_person=code in _PERSONS, failures=state.failures + 1,
    )  # fmt: skip


def _journal_release(  # noqa: PLR0917 - two callers, above
    action: str, done: Sealed, by: Any, now: datetime, address: str | None, code: str
) -> None:
    detail: dict[str, object] = {"packages": done.packages, "records": done.records, "recalls": done.recalls}
    if code:
        detail["code"] = code
    journal.record(action=action, now=now, actor=by, subject=("sealing", 1), detail=detail, address=address)


def _state() -> SealingState:
    return SealingState.objects.select_related("confirmed_by").get_or_create(pk=1)[0]
