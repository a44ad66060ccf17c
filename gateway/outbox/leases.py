"""Takes back what a worker will not finish: its lease ran out, or its process is dead for certain.

What was being sent becomes UNCERTAIN, for the bytes may have arrived; what was being asked about is due again. The
attempt is closed, so whoever wakes up all the same is fenced. Never touches a claim whose holder may be at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from gateway import processes

_EXPIRE: Final = """
UPDATE gateway_submission SET
    state = 'UNCERTAIN', lease_until = NULL, next_attempt_at = %(now)s, failures = failures + 1,
    reason_code = 'LEASE_EXPIRED', reason = 'Tiến trình gửi không báo lại; phải hỏi Bộ trước khi làm gì khác.'
 WHERE id = ANY(ARRAY(
    SELECT id FROM gateway_submission
     WHERE state = 'SENDING' AND lease_until < %(now)s
     LIMIT 500 FOR UPDATE SKIP LOCKED))
RETURNING id
"""

# The newest attempt of a submission, if it is still open: its worker is the one that holds the claim.
_HOLDERS: Final = """
SELECT DISTINCT a.worker
  FROM gateway_submission AS s JOIN gateway_attempt AS a ON a.submission_id = s.id AND a.number = s.attempts_made
 WHERE a.outcome = 'OPEN' AND s.lease_until IS NOT NULL AND s.state IN ('SENDING', 'UNCERTAIN', 'ACKNOWLEDGED')
"""
# A second, doubled each time: a package whose every worker dies must not take them all down one after another. It also
# lets arrive what a dead sender had handed to its kernel.
_RELEASE: Final = """
UPDATE gateway_submission AS held SET
    state = CASE WHEN held.state = 'SENDING' THEN 'UNCERTAIN' ELSE held.state END,
    reason_code = CASE WHEN held.state = 'SENDING' THEN 'WORKER_DEAD' ELSE held.reason_code END,
    reason = CASE WHEN held.state = 'SENDING'
        THEN 'Tiến trình gửi đã chết giữa chừng; phải hỏi Bộ trước khi làm gì khác.' ELSE held.reason END,
    next_attempt_at = %(now)s::timestamptz + make_interval(secs => least(120, power(2, least(held.failures, 7)))),
    lease_until = NULL, failures = held.failures + 1
 WHERE held.id = ANY(ARRAY(
    SELECT s.id
      FROM gateway_submission AS s JOIN gateway_attempt AS a ON a.submission_id = s.id AND a.number = s.attempts_made
     WHERE a.outcome = 'OPEN' AND a.worker = ANY(%(dead)s)
       AND s.lease_until IS NOT NULL AND s.state IN ('SENDING', 'UNCERTAIN', 'ACKNOWLEDGED')
     LIMIT 500 FOR UPDATE OF s, a SKIP LOCKED))
RETURNING held.id
"""


def expire_leases(*, now: datetime) -> int:
    """Take back what nobody will finish; how many submissions."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"now": now})
        lost = [row[0] for row in cursor.fetchall()]
        close_lost(cursor, lost, now)
    dead = _dead_holders()
    if not dead:
        return len(lost)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RELEASE, {"now": now, "dead": dead})
        released = [row[0] for row in cursor.fetchall()]
        close_lost(cursor, released, now, code="WORKER_DEAD")
    return len(lost) + len(released)


def held_by_the_dead() -> bool:
    """Whether a claim waits to be taken back from a dead process."""
    return bool(_dead_holders())


def close_lost(cursor: Any, submissions: Sequence[UUID], now: datetime, *, code: str = "LEASE_EXPIRED") -> None:
    """Close the open attempts of these submissions: whoever made them has no say any more."""
    if submissions:
        cursor.execute(
            """
            UPDATE gateway_attempt SET outcome = 'LEASE_EXPIRED', code = %s, ended_at = %s
             WHERE outcome = 'OPEN' AND submission_id = ANY(%s)
            """,
            [code, now, list(submissions)],
        )


def _dead_holders() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS)
        return [worker for (worker,) in cursor.fetchall() if processes.is_dead(worker)]
