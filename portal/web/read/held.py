"""A held record as an officer reads it: why it is held, in the words of both engines, and who approved it so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.records import disputes
from portal.records.models import HeldApproval, Record

# `rule` of the finding: "fast: CODE; second: CODE", as admission.second_look writes it.
_ENGINES = "ENGINES_DISAGREE"


@dataclass(frozen=True)
class Said:
    """What one engine said."""

    engine: str
    code: str


@dataclass(frozen=True)
class HeldLine:
    record: Record
    code: str
    message: str
    said: tuple[Said, ...]
    others: tuple[str, ...]  # codes of what else was found
    approval: HeldApproval | None
    is_unchecked: bool  # nobody can let it through unchecked


def held_lines(records: Iterable[Record]) -> list[HeldLine]:
    return [_line(record) for record in records]


def _line(record: Record) -> HeldLine:
    disagreement = next((one for one in record.findings if one["code"] == _ENGINES), None)
    cause = disagreement or (record.findings[0] if record.findings else {})
    return HeldLine(
        record=record,
        code=cause.get("code", ""),
        message=cause.get("message", ""),
        said=tuple(_said(disagreement["rule"])) if disagreement else (),
        others=tuple(sorted({one["code"] for one in record.findings} - {cause.get("code", "")})),
        approval=getattr(record, "held_approval", None),
        is_unchecked=disputes.is_unchecked(record),
    )


def _said(rule: str) -> Iterable[Said]:
    for part in rule.split("; "):
        engine, _, code = part.partition(": ")
        yield Said(engine, code)
