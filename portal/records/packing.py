"""Packing admitted records into one document: the schools' bytes, untouched, between two tags of ours.

Pure functions. The limit is on the raw document with room left for the seal; whether the HTTP body fits too is
seen once it is sealed and coded, and then the package is halved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What the seal refers to (spec section 3); admission lets no record in that carries it.
ROOT_ID = "dataDanhSach"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<DANH_SACH_HOC_BA id="{ROOT_ID}">\n'.encode()
FOOT = b"</DANH_SACH_HOC_BA>"
_BETWEEN = b"\n"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A record waiting to be packed: its row and what it weighs."""

    record_id: int
    size: int


def pack(records: Iterable[bytes]) -> bytes:
    """The unsealed document: each record's own bytes, in order."""
    return HEAD + b"".join(data + _BETWEEN for data in records) + FOOT


def fill(waiting: Sequence[Weighed], *, max_bytes: int, max_records: int) -> tuple[list[Weighed], bool]:
    """As many from the front as fit into one package, and whether more would not have fitted (the package is full).

    A record too large for any package lets the others go first and is then taken alone: the caller sees that it does
    not fit.
    """
    room = max_bytes - len(HEAD) - len(FOOT)
    fitting = [one for one in waiting if one.size + len(_BETWEEN) <= room]
    taken: list[Weighed] = []
    for one in fitting or waiting[:1]:
        cost = one.size + len(_BETWEEN)
        if taken and (cost > room or len(taken) >= max_records):
            return taken, True
        taken.append(one)
        room -= cost
    return taken, len(taken) >= max_records
