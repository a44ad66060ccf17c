"""One walk over one record: every value into rows, every breach of a single field into findings.

Absolute places only, no search for a tag anywhere below: a second element of the same name in a wrong place is never
read, it is reported. Uses nothing of the XML library but tag, text, tail, iteration, len and sourceline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized

from portal.records.profiles.fields import Leaf
from portal.records.profiles.layout import SIGNATURE, Node

if TYPE_CHECKING:
    from signing.xml import Element

MOST_BREACHES = 300


@dataclass(slots=True)
class Row:
    """One element of a group: its values by tag, its 1-based position."""

    group: str
    position: int
    element: "Element"
    values: dict[str, str] = field(default_factory=dict)
    inner: dict[str, "Element"] = field(default_factory=dict)  # complex tags inside the row, by path: "GVBM/"


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

    def breach(
        self,
        code: str,
        path: str,
        key: str = "",
        value: str = "",
        limit: str = "",
        *,
        row: Row | None,
        element: "Element",
        title: str = "",
    ) -> None:
        # A hostile file can break a check in every tag: enough is enough to refuse it.
        if len(self.breaches) < MOST_BREACHES:
            self.breaches.append(Breach(code, path, key, value, limit, row, line_of(element), title))

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


def _walk(node: Node, element: "Element", row: Row | None, reading: Reading) -> None:  # noqa: PLR0912  the hot loop
    group = node.group
    if group is not None:
        if node.inner and row is not None:
            row.inner[node.inner] = element
        else:
            rows = reading.rows.setdefault(group.key, [])
            row = Row(group.key, len(rows) + 1, element)
            rows.append(row)
    leaves = node.leaves
    values: dict[str, str] = row.values if row is not None else {}
    seen: set[str] | None = None
    _check_text(node, element.text, row, element, reading)
    for child in element:
        tag = child.tag
        tail = child.tail
        if tail is not None and tail != "\n" and not tail.isspace():
            _check_text(node, tail, row, element, reading)
        leaf = leaves.get(tag)
        if leaf is not None:
            text = child.text
            key = leaf.spec.tag
            if key in values or text is None or len(child) or text.isspace():
                _misshapen(leaf, child, row, values, reading)
            elif leaf.is_text:
                values[key] = text = text.strip()
                # The common case without a call: short enough, nothing hidden, composed. Else the field's own check.
                if (
                    len(text) > leaf.short
                    or not text.isprintable()
                    or not (text.isascii() or is_normalized("NFC", text))
                ):
                    _examine(leaf, text, child, row, reading)
            else:
                values[key] = text
                if text not in leaf.known:
                    _examine(leaf, text, child, row, reading)
            continue
        below = node.nodes.get(tag)
        if below is not None:
            if seen is None:
                seen = set()
            if tag in seen and not below.repeats:
                reading.breach("F-GROUP-TWICE", below.path, row=row, element=child, title=_title(below))
            else:
                seen.add(tag)
                _walk(below, child, row, reading)
            continue
        _unknown(node, tag, child, row, reading)


def _examine(leaf: Leaf, text: str, child: "Element", row: Row | None, reading: Reading) -> None:
    problem = leaf.examine(text)
    if problem is not None:
        reading.breach(problem.code, leaf.path, leaf.spec.tag, text, problem.limit, row=row, element=child)


def _misshapen(leaf: Leaf, child: "Element", row: Row | None, values: dict[str, str], reading: Reading) -> None:
    """A field that stands twice, holds elements, or holds nothing."""
    key, code = leaf.spec.tag, "F-EMPTY"
    if key in values:
        code = "F-DUPLICATE"
    elif len(child):
        code = "F-STRUCTURE"
    values.setdefault(key, "")
    text = (child.text or "").strip() if code == "F-DUPLICATE" else ""
    reading.breach(code, leaf.path, key, text, row=row, element=child)


def _title(node: Node) -> str:
    return node.group.title if node.group is not None and not node.inner else node.tag


def _check_text(node: Node, text: str | None, row: Row | None, element: "Element", reading: Reading) -> None:
    if text and not text.isspace():
        path = node.path or node.tag
        reading.breach("F-STRUCTURE", path, "", text.strip(), row=row, element=element, title=_title(node))


def _unknown(node: Node, tag: object, child: "Element", row: Row | None, reading: Reading) -> None:
    if tag == SIGNATURE and node.holds_signature:
        return
    if not isinstance(tag, str):  # a comment or a processing instruction: the gate refuses them before
        reading.breach("F-STRUCTURE", node.path or node.tag, row=row, element=child, title=_title(node))
        return
    code = "F-FOREIGN" if tag.startswith("{") else "F-UNKNOWN-TAG"
    local = tag.rpartition("}")[2][:80]
    reading.breach(code, f"{node.path}/{local}".lstrip("/"), row=row, element=child, title=local)


def line_of(element: "Element") -> int | None:
    line: Any = element.sourceline
    return line if isinstance(line, int) else None
