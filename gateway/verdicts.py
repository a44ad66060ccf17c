"""From the Ministry's answer about one message to what the outbox shall write: pure, and suspicious.

An answer with a line for a record that is not in the package, with a contradiction or with a code or status we do not
know proves nothing: it is FateUnknown as a whole, so no single line of it becomes a verdict, and it is no receipt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.conf import Answers, EndpointDescription
from gateway.exchange.messages import CertificateAnswer, QueryAnswer, ResultLine
from gateway.outcomes import (
    Evidence,
    FateUnknown,
    ItemError,
    ItemVerdict,
    Judged,
    NeverArrived,
    Outcome,
    Waiting,
)

Word = Literal["ACCEPTED", "REJECTED"]


@dataclass(frozen=True, slots=True)
class Question:
    """What we asked about: the keys in the package, and the delays that fit each kind of answer."""

    keys: Collection[str]
    recall: bool
    poll_delay: float
    retry_delay: float
    unknown_needed: int
    # While the fate is uncertain an empty bare list proves nothing.
    uncertain: bool


class Untrustworthy(Exception):
    """The answer contradicts the package or itself, or says what we do not know. Codes: FOREIGN_LINES, CONTRADICTION,
    STATUS_UNKNOWN, ANSWER_UNKNOWN_CODE, ERROR_UNKNOWN_CODE, MESSAGE_CONFLICT, RECEIPT_FOREIGN."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def of_answer(question: Question, answer: QueryAnswer, evidence: Evidence, description: EndpointDescription) -> Outcome:
    """The outcome of a question of type 2 or 6."""
    receipt, codes = answer.receipt, description.answers
    try:
        _trust_answer(answer, codes)
        verdicts = of_lines(question, answer.lines, description)
    except Untrustworthy as problem:
        return _proves_nothing(problem, question, evidence)
    if receipt is not None and receipt.error in codes.unknown:
        return NeverArrived(evidence, question.retry_delay, question.unknown_needed)
    if receipt is None and question.uncertain and not answer.lines:
        return FateUnknown("EMPTY_ANSWER", "Danh sách trống không nói gói đã tới hay chưa.", question.retry_delay)
    stage = receipt.response_code if receipt is not None else ""
    if not verdicts:
        return Waiting(question.poll_delay, stage, evidence if receipt is not None else None)
    return Judged(evidence, verdicts, stage in codes.finished, question.poll_delay, stage)


def of_certificate(
    question: Question, answer: CertificateAnswer, evidence: Evidence, description: EndpointDescription
) -> Outcome:
    """The outcome of a question of type 4."""
    try:
        _trust_certificate(question, answer, description.answers)
    except Untrustworthy as problem:
        return _proves_nothing(problem, question, evidence)
    if answer.error in description.answers.unknown:
        return NeverArrived(evidence, question.retry_delay, question.unknown_needed)
    if answer.approved is None:
        return Waiting(question.poll_delay, evidence=evidence)
    errors = () if answer.approved else (ItemError(answer.error, answer.error_field_title, answer.error_description),)
    verdict: Word = "ACCEPTED" if answer.approved else "REJECTED"
    return Judged(evidence, [ItemVerdict(key, verdict, errors) for key in question.keys], True, question.poll_delay)


def of_lines(question: Question, lines: Sequence[ResultLine], description: EndpointDescription) -> list[ItemVerdict]:
    """One verdict per item, several errors each. Raises Untrustworthy."""
    ours = {key.lower(): key for key in question.keys}
    found: dict[str, ItemVerdict] = {}
    for line in lines:
        key = ours.get(line.lookup_uuid.lower())
        if key is None:
            raise Untrustworthy("FOREIGN_LINES", "Câu trả lời có học bạ không thuộc gói này.")
        verdict = _verdict(line.status, question.recall, description)
        if verdict is None:
            continue
        known = found.get(key)
        if known is not None and known.verdict != verdict:
            raise Untrustworthy("CONTRADICTION", "Câu trả lời vừa chấp nhận vừa từ chối một học bạ.")
        errors = (*(known.errors if known else ()), *_errors(line))
        done = description.answers.recalled if question.recall else description.answers.held
        held = verdict == "REJECTED" and any(error.code in done for error in errors)
        found[key] = ItemVerdict(key, verdict, errors, held)
    return list(found.values())


def _trust_answer(answer: QueryAnswer, codes: Answers) -> None:
    receipt = answer.receipt
    if receipt is None:
        return
    if receipt.error in codes.unknown:
        if answer.lines:
            raise Untrustworthy("CONTRADICTION", "Bộ trả lời không có giao dịch này mà lại kèm kết quả của nó.")
    elif receipt.response_code not in codes.received | codes.finished:
        # It may be "not found" in words of its own: taken for a receipt, the package would never be sent again.
        raise Untrustworthy("ANSWER_UNKNOWN_CODE", f"Câu trả lời mang mã lạ {receipt.response_code!r}.")


def _trust_certificate(question: Question, answer: CertificateAnswer, codes: Answers) -> None:
    """An error beside it makes no approval and no receipt; only beside a refusal is it the reason."""
    error, unknown = answer.error, answer.error in codes.unknown
    foreign = answer.serial_number and _digits(answer.serial_number) not in {_digits(key) for key in question.keys}
    if foreign and not (unknown and answer.approved is None):
        raise Untrustworthy("RECEIPT_FOREIGN", "Câu trả lời nêu chứng thư khác.")
    if error in codes.conflict:
        raise Untrustworthy("MESSAGE_CONFLICT", f"Bộ trả mã {error}.")
    if answer.approved is None:
        if error and not unknown:
            raise Untrustworthy("ERROR_UNKNOWN_CODE", f"Bộ trả mã {error}.")
    elif error and (answer.approved or unknown):
        raise Untrustworthy("CONTRADICTION", f"Câu trả lời vừa quyết định về chứng thư vừa báo lỗi ({error}).")


def _proves_nothing(problem: Untrustworthy, question: Question, evidence: Evidence) -> FateUnknown:
    return FateUnknown(
        problem.code, problem.message, question.retry_delay, http_status=evidence.http_status, evidence=evidence
    )


def _verdict(status: int, recall: bool, description: EndpointDescription) -> Word | None:
    values = description.verdicts
    if status in (values.recall_accepted if recall else values.accepted):
        return "ACCEPTED"
    if status in (values.recall_rejected if recall else values.rejected):
        return "REJECTED"
    if recall and status in values.recall_waiting:
        return None
    raise Untrustworthy("STATUS_UNKNOWN", f"Câu trả lời mang trạng thái lạ ({status}).")


def _errors(line: ResultLine) -> tuple[ItemError, ...]:
    if not (line.error or line.error_description or line.error_field_title):
        return ()
    return (ItemError(line.error, line.error_field_title, line.error_description),)


def _digits(serial: str) -> str:
    """A serial number without what spellings differ in: case, colons, leading zeros."""
    return "".join(sign for sign in serial.lower() if sign in "0123456789abcdef").lstrip("0")
