"""What a kind of fault is, and the list of all of them.

`strike` blocks until the fault is over; recovery counts from then, or from the moment it returns (monotonic
seconds) when the fault itself was over sooner, as a kill is. It raises `Missed` when the fault had no occasion (nobody
passed the fail-point), `NotRun` when it cannot be made here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from portal.rehearsal.campaign.site import Site


class Stage(StrEnum):
    """Whose progress proves that a fault is over."""

    INTAKE = "intake"  # batches taken in
    RECORDS = "records"  # records checked
    FORWARDING = "forwarding"  # packages acknowledged, records judged


class Missed(Exception):
    """The fault found no occasion to strike."""


class NotRun(Exception):
    """The fault cannot be made on this machine; the message is the reason."""


Strike = Callable[[Site, Random], float | None]


@dataclass(frozen=True)
class Kind:
    """`lane`: faults of one lane come one after another, lanes run beside each other."""

    name: str
    stage: Stage
    strike: Strike
    lane: str
    # Why it cannot be made here; empty = it can.
    obstacle: Callable[[Site], str] = lambda _site: ""
    # Heavy kinds stop everything for seconds: so often in one campaign at most (0 = every turn has it).
    most: int = 0
