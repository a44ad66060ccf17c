"""The catalogue of planted breaches: what is done to a record, and what the portal must say to it.

`outcome` is what counts: REFUSED (the record gets nowhere) or WARNED (it goes on, and the school is told). `says` names
the codes of which at least one must appear. Breaches stand in `fault_contents` and `fault_signatures`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from portal.rehearsal.draft import Draft
from portal.rehearsal.pki import Pki
from portal.rehearsal.province import LOWER, PRIMARY, UPPER, Province, School
from portal.rehearsal.records import MadeRecord, make_draft, render, seal_up

EVERY_LEVEL = (PRIMARY, LOWER, UPPER)


class Outcome(StrEnum):
    REFUSED = "REFUSED"
    WARNED = "WARNED"


@dataclass(frozen=True)
class Scene:
    """What a breach may look at beside the draft; `previous` is a good record of the same batch."""

    province: Province
    pki: Pki
    previous: MadeRecord | None = None


Edit = Callable[[Draft, Scene], None]
Mangle = Callable[[str, Draft], str]


@dataclass(frozen=True)
class Fault:
    """`edit` works before the record is signed, `mangle` on the finished text."""

    code: str
    outcome: Outcome
    says: frozenset[str]
    levels: tuple[str, ...] = EVERY_LEVEL
    edit: Edit | None = None
    mangle: Mangle | None = None
    needs_previous: bool = False
    spoils_file: bool = False  # a list with such a record in it may be refused as a whole: it is handed in alone
    needs_revocation: bool = False  # the portal must be set to judge revocation


def make_faulty(
    province: Province, pki: Pki, school: School, number: int, fault: Fault, *, previous: MadeRecord | None = None
) -> MadeRecord:
    """The record of a pupil with one breach planted."""
    draft = make_draft(province, pki, school, number)
    if fault.edit:
        fault.edit(draft, Scene(province, pki, previous))
    text = render(draft)
    if fault.mangle:
        mangled = fault.mangle(text, draft)
        if mangled == text:
            raise ValueError(f"{fault.code}: nothing was changed")
        text = mangled
    return seal_up(draft, text, fault=fault.code)


def with_other_pupil(draft: Draft, other: Draft) -> None:
    """Gives a draft the person of another one, keeping its own lookup number."""
    for tag in ("HO_VA_TEN", "SO_CCCD", "MA_HOC_SINH", "GIOI_TINH", "NGAY_SINH", "MA_KHOI", "TEN_LOP"):
        draft.general[tag] = other.general[tag]
    draft.pupil = replace(draft.pupil, cccd=other.pupil.cccd)
