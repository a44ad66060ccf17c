"""Sealing the journal into chained blocks, and verifying the chain.

A block takes only entries below which nothing can turn up any more, however late a transaction commits. Gaps in the
numbers are normal (rolled-back acts); a row that turns up inside a sealed run is not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q

from portal.audit import merkle
from portal.audit.models import Block, Entry

if TYPE_CHECKING:
    from django.db.models import QuerySet

MOST_ENTRIES_IN_A_BLOCK = 50_000
_LOCK = 0x6E6B  # advisory lock: one sealer at a time
_FIELDS = (
    "id", "at", "actor_id", "actor_name", "action", "subject_kind", "subject_id", "school_id", "reason", "detail",
    "address", "written_at",
)  # fmt: skip
_WITHOUT_CLOCK, _WITH_CLOCK = 1, 2  # how a block digests its entries


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the chain; `block` is the first block it spoils."""

    block: int
    code: str
    message: str


@dataclass(frozen=True)
class Anchor:
    """What `head` gave at some time and somebody noted outside: a block's number and its digest in hex."""

    number: int
    digest: str


def seal(*, now: datetime) -> Block | None:
    """Seal what has become final since the last block; nothing when there is nothing, or another is sealing."""
    end = _last_final_entry()
    return seal_up_to(end, now=now) if end is not None else None


def _last_final_entry() -> int | None:
    """The highest number below which nothing can turn up any more; None when writers are too busy just now.

    Numbers are handed out before commit, so a lower one may still be on its way. SHARE mode waits for the writers
    under way and holds up new ones for as long as one SELECT takes.
    """
    table = Entry._meta.db_table
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '250ms'")
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
            cursor.execute(f"SELECT max(id) FROM {table}")  # noqa: S608 - the table's name is our own
            end: int | None = cursor.fetchone()[0]
            return end
    except OperationalError:
        return None


@transaction.atomic
def seal_up_to(end: int, *, now: datetime) -> Block | None:
    """One block of what is open up to this number, which must be final."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return None
    last = Block.objects.order_by("-number").first()
    first_open = last.last_entry + 1 if last else 1
    rows = list(_entries(first_open, end)[:MOST_ENTRIES_IN_A_BLOCK])
    if not rows:
        return None
    leaves = [_leaf(row, _WITH_CLOCK) for row in rows]
    number = last.number + 1 if last else 1
    previous = bytes(last.digest) if last else merkle.GENESIS
    root = merkle.root(leaves)
    sealed_end = int(rows[-1][0])
    digest = merkle.block_digest(
        number=number, first=first_open, last=sealed_end, entries=len(rows), root=root, previous=previous
    )
    return Block.objects.create(
        number=number, first_entry=first_open, last_entry=sealed_end, entries=len(rows),
        root=root, previous=previous, digest=digest, sealed_at=now, leaf_format=_WITH_CLOCK,
    )  # fmt: skip


def head() -> Anchor | None:
    """The last block, to be noted outside the database."""
    block = Block.objects.order_by("-number").first()
    return Anchor(block.number, bytes(block.digest).hex()) if block else None


def verify(*, anchors: Iterable[Anchor] = ()) -> Iterator[Fault]:
    """Every fault of the chain, block by block; an empty answer means that nothing sealed was touched.

    A tail that was cut off, or a chain written anew from some block on, has no seam: only `anchors` noted outside the
    database show it.
    """
    previous, expected_number, expected_first = merkle.GENESIS, 1, 1
    for block in Block.objects.order_by("number").iterator():
        yield from _faults_of(block, previous, expected_number, expected_first)
        previous, expected_number, expected_first = bytes(block.digest), block.number + 1, block.last_entry + 1
    if Entry.objects.filter(id__lt=1).exists():
        yield Fault(1, "ENTRY_OUTSIDE_BLOCKS", "Có dòng mang số nhỏ hơn 1, không thuộc khối nào.")
    for anchor in anchors:
        yield from _faults_against(anchor)


@dataclass(frozen=True)
class ClockDifference:
    """An entry whose machine had another time than the database; positive: the machine's clock was ahead."""

    number: int
    action: str
    seconds: float


def clock_differences(*, limit: timedelta) -> Iterator[ClockDifference]:
    """Entries whose two clocks are further apart than this, in the order of the database. No fault of the chain: an act
    may last, and a clock may be wrong; but by the first clock alone their order is not to be trusted."""
    ahead, behind = F("written_at") + limit, F("written_at") - limit
    apart = Entry.objects.filter(Q(at__gt=ahead) | Q(at__lt=behind)).order_by("pk")
    for number, action, at, written_at in apart.values_list("pk", "action", "at", "written_at").iterator():
        if written_at is not None:
            yield ClockDifference(number, action, (at - written_at).total_seconds())


def _faults_against(anchor: Anchor) -> Iterator[Fault]:
    digest = Block.objects.filter(number=anchor.number).values_list("digest", flat=True).first()
    if digest is None:
        yield Fault(anchor.number, "ANCHOR_MISSING", f"Khối {anchor.number} đã ghi để ngoài nay không còn.")
    elif bytes(digest).hex() != anchor.digest:
        yield Fault(anchor.number, "ANCHOR_DIFFERS", f"Khối {anchor.number} nay khác dấu vết đã ghi để ngoài.")


def _faults_of(block: Block, previous: bytes, number: int, first: int) -> Iterator[Fault]:
    if block.number != number or block.first_entry != first:
        yield Fault(number, "BLOCK_MISSING", f"Thiếu khối {number}, hoặc khối không nối liền dòng {first}.")
    if bytes(block.previous) != previous:
        yield Fault(block.number, "CHAIN_BROKEN", f"Khối {block.number} không nối với khối trước.")
    rows = list(_entries(block.first_entry, block.last_entry))
    if block.leaf_format not in (_WITHOUT_CLOCK, _WITH_CLOCK):
        yield Fault(block.number, "BLOCK_ALTERED", f"Khối {block.number} đã bị sửa.")
        return
    root = merkle.root([_leaf(row, block.leaf_format) for row in rows])
    if len(rows) != block.entries:
        yield Fault(
            block.number, "ENTRIES_MISSING_OR_ADDED",
            f"Khối {block.number} phải có {block.entries} dòng, nay có {len(rows)}.",
        )  # fmt: skip
    elif root != bytes(block.root):
        yield Fault(block.number, "ENTRY_ALTERED", f"Có dòng trong khối {block.number} đã bị sửa.")
    digest = merkle.block_digest(
        number=block.number, first=block.first_entry, last=block.last_entry, entries=block.entries,
        root=bytes(block.root), previous=bytes(block.previous),
    )  # fmt: skip
    if digest != bytes(block.digest):
        yield Fault(block.number, "BLOCK_ALTERED", f"Khối {block.number} đã bị sửa.")


def _entries(first: int, last: int) -> "QuerySet[Entry, tuple[Any, ...]]":
    return Entry.objects.filter(id__gte=first, id__lte=last).order_by("id").values_list(*_FIELDS)


def _leaf(row: tuple[Any, ...], leaf_format: int) -> bytes:
    named = dict(zip(("number", *_FIELDS[1:]), row, strict=True))
    written_at = named.pop("written_at")
    return merkle.leaf(**named, clock=(written_at,) if leaf_format == _WITH_CLOCK else ())
