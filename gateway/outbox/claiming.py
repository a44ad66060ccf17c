"""Hands due work to exactly one worker: a claim is a lease and a number, written with its Attempt in one transaction.

QUEUED is claimed into SENDING. UNCERTAIN and ACKNOWLEDGED keep their state while they are asked about: a worker that
dies while asking changes nothing, and the schedule itself (moved to the end of the lease) brings them back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from gateway import failpoints
from gateway.exchange import envelope
from gateway.models import Attempt, Document
from gateway.outbox.leases import close_lost
from gateway.states import AttemptOutcome, AttemptPurpose, SubmissionState

Purpose = AttemptPurpose

_FROM: Final = {
    AttemptPurpose.SEND: SubmissionState.QUEUED,
    AttemptPurpose.ASK: SubmissionState.UNCERTAIN,
    AttemptPurpose.COLLECT: SubmissionState.ACKNOWLEDGED,
}

_CLAIM: Final = """
UPDATE gateway_submission SET
    state = %(target)s,
    lease_until = %(lease)s,
    next_attempt_at = CASE WHEN %(target)s = 'SENDING' THEN NULL ELSE %(lease)s::timestamptz END,
    first_sent_at = CASE WHEN %(target)s = 'SENDING' THEN coalesce(first_sent_at, %(now)s) ELSE first_sent_at END,
    attempts_made = attempts_made + 1
 WHERE id = ANY(ARRAY(
    SELECT id FROM gateway_submission
     WHERE state = %(source)s AND next_attempt_at <= %(now)s AND endpoint_id = %(endpoint)s
     ORDER BY next_attempt_at, enqueued_at
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED))
RETURNING id, attempts_made, kind, unit_code, school_year, digest, document_bytes, items_count, details,
          failures, polls, unknown_answers, enqueued_at, acknowledged_at, first_sent_at
"""

_LOCK: Final = 0x0B0A
_MAY_HAVE_ARRIVED: Final = (
    AttemptOutcome.OPEN, AttemptOutcome.FATE_UNKNOWN, AttemptOutcome.LEASE_EXPIRED, AttemptOutcome.LINK_REFUSED,
    AttemptOutcome.ACKNOWLEDGED,
)  # fmt: skip
_ON_THE_WIRE: Final = "SELECT count(*) FROM gateway_submission WHERE state = 'SENDING' AND endpoint_id = %s"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker, and no other, may make now."""

    submission_id: UUID
    attempt_id: int
    number: int
    purpose: AttemptPurpose
    kind: str
    unit_code: str
    school_year: int
    digest: bytes
    document_bytes: int
    items_count: int
    details: Mapping[str, Any]
    failures: int
    polls: int
    unknown_answers: int
    enqueued_at: datetime
    acknowledged_at: datetime | None
    first_sent_at: datetime | None
    claimed_at: datetime
    # Monotonic, of this process: whatever the clocks do, after this another worker may hold the package.
    lease_ends: float = math.inf


def claim_due(
    *,
    purpose: AttemptPurpose,
    endpoint_id: int,
    now: datetime,
    lease: timedelta,
    worker: str,
    limit: int = 1,
    on_the_wire: int | None = None,
) -> list[Claim]:
    """Up to `limit` due submissions. `on_the_wire` bounds how many of this endpoint may be SENDING at once, over all
    workers of all machines."""
    lease_ends = time.monotonic() + lease.total_seconds()
    with transaction.atomic(), connection.cursor() as cursor:
        if on_the_wire is not None:
            # One at a time, or two workers would count the same free place: the Ministry may allow only so many.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, endpoint_id])
            cursor.execute(_ON_THE_WIRE, [endpoint_id])
            limit = min(limit, on_the_wire - int(cursor.fetchone()[0]))
        if limit <= 0:
            return []
        source = _FROM[purpose]
        cursor.execute(
            _CLAIM,
            {
                "source": source,
                "target": SubmissionState.SENDING if purpose == AttemptPurpose.SEND else source,
                "now": now,
                "lease": now + lease,
                "endpoint": endpoint_id,
                "limit": limit,
            },
        )
        rows = sorted(cursor.fetchall(), key=lambda row: row[12])
        if not rows:
            return []
        close_lost(cursor, [row[0] for row in rows], now)
        attempts = _open_attempts([(row[0], row[1]) for row in rows], purpose, worker, now)
        claims = [_claim(row, attempt, purpose, now, lease_ends) for row, attempt in zip(rows, attempts, strict=True)]
    failpoints.reach("P9")
    return claims


