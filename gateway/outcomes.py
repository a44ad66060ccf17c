"""What became of one attempt, as frozen values: the words in which `forwarding` and `receipts` speak to the outbox.

Good news (Acknowledged, Judged) is taken from any worker; everything else only from the current attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Evidence:
    """An answer of the Ministry exactly as it came."""

    http_status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ItemError:
    """One error the Ministry found in one item."""

    code: str
    field: str
    message: str

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "field": self.field, "message": self.message}


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """The Ministry's verdict on the item with this key."""

    key: str
    verdict: Literal["ACCEPTED", "REJECTED"]
    errors: tuple[ItemError, ...] = ()
    # Refused because it is done already: the Ministry holds a record of this key, or has recalled it.
    held_there: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The Ministry has the package. `receipt` is its proof."""

    evidence: Evidence
    delay: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on some items or all. `finished`: the Ministry says that the list is complete."""

    evidence: Evidence
    verdicts: Sequence[ItemVerdict]
    finished: bool
    delay: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The Ministry has it and has not judged anything new. `evidence` where the answer names the message."""

    delay: float
    code: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Proof that the Ministry did not take it: DNS, TCP, TLS, or a refusal of the line in so many words."""

    code: str
    detail: str
    delay: float
    link: bool = False
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class FateUnknown:
    """The bytes, or the question, may have arrived: no answer that proves anything. `evidence` where there was one."""

    code: str
    detail: str
    delay: float
    link: bool = False
    http_status: int | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class NeverArrived:
    """ "Unknown to me": after `needed` such answers in a row the next step is allowed."""

    evidence: Evidence
    delay: float
    needed: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The package as a whole was refused for its content. `culprits` are the items the Ministry named."""

    evidence: Evidence
    code: str
    detail: str
    culprits: Sequence[ItemVerdict] = ()
    # The refusal is about the contents, so a package of one item is that item's own refusal.
    blames_items: bool = True


Outcome = Acknowledged | Judged | Waiting | NotSent | FateUnknown | NeverArrived | Refused


def after(now: datetime, seconds: float) -> datetime:
    """`now` plus a delay."""
    return now + timedelta(seconds=seconds)
