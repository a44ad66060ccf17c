"""What a rule has to say, and what it must be told: Finding, Severity, RuleContext.

Frozen values only. A finding names the field, the value found, the rule, and what to do; it is stored and shown,
never logged (it holds a child's data).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

VALUE_SHOWN = 80


class Severity(StrEnum):
    ERROR = "ERROR"  # the record is refused
    WARNING = "WARNING"  # the record is accepted and the school is told


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule has to say about one field of a record."""

    code: str  # stable, e.g. F-REQUIRED
    severity: Severity
    field: str  # path of tags from the root's children
    field_title: str  # its Vietnamese name
    value: str  # as found, cut to 80 characters; empty when absent
    rule: str  # id of the rule and the text it comes from
    message: str  # Vietnamese: what is wrong, where, why
    advice: str  # Vietnamese: what to do
    resign: tuple[str, ...] = ()  # roles that must sign again if the field is corrected
    position: int | None = None  # 1-based number of the row in a repeated group
    line: int | None = None  # line in the record, as the parser counted it

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.value, "resign": list(self.resign)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**{**known, "severity": Severity(data["severity"]), "resign": tuple(data.get("resign", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """What the portal knows and the file must agree with. None: deliberately not asked (an auditor reads a file)."""

    today: date
    school_code: str | None
    department_code: str | None
    years: frozenset[str] | None  # accepted school years, "2024-2025"
    levels: frozenset[str] | None = None  # levels the school teaches, "02"
    other_school_codes: frozenset[str] = frozenset()  # old and new codes of the same school live side by side