def is_in_doubt(claim: Claim, code: str) -> bool:
    """Whether an earlier attempt of this package may have arrived. The doubt is over once the last such attempt is one
    that was closed with `code`, and the Ministry has said since that it knows nothing of the package."""
    if claim.purpose != AttemptPurpose.SEND or claim.number <= 1:
        return False
    earlier = Attempt.objects.filter(submission_id=claim.submission_id, number__lt=claim.number)
    doubtful = earlier.filter(purpose=AttemptPurpose.SEND, outcome__in=_MAY_HAVE_ARRIVED).order_by("-number")
    last = doubtful.values_list("number", "code").first()
    if last is None:
        return False
    asked = earlier.filter(
        number__gt=last[0], purpose=AttemptPurpose.ASK, outcome=AttemptOutcome.NEVER_ARRIVED
    ).exists()
    return last[1] != code or not asked


class DocumentDamaged(Exception):
    """What is stored is no longer what was frozen: our disk's fault. It must not leave. Code DOCUMENT_DAMAGED."""

    code = "DOCUMENT_DAMAGED"
    message = "Văn bản lưu trong hàng đợi không còn khớp dấu vết SHA-256; chưa gửi gì. Cần khôi phục từ bản sao lưu."

    def __init__(self) -> None:
        super().__init__(self.code)


def load_content(submission_id: UUID) -> str:
    """The frozen document as the value of `content`: the same text at every attempt. Raises DocumentDamaged."""
    packed = _intact(submission_id)
    failpoints.reach("P11")
    return envelope.content_of(packed)


def load_document(submission_id: UUID) -> bytes:
    """The frozen document itself (a certificate goes out without the coding). Raises DocumentDamaged."""
    return envelope.unpack_stored(_intact(submission_id))


def _intact(submission_id: UUID) -> bytes:
    found = Document.objects.values_list("packed", "submission__digest").get(submission_id=submission_id)
    packed, digest = bytes(found[0]), bytes(found[1])
    if not envelope.is_package_of(packed, digest):
        raise DocumentDamaged
    return packed


def database_now() -> datetime:
    """The database's clock: leases and schedules of all workers agree even where their own clocks do not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def _open_attempts(
    numbers: Sequence[tuple[UUID, int]], purpose: AttemptPurpose, worker: str, now: datetime
) -> list[Attempt]:
    return Attempt.objects.bulk_create(
        Attempt(submission_id=submission, number=number, purpose=purpose, worker=worker, started_at=now)
        for submission, number in numbers
    )


def _claim(row: tuple[Any, ...], attempt: Attempt, purpose: AttemptPurpose, now: datetime, lease_ends: float) -> Claim:
    return Claim(
        submission_id=row[0],
        attempt_id=attempt.pk,
        number=row[1],
        purpose=purpose,
        kind=row[2],
        unit_code=row[3],
        school_year=row[4],
        digest=bytes(row[5]),
        document_bytes=row[6],
        items_count=row[7],
        details=_as_mapping(row[8]),
        failures=row[9],
        polls=row[10],
        unknown_answers=row[11],
        enqueued_at=row[12],
        acknowledged_at=row[13],
        first_sent_at=row[14],
        claimed_at=now,
        lease_ends=lease_ends,
    )


def _as_mapping(value: object) -> Mapping[str, Any]:
    import json

    # Django's cursor leaves jsonb as text.
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}
