"""The catalogue of planted breaches: what is done to a record, and what the portal must say to it.

`outcome` is what counts: REFUSED (the record gets nowhere) or WARNED (it goes on, and the school is told). `says` names
the codes of which at least one must appear. Breaches stand in `fault_contents` and `fault_signatures`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

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


def catalogue() -> tuple[Fault, ...]:
    """Every breach there is."""
    from portal.rehearsal import fault_contents, fault_signatures

    return (*fault_contents.FAULTS, *fault_signatures.FAULTS)


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


@dataclass(frozen=True)
class Planting:
    """Which records get which breach: a share, drawn by the seed, over the chosen faults."""

    seed: str
    share: float
    faults: tuple[Fault, ...]

    def fault_for(self, school: School, number: int, *, previous: MadeRecord | None) -> Fault | None:
        rng = Random(f"{self.seed}/fault/{school.index}/{number}")
        if rng.random() >= self.share:
            return None
        fits = [
            fault
            for fault in self.faults
            if school.level in fault.levels and (previous is not None or not fault.needs_previous)
        ]
        return rng.choice(fits) if fits else None


def planting(seed: str, share: float, *, revocation: bool) -> Planting:
    """All faults that the portal, as it is set, can notice."""
    return Planting(seed, share, tuple(one for one in catalogue() if revocation or not one.needs_revocation))


def of_code(code: str) -> Fault:
    return next(fault for fault in catalogue() if fault.code == code)


def with_other_pupil(draft: Draft, other: Draft) -> None:
    """Gives a draft the person of another one, keeping its own lookup number."""
    for tag in ("HO_VA_TEN", "SO_CCCD", "MA_HOC_SINH", "GIOI_TINH", "NGAY_SINH", "MA_KHOI", "TEN_LOP"):
        draft.general[tag] = other.general[tag]
    draft.pupil = replace(draft.pupil, cccd=other.pupil.cccd)
