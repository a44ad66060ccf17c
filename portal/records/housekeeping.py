"""What must be looked after even when nobody nudges: waiting batches, waiting records, uploads that broke off.

`look_after` does one short round in the database; the tick calls it every few seconds, `manage.py records drain` calls
`drain` until nothing is left. Neither needs the broker.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from portal.accounts import access
from portal.records import content, processing, sealing
from portal.records import dispatch as dispatching
from portal.records.conf import conf

Clock = Callable[[], datetime]
_LOCK = 0x71C4


def look_after(*, until: datetime, clock: Clock = timezone.now) -> None:
    """One round. Rounds that overlap do no harm: every step is claimed in the database."""
    processing.process_due(clock=clock, until=until)
    dispatching.take_back_due()
    sealing.run(now=clock())
    _sweep_now_and_then(clock())


def drain(*, clock: Clock = timezone.now) -> dict[str, int]:
    """Everything that can be done, without a worker: batches, packages, recalls."""
    done = {"batches": 0, "packages": 0, "records": 0, "recalls": 0}
    while True:
        batches = processing.process_due(clock=clock)
        dispatching.take_back_due()
        sealed = sealing.run(now=clock(), at_once=True)
        done["batches"] += batches
        done["packages"] += sealed.packages
        done["records"] += sealed.records
        done["recalls"] += sealed.recalls
        if not (batches or sealed.packages or sealed.recalls):
            return done


def _sweep_now_and_then(now: datetime) -> None:
    """Once in an hour or so: by chance of the clock, one sweeper at a time, a bounded piece of work."""
    if now.minute != 7:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return
        try:
            content.sweep(now=now, older_than=timedelta(hours=conf().broken_off_after_hours))
            access.remove_expired_sessions(now=now)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
