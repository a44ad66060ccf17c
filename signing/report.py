"""The verdict of a verification as frozen values, in the words of ETSI EN 319 102-1.

Nothing here decides anything. A report lists every step with what was found; a step that did not run says so and is
never counted as passed. `Report.covered` holds the only elements from which data may be read (house rule 11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element


class Indication(StrEnum):
    """Main status, EN 319 102-1 clause 5.1.3. Only TOTAL_PASSED lets a record in."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


class SubIndication(StrEnum):
    """Why it is not TOTAL_PASSED, EN 319 102-1 clause 5.1.3. Only TRY_LATER means: ask again."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"
    TRY_LATER = "TRY_LATER"


# EN 319 102-1 table 5: with these the signature is known to be bad; with all others it is only not known to be good.
_FAILED = frozenset(
    {
        SubIndication.FORMAT_FAILURE,
        SubIndication.HASH_FAILURE,
        SubIndication.SIG_CRYPTO_FAILURE,
        SubIndication.REVOKED,
        SubIndication.EXPIRED,
        SubIndication.NOT_YET_VALID,
    }
)


def indication_of(sub: SubIndication | None) -> Indication:
    """The main status that belongs to a sub-indication; none means passed."""
    if sub is None:
        return Indication.TOTAL_PASSED
    return Indication.TOTAL_FAILED if sub in _FAILED else Indication.INDETERMINATE


class StepStatus(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_RUN = "NOT_RUN"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of the verification and what was found. `detail` is for people, in Vietnamese."""

    number: int
    name: str
    status: StepStatus
    code: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "name": self.name,
            "status": self.status.value,
            "code": self.code,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class ReportWarning:
    """A breach that the policy tells the school about without refusing the record."""

    code: str
    message: str

    def to_json(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message}


class StampStatus(StrEnum):
    VALID = "VALID"
    INVALID = "INVALID"
    NOT_VERIFIABLE = "NOT_VERIFIABLE"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the time-stamps beside a signature are worth; `at` and `by` are what the worst of them says."""

    status: StampStatus
    code: str
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """Verdict on one signature (or on a required one that is missing: then `place` is where it should be)."""

    role: str
    place: str
    indication: Indication
    sub_indication: SubIndication | None = None
    code: str = "OK"
    message: str = ""
    steps: tuple[Step, ...] = ()
    signer: str | None = None
    cccd: str | None = None
    organisation_id: str | None = None
    serial: str | None = None
    issuer: str | None = None
    certificate_sha256: str | None = None
    signing_time: datetime | None = None
    algorithm: str | None = None
    digest: str | None = None
    covers: str | None = None
    warnings: tuple[ReportWarning, ...] = ()
    evidence: tuple[str, ...] = ()
    stamp: Stamp | None = None

    @property
    def passed(self) -> bool:
        return self.indication is Indication.TOTAL_PASSED

    def to_json(self) -> dict[str, object]:
        return {
            "role": self.role,
            "place": self.place,
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "code": self.code,
            "message": self.message,
            "signer": self.signer,
            "cccd": self.cccd,
            "organisation_id": self.organisation_id,
            "serial": self.serial,
            "issuer": self.issuer,
            "certificate_sha256": self.certificate_sha256,
            "signing_time": self.signing_time.isoformat() if self.signing_time else None,
            "algorithm": self.algorithm,
            "digest": self.digest,
            "covers": self.covers,
            "warnings": [warning.to_json() for warning in self.warnings],
            "evidence": list(self.evidence),
            "time_stamp": self.stamp.status.value if self.stamp else None,
            "time_stamp_code": self.stamp.code if self.stamp else None,
            "time_stamp_at": self.stamp.at.isoformat() if self.stamp and self.stamp.at else None,
            "time_stamp_by": self.stamp.by if self.stamp else None,
            "steps": [step.to_json() for step in self.steps],
        }


_NOTHING: Mapping[str, _Element] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Report:
    """Verdict on one document under one policy."""

    policy: str
    indication: Indication
    sub_indication: SubIndication | None = None
    code: str = "OK"
    message: str = ""
    signatures: tuple[SignatureReport, ...] = ()
    steps: tuple[Step, ...] = ()
    # path -> element that a passed signature covers by identity; empty unless the whole document passed
    covered: Mapping[str, _Element] = field(default_factory=lambda: _NOTHING, repr=False, compare=False)
    content_digest: str | None = None
    engine: str = "fast"
    # root of the tree in which the covered elements stand: the caller's own, or one that had to be parsed as a whole
    root: _Element | None = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """The record may be used."""
        return self.indication is Indication.TOTAL_PASSED

    @property
    def try_later(self) -> bool:
        """No refusal: a source of evidence was away, verify again later."""
        return self.sub_indication is SubIndication.TRY_LATER

    @property
    def refused(self) -> bool:
        """Final: the record has no value as it is."""
        return not self.passed and not self.try_later

    @property
    def warnings(self) -> tuple[ReportWarning, ...]:
        return tuple(warning for signature in self.signatures for warning in signature.warnings)

    def same_verdict(self, other: Report) -> bool:
        """Whether two engines agree in what matters: passed, and the digest of what was covered."""
        return self.passed == other.passed and (not self.passed or self.content_digest == other.content_digest)

    def to_json(self) -> dict[str, object]:
        return {
            "policy": self.policy,
            "engine": self.engine,
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "code": self.code,
            "message": self.message,
            "content_digest": self.content_digest,
            "covered": sorted(self.covered),
            "steps": [step.to_json() for step in self.steps],
            "signatures": [signature.to_json() for signature in self.signatures],
        }
