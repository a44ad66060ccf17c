"""All planted breaches together, and which record gets which: a share, drawn by the seed."""

from dataclasses import dataclass
from random import Random

from portal.rehearsal import fault_contents, fault_signatures
from portal.rehearsal.faults import Fault
from portal.rehearsal.province import School
from portal.rehearsal.records import MadeRecord


def catalogue() -> tuple[Fault, ...]:
    """Every breach there is."""
    return (*fault_contents.FAULTS, *fault_signatures.FAULTS)


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
