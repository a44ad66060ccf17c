"""The verification of one document under one policy, in eleven steps which the code repeats.

 (1) parse under limits, no DTD, no entity, no comment, no processing instruction          signing.xml.gate
 (2) isolate: one record as its own document, nothing but known parts below its root       placement.check_root
 (3) ids unique inside it, whatever their spelling                                         placement.read_ids
 (4) exactly the signatures that the policy names, each in its place, none elsewhere       placement.place_signatures
 (5) each reference is `#id` of exactly the element the policy says; transforms from the list   structure, references
 (6) digest and signature value, with the key of the certificate and nothing else          references, values
 (7) the signing time is covered by the signature and possible                             moments, order
 (8) the certificate is bound to the signer's role                                         keyinfo, properties, signers
 (9) chain and revocation at signing time                                                  evidence
(10) order of signing                                                                      order
(11) only what was signed may be read: `Report.covered`                                    here

A verdict is a value that lists every step; a step that could not run is never a pass. Anything unforeseen refuses.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from signing.algorithms import digest_of
from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy
from signing.report import Indication, Report, SignatureReport, Step, SubIndication, indication_of
from signing.trust import RevocationSource, TrustStore
from signing.verification.one import Progress, Question, finish, refuse, verify_one
from signing.verification.order import check_order
from signing.verification.outcome import Refusal, StepLog
from signing.verification.placement import Placed, check_root, place_signatures, read_ids
from signing.verification.signers import BindingProblem, SignerBinding
from signing.xml import LIST_LIMITS, RECORD_LIMITS, Document, Element, canonical_bytes, parse

__all__ = ["BindingProblem", "SignerBinding", "verify"]

log = logging.getLogger("signing.verification")


def verify(
    document: bytes | Document,
    policy: SignaturePolicy,
    trust: TrustStore,
    *,
    at: datetime,
    binding: SignerBinding | None = None,
    revocation: RevocationSource | None = None,
) -> Report:
    """Verify all signatures that `policy` asks of `document`, as seen from the time `at` (aware).

    Never raises for what the document contains; a naive `at` is the caller's mistake and raises ValueError.
    """
    if at.tzinfo is None:
        raise ValueError("`at` must be an aware datetime")
    steps = StepLog()
    number = 1
    try:
        # (1)
        if isinstance(document, bytes):
            document = parse(document, limits=LIST_LIMITS if policy.nested else RECORD_LIMITS)
        steps.passed(1, f"{len(document.raw)} byte")
        # (2)
        number = 2
        check_root(document, policy)
        steps.passed(2, policy.root)
        # (3) uniqueness of every id that is referred to is judged where it is resolved, in step (5)
        number = 3
        ids = read_ids(document, policy)
        steps.passed(3, f"{len(ids)} Id")
        # (4)
        number = 4
        placed = place_signatures(document, policy)
        steps.passed(4, f"{sum(item.signature is not None for item in placed)} chữ ký")
    except MalformedDocument as error:
        return _refused(policy, steps, number, Refusal(SubIndication.FORMAT_FAILURE, error.code, error.message))
    except Refusal as refusal:
        return _refused(policy, steps, number, refusal)
    except Exception as error:
        log.error("verification step %s ended in %s", number, type(error).__name__)
        return _refused(
            policy, steps, number, Refusal(SubIndication.FORMAT_FAILURE, "UNFORESEEN", "Không kiểm tra được tệp này.")
        )
    # (5) to (9)
    question = Question(document, policy, trust, at, ids, binding, revocation)
    question.cache.main = _main(placed, policy)
    present = [item for item in placed if item.signature is not None]
    judged = [verify_one(item, question) for item in present]
    # (10)
    _judge_order(judged, policy)
    reports = [finish(progress) for progress in judged]
    # (11)
    return _conclude(question, steps, present, reports)


def _refused(policy: SignaturePolicy, steps: StepLog, number: int, refusal: Refusal) -> Report:
    steps.refused(number, refusal)
    steps.fill(range(1, 12))
    return Report(
        policy.name, indication_of(refusal.sub), refusal.sub, refusal.code, refusal.message, steps=steps.frozen()
    )


def _judge_order(judged: Sequence[Progress], policy: SignaturePolicy) -> None:
    times: dict[str, list[datetime]] = {}
    for progress in judged:
        if progress.signing_time is not None:
            times.setdefault(progress.placed.slot.role, []).append(progress.signing_time)
    for progress in judged:
        if progress.refusal is not None or progress.signing_time is None:
            continue
        progress.number = 10
        try:
            warning = check_order(progress.placed.slot, progress.signing_time, times, policy)
        except Refusal as refusal:
            refuse(progress, refusal)
            continue
        progress.log.passed(10, warning.message if warning else "")
        if warning is not None:
            progress.warnings.append(warning)


def _conclude(
    question: Question, steps: StepLog, placed: Sequence[Placed], reports: Sequence[SignatureReport]
) -> Report:
    policy = question.policy
    worst = _worst(reports)
    if worst is not None:
        steps.fill(range(1, 12))
        frozen = tuple(step for step in steps.frozen() if step.number not in range(5, 11))
        return Report(
            policy.name, worst.indication, worst.sub_indication, worst.code, worst.message, tuple(reports), frozen
        )
    if not reports:
        refusal = Refusal(SubIndication.FORMAT_FAILURE, "SIGNATURE_MISSING", "Tệp không có chữ ký nào.")
        return _refused(policy, steps, 4, refusal)
    covered = _covered(placed, reports)
    steps.passed(11, ", ".join(sorted(covered)[:4]))
    return Report(
        policy.name,
        Indication.TOTAL_PASSED,
        signatures=tuple(reports),
        steps=_without_inner(steps.frozen()),
        message="Tất cả chữ ký hợp lệ.",
        covered=covered,
        content_digest=_content_digest(question, placed, covered.get(policy.main)),
    )


def _without_inner(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps (5) to (10) stand with each signature."""
    return tuple(step for step in steps if step.number not in range(5, 11))


def _worst(reports: Sequence[SignatureReport]) -> SignatureReport | None:
    """Failed before not-known-to-be-good before try-later: a record that must be refused is not tried again."""
    ranks = {Indication.TOTAL_FAILED: 0, Indication.INDETERMINATE: 1}
    bad = [report for report in reports if not report.passed]
    return min(
        bad,
        key=lambda report: (report.sub_indication is SubIndication.TRY_LATER, ranks.get(report.indication, 1)),
        default=None,
    )


def _covered(placed: Sequence[Placed], reports: Sequence[SignatureReport]) -> Mapping[str, Element]:
    return MappingProxyType(
        {item.covers: item.target for item, report in zip(placed, reports, strict=True) if report.passed}
    )


def _content_digest(question: Question, placed: Sequence[Placed], content: Element | None) -> str | None:
    """SHA-256 of the exclusive canonical form of the content without its enveloped signature.

    The same content gives the same digest however a signer spelt the file (replay, rule R15).
    """
    if content is None:
        return None
    known = question.cache.content_digest() if content is question.cache.main else None
    if known is None:
        enveloped = next(
            (item.signature for item in placed if item.slot.covers == "." and item.target is content), None
        )
        known = digest_of("sha256", canonical_bytes(content, exclusive=True, without=enveloped))
    return known.hex()


def _main(placed: Sequence[Placed], policy: SignaturePolicy) -> Element | None:
    """The main content, in no namespace at all: only then may canonical forms be cut from its own."""
    if policy.root == "*" or policy.nested or policy.main == ".":
        return None
    return next((item.target for item in placed if item.covers == policy.main), None)
