"""The outbox: the only writer of Submission.state and of the rows that belong to a submission.

Claim (one short transaction) → act (no transaction) → settle (one transaction). `enqueueing` puts a frozen document in,
`claiming` hands due work to one worker, `settling` writes what became of it, `officer` holds, releases and hastens,
`housekeeping` drops documents that are no longer needed. Enters at: enqueue, claim_due, settle.
"""

from gateway.outbox.claiming import (
    Claim,
    DocumentDamaged,
    Purpose,
    claim_due,
    database_now,
    expire_leases,
    is_in_doubt,
    load_content,
    load_document,
)
from gateway.outbox.enqueueing import NewItem, NotInTransaction, enqueue
from gateway.outbox.housekeeping import drop_documents
from gateway.outbox.officer import (
    ActRefused,
    Counts,
    hold,
    release,
    release_all_due,
    requeue,
    status,
)
from gateway.outbox.settling import Settled, settle

__all__ = [
    "ActRefused",
    "Claim",
    "Counts",
    "DocumentDamaged",
    "NewItem",
    "NotInTransaction",
    "Purpose",
    "Settled",
    "claim_due",
    "database_now",
    "drop_documents",
    "enqueue",
    "expire_leases",
    "hold",
    "is_in_doubt",
    "load_content",
    "load_document",
    "release",
    "release_all_due",
    "requeue",
    "settle",
    "status",
]
