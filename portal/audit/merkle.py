"""Digests of the journal: canonical bytes of an entry, the Merkle root of a run of them, the chained block.

Pure functions, so that an auditor can recompute everything from an export. Leaves and nodes carry the prefixes of
RFC 6962 section 2.1, so a node can never be passed off as a leaf.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

GENESIS = bytes(32)  # what the first block is chained to


def leaf(
    *,
    number: int,
    at: datetime,
    actor_id: int | None,
    actor_name: str,
    action: str,
    subject_kind: str,
    subject_id: str,
    school_id: int | None,
    reason: str,
    detail: object,
    address: str | None,
    clock: Sequence[datetime | None] = (),
) -> bytes:
    """Digest of one entry: every stored field, in one canonical JSON array.

    `clock` holds the database's moment of writing in blocks of format 2, and nothing in those of format 1.
    """
    fields = [
        number,
        _moment(at),
        actor_id,
        actor_name,
        action,
        subject_kind,
        subject_id,
        school_id,
        reason,
        detail,
        address,
        *map(_moment, clock),
    ]
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Merkle tree hash, RFC 6962 section 2.1; the tree over no leaves is the digest of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        # An odd last node is carried up unchanged: the same tree as the recursive definition gives.
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def block_digest(*, number: int, first: int, last: int, entries: int, root: bytes, previous: bytes) -> bytes:
    """Digest of a block: its number, its run of entries, their root, and the block before it."""
    head = f"{number}|{first}|{last}|{entries}|".encode()
    return hashlib.sha256(b"\x02" + head + root + previous).digest()


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
