"""Where a profile's fields stand: groups, conditions, and the tree of tags that one walk over a record follows.

The tree is built once when the profile is loaded; nothing here reads a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.records.profiles.fields import Leaf

SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One part of the record whose fields belong together: an element, or the rows of a table."""

    key: str
    title: str
    path: str
    required: bool
    repeated: bool
    when: str | None
    label: str | None  # the field that names a row to a reader
    signed: bool  # inside the signed data; the region of signatures is not


@dataclass(frozen=True, slots=True)
class Clause:
    tag: str
    operator: str
    operand: tuple[str, ...]

    def holds(self, value: str | None) -> bool:
        match self.operator:
            case "other_than":
                return value not in self.operand
            case "at_most":
                return value is not None and value <= self.operand[0]
            case "at_least":
                return value is not None and value >= self.operand[0]
        return value in self.operand


@dataclass(frozen=True, slots=True)
class Condition:
    """A named state of the record, read from its general fields. All clauses must hold."""

    key: str
    title: str
    clauses: tuple[Clause, ...]

    def holds(self, general: Mapping[str, str]) -> bool:
        return all(clause.holds(general.get(clause.tag)) for clause in self.clauses)


OPERATORS = ("equals", "one_of", "other_than", "at_most", "at_least")


def clause(data: Mapping[str, Any]) -> Clause:
    """`{ tag = "…", at_most = "…" }`; raises ValueError with the reason."""
    operators = [name for name in OPERATORS if name in data]
    if len(operators) != 1 or not isinstance(data.get("tag"), str) or len(data) != 2:
        raise ValueError(f"cần đúng hai khóa: tag và một trong {', '.join(OPERATORS)}")
    operand = data[operators[0]]
    return Clause(data["tag"], operators[0], tuple(operand) if isinstance(operand, list) else (str(operand),))


@dataclass(slots=True)
class Node:
    """A complex tag: its fields and its complex children."""

    tag: str
    path: str
    group: GroupSpec | None = None
    inner: str = ""  # path inside the group: "GVBM/" for a complex tag of a row
    leaves: dict[str, Leaf] = field(default_factory=dict)
    nodes: dict[str, "Node"] = field(default_factory=dict)
    holds_signature: bool = False

    @property
    def repeats(self) -> bool:
        return self.group is not None and self.group.repeated and not self.inner


def grow(root: Node, path: str) -> Node:
    """The node at `path` below `root`, made with everything above it."""
    node = root
    for tag in path.split("/"):
        if tag not in node.nodes:
            node.nodes[tag] = Node(tag=tag, path=f"{node.path}/{tag}" if node.path else tag)
        node = node.nodes[tag]
    return node


def build(root_tag: str, groups: Sequence[GroupSpec], leaves: Sequence[Leaf], signature_places: Sequence[str]) -> Node:
    root = Node(tag=root_tag, path="")
    by_key = {group.key: group for group in groups}
    for group in groups:
        grow(root, group.path).group = group
    for leaf in leaves:
        group = by_key[leaf.spec.group]
        node = grow(root, group.path)
        *inner, tag = leaf.spec.tag.split("/")
        if inner:
            node = grow(node, "/".join(inner))
            node.group, node.inner = group, "/".join(inner) + "/"
        node.leaves[tag] = leaf
    for place in signature_places:
        grow(root, place.rpartition("/")[0]).holds_signature = True
    return root
