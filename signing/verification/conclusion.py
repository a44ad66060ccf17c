"""Steps (10) and (11): the order of signing, then one verdict from all signatures, and what may be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from signing.algorithms import digest_of
from signing.policy import SignaturePolicy
from signing.report import Indication, Report, SignatureReport, Step, SubIndication, indication_of
from signing.verification.one import Progress, Question, refuse
from signing.verification.order import check_order
from signing.verification.outcome import Refusal, StepLog
from signing.verification.placement import Placed
from signing.xml import Element, canonical_bytes


def refused(policy: SignaturePolicy, steps: StepLog, number: int, refusal: Refusal) -> Report:
    steps.refused(number, refusal)
    steps.fill(range(1, 12))
    return Report(
        policy.name, indication_of(refusal.sub), refusal.sub, refusal.code, refusal.message, steps=steps.frozen()
    )


def judge_order(judged: Sequence[Progress], policy: SignaturePolicy) -> None:
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


def conclude(
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
        return refused(policy, steps, 4, refusal)
    covered = _covered(placed, reports)
    steps.passed(11, ", ".join(sorted(covered)[:4]))
    return Report(
        policy.name,
        Indication.TOTAL_PASSED,
        signatures=tuple(reports),
        steps=_without_inner(steps.frozen()),
        message="Tất cả chữ ký hợp lệ.",
        covered=covered,
        root=question.document.root,
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


def main_content(placed: Sequence[Placed], policy: SignaturePolicy) -> Element | None:
    """The main content, in no namespace at all: only then may canonical forms be cut from its own."""
    if policy.root == "*" or policy.nested or policy.main == ".":
        return None
    return next((item.target for item in placed if item.covers == policy.main), None)
