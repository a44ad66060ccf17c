"""Acts on one claim that sends or asks: the HTTP call between claiming and settling, with no transaction open.

`consequence_of` is the one visible table from the class of an error to what the submission and the line must suffer.
An uncertain fate is asked about by messageid; only "unknown to me" permits the same bytes again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from gateway import backoff, circuit, outbox, sizes, verdicts
from gateway.conf import EndpointDescription
from gateway.ministry.client import Message, MinistryClient
from gateway.ministry.errors import (
    Busy,
    LeaseEnded,
    LinkRefused,
    MinistryError,
    NotSent,
    PackageRefused,
    PackageTooBig,
)
from gateway.ministry.link import Answer
from gateway.models import Endpoint, Item
from gateway.outbox import Claim, Purpose, Settled
from gateway.outcomes import Acknowledged, Evidence, FateUnknown, ItemVerdict, Outcome, Refused
from gateway.outcomes import NotSent as NothingLeft
from gateway.states import SubmissionKind

logger = logging.getLogger(__name__)
# So many failures in a row still count as first doubts.
_SOON = 3
# A refusal that came while an earlier attempt may have arrived: no verdict before the Ministry was asked since.
REFUSED_IN_DOUBT = "REFUSED_IN_DOUBT"


def forward(claim: Claim, client: MinistryClient, endpoint: Endpoint, *, now: datetime, rng: Random) -> Settled:
    """One attempt: send a QUEUED submission, or ask about an UNCERTAIN one; then settle and judge the line."""
    try:
        outcome = _send(claim, client) if claim.purpose == Purpose.SEND else ask(claim, client, rng=rng)
    except outbox.DocumentDamaged as damage:
        # Neither the line's fault nor the records': it waits, and goes out when the bytes are back.
        logger.error("document_damaged submission=%s", claim.submission_id)
        wait = _retry_delay(claim, client.description, rng)
        outcome = NothingLeft(damage.code, damage.message, wait)
    except MinistryError as said:
        problem = said
        if isinstance(said, PackageTooBig) and not said.bound and claim.items_count == 1:
            problem = said.as_trouble()
        doubt = _doubted(problem, claim, client.description)
        outcome = doubt or consequence_of(problem, claim, client.description, now=now, rng=rng)
        judge_line(problem, claim, client.description, endpoint, now=now, rng=rng)
    else:
        circuit.note_success(endpoint, now=now)
    return outbox.settle(claim, outcome, now=outbox.database_now())


def settle_trouble(
    problem: MinistryError,
    claim: Claim,
    description: EndpointDescription,
    endpoint: Endpoint,
    *,
    now: datetime,
    rng: Random,
) -> Settled:
    """Settle by the table what `problem` means for the submission, and for the line."""
    outcome = consequence_of(problem, claim, description, now=now, rng=rng)
    judge_line(problem, claim, description, endpoint, now=now, rng=rng)
    return outbox.settle(claim, outcome, now=outbox.database_now())


def _doubted(problem: MinistryError, claim: Claim, description: EndpointDescription) -> FateUnknown | None:
    """A refusal of what may have arrived earlier: the Ministry may have taken it then, so it is asked first."""
    if not isinstance(problem, PackageTooBig | PackageRefused) or not outbox.is_in_doubt(claim, REFUSED_IN_DOUBT):
        return None
    message = f"Bộ từ chối lần gửi lại ({problem.code}), nhưng có thể đã giữ gói từ lần trước; đang hỏi lại."
    return FateUnknown(
        REFUSED_IN_DOUBT, message, description.polling.ask_first_delay_seconds, http_status=problem.status
    )


def consequence_of(
    problem: MinistryError, claim: Claim, description: EndpointDescription, *, now: datetime, rng: Random
) -> Outcome:
    """The table: what an error means for the submission."""
    delay = failure_delay(problem, claim, description, now=now, rng=rng)
    evidence = Evidence(problem.status or 0, problem.body)
    match problem:
        case PackageTooBig():
            return Refused(evidence, "PACKAGE_TOO_BIG", problem.message)
        case PackageRefused():
            return _refusal(problem, claim, description, evidence, delay)
        case LinkRefused(clear=True):
            return NothingLeft(problem.code, problem.message, 0.0, link=True, http_status=problem.status)
        case LinkRefused():
            return FateUnknown(problem.code, problem.message, 0.0, link=True, http_status=problem.status)
        case Busy() | NotSent():
            return NothingLeft(problem.code, problem.message, delay, http_status=problem.status)
        case _:
            shown = evidence if problem.body else None
            return FateUnknown(problem.code, problem.message, delay, http_status=problem.status, evidence=shown)


def judge_line(
    problem: MinistryError,
    claim: Claim,
    description: EndpointDescription,
    endpoint: Endpoint,
    *,
    now: datetime,
    rng: Random,
) -> None:
    """The same table's other half: what an error means for the endpoint."""
    wait = backoff.retry_after(problem.retry_after, now=now, longest=description.sending.longest_retry_after_seconds)
    if wait:
        circuit.not_before(endpoint, now + timedelta(seconds=wait))
    match problem:
        case LeaseEnded():
            pass  # nobody's fault but ours
        case LinkRefused():
            circuit.pause(
                endpoint,
                problem.code,
                problem.message,
                description=description,
                now=now,
                rng=rng,
                submission=claim.submission_id,
            )
        case PackageTooBig():
            sizes.remember(endpoint, claim.document_bytes, description=description, now=now)
        case PackageRefused(blames_items=False):
            circuit.pause(endpoint, "SEAL_REFUSED", problem.message, description=description, now=now, rng=rng)
        case PackageRefused() | Busy():
            circuit.note_success(endpoint, now=now)
        case _:
            circuit.note_failure(
                endpoint,
                problem,
                submission=claim.submission_id,
                nothing_left=isinstance(problem, NotSent),
                description=description,
                now=now,
                rng=rng,
            )


