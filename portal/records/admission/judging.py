"""Steps (1) to (11) for one record: parse once, choose the profile, verify every signature, run every rule.

All findings are kept, not the first one. A record is admitted only when nothing speaks against it; a check that crashes
refuses the record with its own code; evidence that is away for now leaves it waiting. Never "valid" because a check
did not run.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError

from portal.records import document
from portal.records.admission.opening import RawRecord
from portal.records.admission.reserved import refuse_reserved_id
from portal.records.admission.second_look import ENGINES_DISAGREE, about_disagreement, is_chosen, look_again
from portal.records.admission.signers import SchoolBinding
from portal.records.admission.wording import (
    CHECK_KILLS,
    RECORD_DAMAGED,
    about_document,
    about_profile,
    about_signatures,
    crashed,
    damaged,
    killing,
)
from portal.records.document import Identity
from portal.records.profiles import Finding, Profile, Registry, RuleContext
from portal.records.states import RecordState
from portal.schools.revocation import Witness
from signing import read_record, verify, xml
from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy
from signing.report import Report
from signing.trust import RevocationSource, TrustStore
from signing.xml import Document, Element

logger = logging.getLogger(__name__)

NOBODY = Identity()


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one record, before it is held against the other records of the province."""

    raw: RawRecord
    state: RecordState
    identity: Identity
    profile: str
    findings: tuple[Finding, ...]
    report: Report | None = None

    @property
    def is_held(self) -> bool:
        """Waits for an officer, not for evidence."""
        return self.is_unchecked or any(finding.code == ENGINES_DISAGREE for finding in self.findings)

    @property
    def is_unchecked(self) -> bool:
        """Its check kills the process that runs it, or its bytes are damaged: nothing is known of the record itself."""
        return any(finding.code in (CHECK_KILLS, RECORD_DAMAGED) for finding in self.findings)

    @property
    def errors(self) -> int:
        return sum(finding.is_error for finding in self.findings)

    def refused_for(self, findings: Iterable[Finding]) -> "Judged":
        """The same verdict with more said against it."""
        return replace(self, state=RecordState.REFUSED, findings=(*findings, *self.findings))


@dataclass(frozen=True)
class Court:
    """Everything the records of one batch are judged by; made once per batch."""

    trust: TrustStore
    binding: SchoolBinding
    rules: RuleContext
    profiles: Registry
    policies: Mapping[str, SignaturePolicy]  # by profile's name
    at: datetime  # when the batch reached us: the trusted time of its signatures
    revocation: RevocationSource | None = None
    max_bytes: int = xml.RECORD_LIMITS.max_bytes
    second_share: float = 0.0  # of the records, for the second engine

    @property
    def missing(self) -> frozenset[str]:
        """Whose evidence of revocation was away while this court sat."""
        return self.revocation.missing if isinstance(self.revocation, Witness) else frozenset()

    def keep_evidence(self, *, now: datetime) -> None:
        """Write the evidence first that verdicts, stored next, will name."""
        if isinstance(self.revocation, Witness):
            self.revocation.keep(now=now)
        if self.binding.claims is not None:
            self.binding.claims.keep(now=now)


def judge(raw: RawRecord, court: Court) -> Judged:
    """Everything there is to say about one record on its own."""
    try:
        return _judge(raw, court)
    except (OperationalError, InterfaceError, MemoryError):
        raise  # the machine's trouble, never a fault of the record: it is tried again
    except Exception:
        # Whatever it was, it is ours, and it must not stop the neighbours. The log names the place, never the child.
        logger.exception("check_crashed position=%s", raw.position)
        return judge_crashed(raw)


def judge_crashed(raw: RawRecord) -> Judged:
    """A record whose check cannot be brought to an end: refused, so that nothing unchecked gets in."""
    return Judged(raw, RecordState.REFUSED, NOBODY, "", (crashed("học bạ"),))


def judge_killing(raw: RawRecord) -> Judged:
    """A record whose check was seen to kill its process: neither let in nor refused, held for an officer."""
    return Judged(raw, RecordState.RECEIVED, NOBODY, "", (killing(),))


def judge_damaged(raw: RawRecord) -> Judged:
    """A record of which our store no longer holds what came in: neither let in nor refused, held for an officer."""
    return Judged(raw, RecordState.RECEIVED, NOBODY, "", (damaged(),))


def _judge(raw: RawRecord, court: Court) -> Judged:
    if raw.problem is not None:
        return Judged(raw, RecordState.REFUSED, NOBODY, "", (about_document(raw.problem),))
    try:
        parsed = read_record(raw.data)
        refuse_reserved_id(raw.data)
        if len(raw.data) > court.max_bytes:
            raise MalformedDocument("TOO_LARGE", "Học bạ lớn hơn một gói gửi Bộ. Hãy bỏ dữ liệu thừa rồi ký lại.")
    except MalformedDocument as problem:
        return Judged(raw, RecordState.REFUSED, NOBODY, "", (about_document(problem),))
    claimed = document.identify(parsed.root, court.profiles)
    profile = court.profiles.find(claimed.level, claimed.version, claimed.circular)
    if profile is None:
        finding = about_profile(claimed.level or "", claimed.version or "", claimed.circular or "")
        return Judged(raw, RecordState.REFUSED, claimed, "", (finding,))
    return _by_profile(raw, parsed, claimed, profile, court)


def _by_profile(raw: RawRecord, parsed: Document, claimed: Identity, profile: Profile, court: Court) -> Judged:
    policy = court.policies[profile.name]
    report = verify(parsed, policy, court.trust, at=court.at, binding=court.binding, revocation=court.revocation)
    root = parsed.root if report.root is None else report.root  # data are read where the covered elements stand
    findings = (*profile.examine(root, court.rules), *about_signatures(report))
    if any(finding.is_error for finding in findings) or report.refused:
        state = RecordState.REFUSED
    elif report.try_later:
        state = RecordState.RECEIVED
    elif report.passed and _is_covered(root, profile, report):
        state = RecordState.ADMITTED
    else:
        state, findings = RecordState.REFUSED, (crashed("phạm vi chữ ký"), *findings)
    if is_chosen(raw.sha256, court.second_share):
        other = look_again(raw.data, report, policy, court.trust, at=court.at, revocation=court.revocation)
        if other is not None:
            state, findings = RecordState.RECEIVED, (about_disagreement(report, other), *findings)
    return Judged(raw, state, claimed, profile.name, tuple(findings), report)


def _is_covered(root: Element, profile: Profile, report: Report) -> bool:
    """Step (11): what was read stands in the very element that the signatures cover, by identity."""
    covered = report.covered.get(profile.data_path)
    return covered is not None and covered is root.find(profile.data_path)
