"""How the steps of a verification end: a refusal with its rule, or a line in the log of steps.

`Refusal` never leaves this package; `verify` turns it into values. The numbers are those of the package's docstring.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from signing.report import Step, StepStatus, SubIndication

STEP_NAMES: Final = {
    1: "parse",
    2: "isolate",
    3: "ids",
    4: "places",
    5: "references",
    6: "digest_and_value",
    7: "signing_time",
    8: "signer",
    9: "chain_and_revocation",
    10: "order",
    11: "signed_content",
}


class Refusal(Exception):
    """One rule is broken. `sub` is the reason in the standard's words, `code` is ours and stable."""

    def __init__(self, sub: SubIndication, code: str, message: str) -> None:
        super().__init__(code)
        self.sub = sub
        self.code = code
        self.message = message


def malformed(code: str, message: str) -> Refusal:
    """The document or the signature is not built as it must be."""
    return Refusal(SubIndication.FORMAT_FAILURE, code, message)


@lru_cache(maxsize=2048)
def _passed(number: int, detail: str) -> Step:
    return Step(number, STEP_NAMES[number], StepStatus.PASSED, "OK", detail)


@lru_cache(maxsize=512)
def _not_run(number: int, code: str, detail: str) -> Step:
    return Step(number, STEP_NAMES[number], StepStatus.NOT_RUN, code, detail)


@dataclass(slots=True)
class StepLog:
    """Steps in the order in which they ran."""

    steps: list[Step] = field(default_factory=list)

    def passed(self, number: int, detail: str = "") -> None:
        self.steps.append(_passed(number, detail))

    def refused(self, number: int, refusal: Refusal) -> None:
        waiting = refusal.sub is SubIndication.TRY_LATER
        status = StepStatus.INDETERMINATE if waiting else StepStatus.FAILED
        self.steps.append(Step(number, STEP_NAMES[number], status, refusal.code, refusal.message))

    def not_run(self, number: int, code: str = "NOT_RUN", detail: str = "") -> None:
        self.steps.append(_not_run(number, code, detail))

    def fill(self, numbers: range) -> None:
        """Say of every step that is missing that it did not run."""
        seen = {step.number for step in self.steps}
        for number in numbers:
            if number not in seen:
                self.not_run(number)
        self.steps.sort(key=lambda step: step.number)

    def frozen(self) -> tuple[Step, ...]:
        return tuple(self.steps)