def ask(claim: Claim, client: MinistryClient, *, rng: Random) -> Outcome:
    """What became of this message: the question behind both "did it arrive" and "what is the verdict"."""
    question = question_about(claim, client.description, rng=rng)
    message = message_of(claim)
    if claim.kind == SubmissionKind.CERTIFICATE:
        certificate, answer = client.query_certificate(message)
        return verdicts.of_certificate(question, certificate, _evidence(answer), client.description)
    found, answer = client.look_up(message, recall=question.recall)
    return verdicts.of_answer(question, found, _evidence(answer), client.description)


def question_about(claim: Claim, description: EndpointDescription, *, rng: Random) -> verdicts.Question:
    """The keys and the delays for one question."""
    polling, uncertain = description.polling, claim.purpose == Purpose.ASK
    return verdicts.Question(
        keys=keys_of(claim.submission_id),
        recall=claim.kind == SubmissionKind.RECALL,
        poll_delay=backoff.poll_delay(
            claim.polls,
            first=polling.first_delays_seconds,
            factor=polling.factor,
            longest=polling.longest_delay_seconds,
            rng=rng,
        ),
        retry_delay=_retry_delay(claim, description, rng),
        unknown_needed=polling.unknown_answers_needed if uncertain else polling.lost_after_unknown_answers,
        uncertain=uncertain,
    )


def keys_of(submission_id: UUID) -> frozenset[str]:
    """The keys of a package's items."""
    return frozenset(Item.objects.filter(submission_id=submission_id).order_by().values_list("key", flat=True))


def message_of(claim: Claim) -> Message:
    """What identifies the claim's submission towards the Ministry."""
    return Message(claim.submission_id, claim.unit_code, claim.school_year)


def failure_delay(
    problem: MinistryError, claim: Claim, description: EndpointDescription, *, now: datetime, rng: Random
) -> float:
    """Back-off with full jitter; Retry-After wins when it is longer. The first doubts are asked about soon; a package
    that leaves us in doubt each time it is sent comes more and more rarely."""
    sending = description.sending
    wait = backoff.retry_after(problem.retry_after, now=now, longest=sending.longest_retry_after_seconds) or 0.0
    doubtful = claim.purpose == Purpose.SEND and not isinstance(problem, NotSent | Busy) and claim.failures < _SOON
    delay = description.polling.ask_first_delay_seconds if doubtful else _retry_delay(claim, description, rng)
    return max(wait, delay)


def _retry_delay(claim: Claim, description: EndpointDescription, rng: Random) -> float:
    sending = description.sending
    return backoff.retry_delay(
        claim.failures + claim.unknown_answers + 1,
        first=sending.first_delay_seconds,
        longest=sending.longest_delay_seconds,
        rng=rng,
    )


def _send(claim: Claim, client: MinistryClient) -> Outcome:
    message = message_of(claim)
    # The whole call must be over before another worker may take the package for lost.
    not_after = claim.lease_ends - client.description.connection.total_timeout
    if claim.kind == SubmissionKind.CERTIFICATE:
        certificate = outbox.load_document(claim.submission_id)
        _, answer = client.register_certificate(message, certificate, claim.details, not_after=not_after)
        return Acknowledged(_evidence(answer), _first_poll(client.description))
    send = client.recall if claim.kind == SubmissionKind.RECALL else client.submit
    receipt, answer = send(message, outbox.load_content(claim.submission_id), not_after=not_after)
    return Acknowledged(_evidence(answer), _first_poll(client.description), receipt.response_code)


def _first_poll(description: EndpointDescription) -> float:
    first = description.polling.first_delays_seconds
    return first[0] if first else 1.0


def _evidence(answer: Answer) -> Evidence:
    return Evidence(answer.status, answer.body)


def _refusal(
    problem: PackageRefused, claim: Claim, description: EndpointDescription, evidence: Evidence, delay: float
) -> Outcome:
    try:
        culprits = _culprits(problem, claim, description)
    except verdicts.Untrustworthy as doubt:
        return FateUnknown(doubt.code, doubt.message, delay, http_status=problem.status, evidence=evidence)
    return Refused(evidence, problem.code, problem.message, culprits, problem.blames_items)


def _culprits(problem: PackageRefused, claim: Claim, description: EndpointDescription) -> list[ItemVerdict]:
    """The records the Ministry named in refusing the package. Raises Untrustworthy: what is said beside foreign lines,
    or beside a record it accepts, must not send the others on in another package."""
    if not problem.lines:
        return []
    question = verdicts.Question(
        keys_of(claim.submission_id), claim.kind == SubmissionKind.RECALL, 0.0, 0.0, 1, uncertain=False
    )
    named = verdicts.of_lines(question, problem.lines, description)
    if any(one.verdict != "REJECTED" for one in named):
        raise verdicts.Untrustworthy("CONTRADICTION", "Lời từ chối cả gói lại chấp nhận một học bạ trong gói.")
    return named
