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
from datetime import datetime

from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy
from signing.report import Report, SubIndication
from signing.trust import RevocationSource, TrustStore
from signing.verification.conclusion import conclude, judge_order, main_content, refused
from signing.verification.one import Question, finish, verify_one
from signing.verification.outcome import Refusal, StepLog
from signing.verification.placement import check_root, place_signatures, read_ids
from signing.verification.short import verify_short
from signing.verification.shortening import Shortened, is_simple, learn_spellings, read_record, shorten
from signing.verification.signers import BindingProblem, SignerBinding
from signing.xml import LIST_LIMITS, RECORD_LIMITS, Document, parse

__all__ = ["BindingProblem", "SignerBinding", "read_record", "verify"]

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
    short = _shortened(document, policy)
    if short is not None:
        report = verify_short(short, policy, trust, at=at, binding=binding, revocation=revocation)
        if report is not None:
            return report
        document = short.raw
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
        return refused(policy, steps, number, Refusal(SubIndication.FORMAT_FAILURE, error.code, error.message))
    except Refusal as refusal:
        return refused(policy, steps, number, refusal)
    except Exception as error:
        log.error("verification step %s ended in %s", number, type(error).__name__)
        return refused(
            policy, steps, number, Refusal(SubIndication.FORMAT_FAILURE, "UNFORESEEN", "Không kiểm tra được tệp này.")
        )
    # (5) to (9)
    question = Question(document, policy, trust, at, ids, binding, revocation)
    question.cache.main = main_content(placed, policy)
    present = [item for item in placed if item.signature is not None]
    judged = [verify_one(item, question) for item in present]
    # (10)
    judge_order(judged, policy)
    reports = [finish(progress) for progress in judged]
    # (11)
    report = conclude(question, steps, present, reports)
    if report.passed and is_simple(policy):
        learn_spellings(document)
    return report


def _shortened(document: bytes | Document, policy: SignaturePolicy) -> Shortened | None:
    """The document without its known signatures, where that way may be gone."""
    if isinstance(document, Shortened):
        return document
    return shorten(document) if isinstance(document, bytes) and is_simple(policy) else None
