"""Somebody with every right in the database changes the journal: edits, deletes, inserts, swaps, cuts its tail.

Each change is made in one transaction as a superuser with the triggers switched off, looked at with the portal's own
verifier, and rolled back. The verifier must name the block; what only a note kept outside can show (a tail that was
cut, a chain that was written anew) must be shown by that note.
"""

from collections.abc import Callable
from random import Random

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from portal.audit import anchoring
from portal.audit.models import Block
from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.campaign.storage_faults import LANE

_ENTRY = (
    "INSERT INTO audit_entry (id, at, actor_id, actor_name, action, subject_kind, subject_id, school_id, reason,"
    " detail, address) SELECT {number}, at, actor_id, actor_name, action, subject_kind, subject_id, school_id, reason,"
    " detail, address FROM audit_entry WHERE id = {source}"
)
Tamper = Callable[["Place", Random], set[str]]
Named = tuple[int, str]  # block and code


class Place:
    """A block somewhere in the chain, not the first, and the numbers of its entries."""

    def __init__(self, block: Block, entries: list[int]) -> None:
        self.block = block
        self.entries = entries


def kinds() -> list[Kind]:
    tampers: dict[str, Tamper] = {
        "edit": _edit, "delete": _delete, "insert": _insert, "swap": _swap, "tail": _cut_tail, "rewritten": _rewrite,
    }  # fmt: skip
    return [Kind(f"journal:tampered-{name}", Stage.INTAKE, _strike(tamper), LANE) for name, tamper in tampers.items()]


class _Undo(Exception):
    """Rolls the change back."""


def _strike(tamper: Tamper) -> Strike:
    def strike(site: Site, rng: Random) -> None:
        try:
            anchoring.seal(now=timezone.now())
            wanted, inside, outside, block = _tampered(tamper, rng)
        except DatabaseError:
            raise Missed from None
        finally:
            connection.close()
        seamless = wanted <= {"ANCHOR_MISSING", "ANCHOR_DIFFERS"}
        if seamless and inside:
            raise AssertionError(f"the tampering left a seam: {sorted(inside)}")
        if not outside >= {(wanted_block, code) for code in wanted for wanted_block in block}:
            raise AssertionError(f"the verifier said {sorted(outside)} instead of {sorted(wanted)} in {block}")

    return strike


def _tampered(tamper: Tamper, rng: Random) -> tuple[set[str], set[Named], set[Named], set[int]]:
    """What should be said, what the verifier says by itself, and with the note from outside; all rolled back."""
    noted = anchoring.head()
    place = _place(rng)
    if noted is None:
        raise Missed
    if list(anchoring.verify(anchors=[noted])):
        raise AssertionError("the journal was not intact before it was touched")
    try:
        with transaction.atomic():
            _execute("SET LOCAL session_replication_role = replica")
            _execute("SET LOCAL lock_timeout = '2s'")
            wanted = tamper(place, rng)
            inside = {(fault.block, fault.code) for fault in anchoring.verify()}
            outside = {(fault.block, fault.code) for fault in anchoring.verify(anchors=[noted])}
            raise _Undo
    except _Undo:
        named = {"ANCHOR_MISSING": noted.number, "ANCHOR_DIFFERS": noted.number, "ENTRY_OUTSIDE_BLOCKS": 1}
        return wanted, inside, outside, {named.get(code, place.block.number) for code in wanted}


def _place(rng: Random) -> Place:
    blocks = list(Block.objects.filter(entries__gte=2).order_by("-number")[:40])
    if not blocks:
        raise Missed
    block = rng.choice(blocks)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM audit_entry WHERE id BETWEEN %s AND %s ORDER BY id", [block.first_entry, block.last_entry]
        )
        return Place(block, [row[0] for row in cursor.fetchall()])


def _edit(place: Place, rng: Random) -> set[str]:
    change = rng.choice(("at = at + interval '1 microsecond'", "actor_name = actor_name || '.'", "reason = 'x'"))
    _execute(f"UPDATE audit_entry SET {change} WHERE id = {rng.choice(place.entries)}")  # noqa: S608
    return {"ENTRY_ALTERED"}


def _delete(place: Place, rng: Random) -> set[str]:
    _execute(f"DELETE FROM audit_entry WHERE id = {rng.choice(place.entries)}")  # noqa: S608
    return {"ENTRIES_MISSING_OR_ADDED"}


def _insert(place: Place, rng: Random) -> set[str]:
    free = sorted(set(range(place.block.first_entry, place.block.last_entry)) - set(place.entries))
    # Without a gap in this run, where no block looks: below the first number.
    _execute(_ENTRY.format(number=rng.choice(free or [0]), source=rng.choice(place.entries)))
    return {"ENTRIES_MISSING_OR_ADDED"} if free else {"ENTRY_OUTSIDE_BLOCKS"}


def _swap(place: Place, rng: Random) -> set[str]:
    one, other = rng.sample(place.entries, 2)
    for old, new in ((one, -1), (other, one), (-1, other)):
        _execute(f"UPDATE audit_entry SET id = {new} WHERE id = {old}")  # noqa: S608
    return {"ENTRY_ALTERED"}


def _cut_tail(place: Place, rng: Random) -> set[str]:
    """The last blocks and every entry from there on, gone without a trace inside the database."""
    _execute(f"DELETE FROM audit_block WHERE number >= {place.block.number}")  # noqa: S608
    _execute(f"DELETE FROM audit_entry WHERE id >= {place.block.first_entry}")  # noqa: S608
    return {"ANCHOR_MISSING"}


def _rewrite(place: Place, rng: Random) -> set[str]:
    """An entry edited, and every block from there on sealed anew over the forged rows: a chain without a seam."""
    _edit(place, rng)
    ends = list(
        Block.objects.filter(number__gte=place.block.number).order_by("number").values_list("last_entry", flat=True)
    )
    _execute(f"DELETE FROM audit_block WHERE number >= {place.block.number}")  # noqa: S608
    for end in ends:
        anchoring.seal_up_to(end, now=timezone.now())
    return {"ANCHOR_DIFFERS"}


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
