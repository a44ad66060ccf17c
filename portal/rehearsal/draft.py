"""A record before it is signed: its fields by group and the signers to come. Faults are planted here or after.

Rendering writes canonical XML (see `signer`), so the text that is hashed is the text that stands in the file.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from portal.rehearsal.identity import Identity
from portal.rehearsal.province import School
from portal.rehearsal.pupils import Pupil
from portal.rehearsal.signer import escape
from portal.rehearsal.spelling import Spelling

Fields = dict[str, str]


@dataclass
class Slot:
    """One signature to be made: who, when, over which id; `pair_id` ties a subject teacher to a row."""

    role: str
    identity: Identity
    cccd: str | None
    at: datetime
    target: str
    pair_id: str | None = None
    digest: str | None = None
    cover_time: bool = True


@dataclass
class Row:
    """One subject; `teacher` stands in the row itself in the second layout."""

    fields: Fields
    id: str | None = None
    pair_id: str | None = None
    teacher: Fields = field(default_factory=dict)


@dataclass
class Draft:
    """Everything that will be in one `HOC_BA`."""

    school: School
    pupil: Pupil
    number: int
    lookup_uuid: uuid.UUID
    spelling: Spelling
    pretty: bool
    windows_lines: bool
    general: Fields
    history: list[Fields]
    rows: list[Row]
    qualities: Fields
    summary: Fields
    slots: list[Slot] = field(default_factory=list)
    data_id: str = "data"
    extra: str = ""  # canonical XML put at the end of THONG_TIN_CHUNG, as software with a bug would

    @property
    def is_secondary(self) -> bool:
        return any(row.id for row in self.rows) or self.school.level != "02"


class Writer:
    """Writes elements in canonical form, indented or not; white space between elements is content like any other."""

    def __init__(self, *, pretty: bool) -> None:
        self._pretty = pretty

    def block(self, name: str, children: list[str], attributes: str = "") -> str:
        if not self._pretty:
            return f"<{name}{attributes}>{''.join(children)}</{name}>"
        return f"<{name}{attributes}>\n" + "\n".join(children) + f"\n</{name}>"

    def fields(self, fields: Fields) -> list[str]:
        """A null is an absent tag: fields without a value are left out."""
        return [f"<{tag}>{escape(value)}</{tag}>" for tag, value in fields.items() if value]
