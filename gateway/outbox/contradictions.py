"""What an outcome says against our own ledger, found while it is settled: late good news, an answer of something else.

Reads rows and writes none. Late good news changes neither a state nor a verdict, for the records may have gone into
another package since; it is for a person to see at once, and this names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.discrepancies import Difference
from gateway.models import Attempt, Item, Submission
from gateway.outcomes import Acknowledged, Evidence, FateUnknown, ItemVerdict, Judged, Outcome, Refused, Waiting
from gateway.states import AttemptOutcome, AttemptPurpose, DiscrepancyKind, SubmissionKind, SubmissionState, Verdict

_HELD_THERE: Final = (
    "Gói này đã đóng vì Bộ từ chối lúc nhận, nhưng nay Bộ trả lời đang giữ chính gói này. Học bạ của gói có thể đã đi "
    "trong gói khác, khi đó Bộ có hai bản."
)
_ACCEPTED_THERE: Final = (
    "Gói này đã đóng vì bị Bộ từ chối, học bạ được gửi trong gói khác; nay Bộ lại chấp nhận nó trong gói cũ."
)
_REFUSED_HERE: Final = "Ta đã báo trường học bạ bị từ chối; nay Bộ trả lời đã chấp nhận nó."
_HELD_ALREADY: Final = (
    "Bộ từ chối học bạ này vì đã giữ một học bạ mang cùng mã tra cứu: rất có thể chính nó, tới trong một gói khác "
    "trước đó (ví dụ gói gửi sau bản sao lưu mà cổng được khôi phục)."
)
_RECALLED_ALREADY: Final = (
    "Bộ từ chối đề nghị này vì đã thu hồi học bạ trước đó: rất có thể theo chính đề nghị của ta, tới trong một gói "
    "khác."
)
_REFUSED_NOW: Final = "Ta đã báo trường học bạ trong gói được chấp nhận; nay Bộ trả lời từ chối cả gói."
_ANOTHER_VERDICT: Final = "Kết quả Bộ trả lúc này khác kết quả đã nhận trước đây."
_CONFLICT: Final = (
    "Bộ báo mã giao dịch này đã dùng cho một nội dung khác (HTTP 409). Cổng luôn gửi đúng một nội dung với một mã, "
    "nên dưới mã này Bộ đang giữ một gói không phải của ta, hoặc một bản đã hỏng."
)
_OF_SOMETHING_ELSE: Final = {
    "RECEIPT_FOREIGN": "Bộ trả lời bằng biên nhận mang mã giao dịch khác.",
    "RECEIPT_FOREIGN_UNIT": "Bộ trả lời bằng biên nhận mang mã đơn vị khác.",
    "RECEIPT_UNBOUND": "Bộ trả lời mà không nêu mã giao dịch nào.",
    "FOREIGN_LINES": "Bộ trả kết quả có học bạ không thuộc gói này.",
    "CONTRADICTION": "Bộ trả kết quả tự mâu thuẫn về cùng một học bạ hoặc cùng một gói.",
}
_NOT_USED: Final = " Câu trả lời đó không được dùng; cổng tự hỏi lại Bộ về gói này."


def found(row: Submission, outcome: Outcome, *, applies: bool) -> tuple[list[Difference], bytes]:
    """What `outcome` says against `row` as it stands, and the answer that shows it. A refusal that is not taken was of
    an older attempt: it says nothing about what became of the package since."""
    match outcome:
        case Acknowledged(evidence=evidence):
            return held_although_refused(row), evidence.body
        case Waiting(evidence=Evidence() as evidence):
            return held_although_refused(row), evidence.body
        case Judged():
            unfinished = [] if outcome.finished else held_although_refused(row)
            return unfinished + _verdicts(row, outcome.verdicts) + _done_already(
                row, outcome.verdicts
            ), outcome.evidence.body
        case Refused():
            return (refused_now(row, outcome.code) if applies else []), outcome.evidence.body
        case FateUnknown():
            return of_something_else(row, outcome.code), outcome.evidence.body if outcome.evidence else b""
    return [], b""


def held_although_refused(row: Submission) -> list[Difference]:
    """The Ministry says that it has the package, which we closed because it was refused at the door. One that was
    refused only when it was judged had been received before: no contradiction."""
    if row.state != SubmissionState.REFUSED:
        return []
    refusals = Attempt.objects.filter(submission=row, outcome=AttemptOutcome.PACKAGE_REFUSED).order_by("-number")
    if refusals.values_list("purpose", flat=True).first() != AttemptPurpose.SEND:
        return []
    return [
        Difference(
            DiscrepancyKind.TAKEN_THERE, _HELD_THERE, ours=SubmissionState.REFUSED, theirs=SubmissionState.ACKNOWLEDGED
        )
    ]


def refused_now(row: Submission, code: str) -> list[Difference]:
    """The Ministry refuses the whole package: a difference if it accepted a record of it before."""
    accepted = Item.objects.filter(submission=row, verdict=Verdict.ACCEPTED)
    if row.state == SubmissionState.REFUSED or not accepted.exists():
        return []
    return [Difference(DiscrepancyKind.VERDICT_DIFFERS, _REFUSED_NOW, ours=row.state, theirs=code[:20])]


def verdict_differs(key: str, ours: str, theirs: str, *, refused: bool) -> list[Difference]:
    """One item of ours, and the Ministry's word on it now."""
    if ours == theirs:
        return []
    if ours == Verdict.PENDING:
        if not (refused and theirs == Verdict.ACCEPTED):
            return []
        kind = DiscrepancyKind.TAKEN_THERE
        return [Difference(kind, _ACCEPTED_THERE, key=key, ours=SubmissionState.REFUSED, theirs=theirs)]
    if refused and theirs == Verdict.PENDING:
        return []
    text = _REFUSED_HERE if theirs == Verdict.ACCEPTED else _ANOTHER_VERDICT
    return [Difference(DiscrepancyKind.VERDICT_DIFFERS, text, key=key, ours=ours, theirs=theirs)]


def _verdicts(row: Submission, verdicts: Sequence[ItemVerdict]) -> list[Difference]:
    refused = row.state == SubmissionState.REFUSED
    items = Item.objects.filter(submission=row).order_by()
    # An open package contradicts itself only in what is judged already: usually nothing yet.
    ours = dict((items if refused else items.exclude(verdict=Verdict.PENDING)).values_list("key", "verdict"))
    return [
        one
        for said in verdicts
        if said.key in ours
        for one in verdict_differs(said.key, ours[said.key], said.verdict, refused=refused)
    ]


def _done_already(row: Submission, verdicts: Sequence[ItemVerdict]) -> list[Difference]:
    """Told as refused, and yet done there: our lookup codes are given once, so another package of ours did it."""
    kind, theirs = DiscrepancyKind.VERDICT_DIFFERS, Verdict.ACCEPTED
    text = _RECALLED_ALREADY if row.kind == SubmissionKind.RECALL else _HELD_ALREADY
    return [Difference(kind, text, key=one.key, ours=one.verdict, theirs=theirs) for one in verdicts if one.held_there]


def of_something_else(row: Submission, code: str) -> list[Difference]:
    """An answer, known by its code, that belongs to another message or to other bytes."""
    if code == "MESSAGE_CONFLICT":
        return [Difference(DiscrepancyKind.MESSAGE_CONFLICT, _CONFLICT, ours=row.state, theirs=code)]
    if code not in _OF_SOMETHING_ELSE:
        return []
    text = _OF_SOMETHING_ELSE[code] + _NOT_USED
    return [Difference(DiscrepancyKind.FOREIGN_ANSWER, text, ours=row.state, theirs=code)]
