"""Puts one sealed document into the outbox, frozen: document, digest, message id and items never change afterwards.

Runs inside the caller's transaction, so that "DISPATCHED" and "in the outbox" are one commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from gateway import conf, failpoints
from gateway.exchange import envelope
from gateway.models import Document, Endpoint, Submission
from gateway.states import SubmissionKind, SubmissionState


class NotInTransaction(RuntimeError):
    """enqueue was called outside a transaction: a mistake in our code."""

    code = "NOT_IN_TRANSACTION"


@dataclass(frozen=True, slots=True)
class NewItem:
    """`key` is the name under which the Ministry will answer (a lookup_uuid, a serial number), `digest` our proof."""

    key: str
    digest: bytes


def enqueue(
    *,
    submission_id: UUID,
    kind: str,
    unit_code: str,
    school_year: int,
    document: bytes,
    items: Sequence[NewItem],
    now: datetime,
    details: Mapping[str, object] | None = None,
) -> list[int]:
    """Freeze `document` as a submission with `items`; the items' primary keys come back in the same order."""
    if not connection.in_atomic_block:
        raise NotInTransaction("enqueue belongs into the transaction that hands the records over")
    if not items:
        raise ValueError("a submission without items would never be answered")
    description = conf.endpoint()
    endpoint, _ = Endpoint.objects.get_or_create(name=description.name)
    Submission.objects.create(
        id=submission_id,
        endpoint=endpoint,
        kind=SubmissionKind(kind),
        unit_code=unit_code,
        school_year=school_year,
        digest=hashlib.sha256(document).digest(),
        document_bytes=len(document),
        items_count=len(items),
        details=dict(details or {}),
        state=SubmissionState.QUEUED,
        enqueued_at=now,
        next_attempt_at=now,
    )
    escape = "none" if kind == SubmissionKind.CERTIFICATE else description.document.escape
    Document.objects.create(submission_id=submission_id, packed=envelope.pack(document, escape=escape))
    primary_keys = _insert_items(submission_id, items)
    failpoints.reach("P8")
    return primary_keys


def _insert_items(submission_id: UUID, items: Sequence[NewItem]) -> list[int]:
    """One statement for all items (14 µs each instead of 400)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO gateway_item (submission_id, position, key, digest, verdict, errors)
            SELECT %s, ord - 1, key, digest, 'PENDING', '[]'::jsonb
              FROM unnest(%s::text[], %s::bytea[]) WITH ORDINALITY AS new (key, digest, ord) ORDER BY ord
            RETURNING position, id
            """,
            [submission_id, [item.key for item in items], [item.digest for item in items]],
        )
        return [primary_key for _, primary_key in sorted(cursor.fetchall())]
