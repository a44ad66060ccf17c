"""One walk over one record: every value into rows, every breach of a single field into findings.

Absolute places only, no search for a tag anywhere below: a second element of the same name in a wrong place is never
read, it is reported. Uses nothing of the XML library but tag, text, tail, iteration, len and sourceline.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from portal.records.profiles.layout import SIGNATURE, Node

if TYPE_CHECKING:
    from signing.xml import Element

# Reports a breach: code, node or row it is in, path, key of the field, value, limit, element.
Report = Callable[["Breach"], None]


@dataclass(slots=True)
class Row:
    """One element of a group: its values by tag, its 1-based position."""

    group: str
    position: int
    element: "Element"
    values: dict[str, str] = field(default_factory=dict)
    label: str = ""

    def get(self, key: str) -> str | None:
        return self.values.get(key)


@dataclass(slots=True)
class Breach:
    """What the walk found wrong, before it is put into words."""

    code: str
    path: str
    key: str  # tag of the field inside its group
    value: str = ""
    limit: str = ""
    row: Row | None = None
    line: int | None = None
    title: str = ""


@dataclass(slots=True)
class Reading:
    """Everything the walk read."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)

    def first(self, group: str) -> Row | None:
        rows = self.rows.get(group)
        return rows[0] if rows else None

    def values(self, group: str) -> Mapping[str, str]:
        row = self.first(group)
        return row.values if row is not None else {}


def read(node: Node, element: "Element") -> Reading:
    reading = Reading()
    _walk(node, element, None, reading)
    return reading


def _walk(node: Node, element: "Element", row: Row | None, reading: Reading) -> None:
    group = node.group
    if group is not None and not node.inner:
        rows = reading.rows.setdefault(group.key, [])
        row = Row(group.key, len(rows) + 1, element)
        rows.append(row)
    leaves, keys = node.leaves, node.keys
    values: dict[str, str] = row.values if row is not None else {}
    seen: set[str] | None = None
    _check_text(node, element.text, row, element, reading)
    for child in element:
        tag = child.tag
        tail = child.tail
        if tail is not None and not tail.isspace():
            _check_text(node, tail, row, element, reading)
        leaf = leaves.get(tag)
        if leaf is not None:
            text = child.text
            key = keys[tag]
            if key in values:
                _breach(reading, "F-DUPLICATE", leaf.path, key, text, row, child)
            elif len(child):
                _breach(reading, "F-STRUCTURE", leaf.path, key, "", row, child)
                values[key] = ""
            elif text is None or text.isspace():
                _breach(reading, "F-EMPTY", leaf.path, key, "", row, child)
                values[key] = ""
            else:
                if leaf.spec.type == "text":
                    text = text.strip()
                values[key] = text
                if text not in leaf.known:
                    problem = leaf.examine(text)
                    if problem is not None:
                        _breach(reading, problem.code, leaf.path, key, text, row, child, problem.limit)
            continue
        below = node.nodes.get(tag)
        if below is not None:
            if seen is None:
                seen = set()
            if tag in seen and not below.repeats:
                _breach(reading, "F-GROUP-TWICE", below.path, "", "", row, child, title=_title(below))
            else:
                seen.add(tag)
                _walk(below, child, row, reading)
            continue
        _unknown(node, tag, child, row, reading)


def _title(node: Node) -> str:
    return node.group.title if node.group is not None and not node.inner else node.tag


def _check_text(node: Node, text: str | None, row: Row | None, element: "Element", reading: Reading) -> None:
    if text is not None and not text.isspace() and text:
        _breach(reading, "F-STRUCTURE", node.path or node.tag, "", text, row, element, title=_title(node))


def _unknown(node: Node, tag: object, child: "Element", row: Row | None, reading: Reading) -> None:
    if tag == SIGNATURE and node.holds_signature:
        return
    if not isinstance(tag, str):  # a comment or a processing instruction: the gate refuses them before
        _breach(reading, "F-STRUCTURE", node.path, "", "", row, child, title=_title(node))
        return
    code = "F-FOREIGN" if tag.startswith("{") else "F-UNKNOWN-TAG"
    local = tag.rpartition("}")[2][:80]
    _breach(reading, code, f"{node.path}/{local}".lstrip("/"), local, "", row, child, title=local)


def _breach(
    reading: Reading,
    code: str,
    path: str,
    key: str,
    value: str | None,
    row: Row | None,
    element: "Element",
    limit: str = "",
    title: str = "",
) -> None:
    reading.breaches.append(Breach(code, path, key, value or "", limit, row, element.sourceline, title))
