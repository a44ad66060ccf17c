"""The outbox: the only writer of Submission.state and of the rows that belong to a submission.

Claim (one short transaction) → act (no transaction) → settle (one transaction). `enqueueing` puts a frozen document in,
`claiming` hands due work to one worker, `leases` takes back what a dead one left, `settling` writes what became of it
(and `contradictions` what that says against our ledger), `officer` holds, releases and hastens, `housekeeping` drops
documents that are no longer needed. Enters at: enqueue, claim_due, settle.
"""

from gateway.outbox.claiming import (
    Claim,
    DocumentDamaged,
    Purpose,
    claim_due,
    database_now,
    is_in_doubt,
    load_content,
    load_document,
)
from gateway.outbox.enqueueing import NewItem, NotInTransaction, enqueue
from gateway.outbox.housekeeping import drop_documents
from gateway.outbox.leases import expire_leases, held_by_the_dead
from gateway.outbox.officer import (
    ActRefused,
    Counts,
    after_restore,
    hold,
    postpone,
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
    "after_restore",
    "claim_due",
    "database_now",
    "drop_documents",
    "enqueue",
    "expire_leases",
    "held_by_the_dead",
    "hold",
    "is_in_doubt",
    "load_content",
    "load_document",
    "postpone",
    "release",
    "release_all_due",
    "requeue",
    "settle",
    "status",
]
