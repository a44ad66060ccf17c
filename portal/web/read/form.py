"""A record as the official form: the school's bytes read along the profile's own field table, part by part.

Nothing is computed and nothing is filled in: what the file does not say is not on the form. The reading is for people's
eyes only; whether the record counts is the verdict's business, which the page shows beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portal.records.profiles import values
from portal.records.profiles.codes import CodeList
from portal.records.profiles.fields import FieldSpec
from portal.records.profiles.layout import GroupSpec
from signing.xml import Element, children

# A value longer than this gets the whole width of the form.
LONG = 60


@dataclass(frozen=True)
class Cell:
    tag: str
    title: str
    value: str

    @property
    def is_long(self) -> bool:
        return len(self.value) > LONG or "NHAN_XET" in self.tag or "NOI_DUNG" in self.tag


@dataclass(frozen=True)
class Part:
    """One part of the form: a list of values, or a table when it repeats."""

    key: str
    title: str
    is_table: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.rows[0] if self.rows else ()


def read_parts(
    root: Element, *, groups: Iterable[GroupSpec], fields: Sequence[FieldSpec], codes: Mapping[str, CodeList]
) -> list[Part]:
    """The signed parts of a record in the order of the profile; parts the file does not have are left out."""
    parts = [_part(root, group, [f for f in fields if f.group == group.key], codes) for group in groups if group.signed]
    return [part for part in parts if part.rows]


def _part(root: Element, group: GroupSpec, fields: list[FieldSpec], codes: Mapping[str, CodeList]) -> Part:
    rows = [_cells(element, fields, codes) for element in children(root, group.path)]
    if not group.repeated:
        return Part(group.key, group.title, False, (), tuple(tuple(c for c in row if c.value) for row in rows[:1]))
    used = [i for i in range(len(fields)) if any(row[i].value for row in rows)]
    table = tuple(tuple(row[i] for i in used) for row in rows)
    return Part(group.key, group.title, True, tuple(fields[i].title for i in used), table)


def _cells(element: Element, fields: list[FieldSpec], codes: Mapping[str, CodeList]) -> list[Cell]:
    return [Cell(f.tag, f.title, _shown(element, f, codes)) for f in fields]


def _shown(element: Element, spec: FieldSpec, codes: Mapping[str, CodeList]) -> str:
    found = [(node.text or "").strip() for node in children(element, spec.tag)]
    text = "; ".join(value for value in found if value)
    if spec.type == "date":
        moment = values.moment(text)
        return moment.day.strftime("%d/%m/%Y") if moment is not None else text
    listed = codes.get(spec.codes or "")
    if listed is None or not text or spec.tag in {"MA_MON_HOC", "MA_KHOI", "MA_CAP_HOC"}:
        return text
    return listed.title_of(text)
