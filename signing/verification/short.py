"""The eleven steps on a shortened record, with the same functions as the full way; it may only accept.

Any refusal, and anything that is not exactly as known, gives None: the full way then decides and words the refusal.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, TypeVar

from lxml import etree

from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy
from signing.report import Report
from signing.trust import RevocationSource, TrustStore
from signing.verification.conclusion import conclude, judge_order, main_content
from signing.verification.one import Progress, Question, finish, run_known
from signing.verification.outcome import Refusal, StepLog
from signing.verification.placement import own_id
from signing.verification.recognition import judge
from signing.verification.region import place_known, plan_of
from signing.verification.shortening import Shortened, by_element, gather_ids, resolve, uses_prefix
from signing.verification.signers import SignerBinding
from signing.xml import Element

T = TypeVar("T")
log: Final = logging.getLogger("signing.verification")


def verify_short(
    document: Shortened, policy: SignaturePolicy, trust: TrustStore, *,
    at: datetime, binding: SignerBinding | None, revocation: RevocationSource | None,
) -> Report | None:  # fmt: skip
    """The report of a record that passes; None when the full way has to decide."""
    try:
        return _verify(document, policy, Question(document, policy, trust, at, {}, binding, revocation))
    except (MalformedDocument, Refusal, _Unsure, ValueError, etree.XMLSyntaxError):
        return None  # ValueError: Base64 or a time that is none; XMLSyntaxError: a KeyInfo that is not well-formed
    except Exception as error:
        # Whatever it was, nothing is accepted here: the full way meets it again and gives it its name.
        log.warning("the short way ended in %s", type(error).__name__)
        return None


class _Unsure(Exception):
    """Not exactly as known."""


def _sure(value: T | None) -> T:
    if value is None:
        raise _Unsure
    return value


def _verify(document: Shortened, policy: SignaturePolicy, question: Question) -> Report:
    plan = _sure(plan_of(policy))
    placed, ids = _sure(place_known(document.root, plan)), _sure(gather_ids(document))
    known = by_element(document)
    if len(placed) != len(known) or uses_prefix(document):
        raise _Unsure
    steps = StepLog()
    steps.passed(1, f"{len(document.raw)} byte")
    steps.passed(2, policy.root)
    steps.passed(3, f"{len(ids)} Id")
    steps.passed(4, f"{len(placed)} chữ ký")
    question.cache.main = main_content(placed, policy)
    own = {item.target: _own(item.target, policy) for item in placed}
    judged = []
    for item in placed:
        progress = Progress(item)
        signature = known[_sure(item.signature)]
        found = _sure(resolve(signature, own[item.target], ids, policy))
        recognised = judge(
            signature.build, signature.values, found, item.target, question.cache, question.admits, signature.element
        )
        run_known(item, question, progress, _sure(recognised))
        judged.append(progress)
    judge_order(judged, policy)
    if any(progress.refusal is not None for progress in judged):
        raise _Unsure
    report = conclude(question, steps, placed, [finish(progress) for progress in judged])
    return _sure(report if report.passed else None)


def _own(target: Element, policy: SignaturePolicy) -> bytes | None:
    name = own_id(target, policy)
    return None if name is None else name.encode()
