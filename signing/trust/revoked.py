"""The port through which a verification asks whether a certificate was revoked at a time.

Implemented by `signing.revocation`; the source answers from its cache, never from the network, and says UNKNOWN when
it has no evidence that reaches to that time. UNKNOWN becomes INDETERMINATE / TRY_LATER, never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

# `RevocationAnswer.detail` of an UNKNOWN: there is evidence, but none that is fresh enough for a verdict now.
STALE: Final = "EVIDENCE_STALE"


class RevocationState(StrEnum):
    GOOD = "GOOD"  # evidence shows it was not revoked at that time
    REVOKED = "REVOKED"  # it was revoked at or before that time
    UNKNOWN = "UNKNOWN"  # no usable evidence now: ask again later


@dataclass(frozen=True, slots=True)
class RevocationAnswer:
    """State of one certificate at one time. `evidence` names (SHA-256, hex) the CRLs or OCSP answers relied on."""

    state: RevocationState
    revoked_at: datetime | None = None
    reason: str = ""
    evidence: tuple[str, ...] = ()
    detail: str = ""


class RevocationSource(Protocol):
    """Answers from what is known in this process; must not block on the network and must not raise."""

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        """State of `certificate` (DER), issued by `issuer` (DER), at the time `at`."""
