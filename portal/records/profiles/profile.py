"""One generation of the file: examine a record against it, and read a record's data by it.

`examine` tells everything at once, errors and warnings. Whatever crashes on the way is a finding that refuses the
record: a check that did not run never counts as passed.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from functools import cached_property
from traceback import extract_tb
from typing import TYPE_CHECKING

from portal.records.profiles.codes import CodeList
from portal.records.profiles.fields import FieldSpec, Leaf
from portal.records.profiles.findings import VALUE_SHOWN, Finding, RuleContext, Severity
from portal.records.profiles.layout import Condition, GroupSpec, Node
from portal.records.profiles.reading import Breach, Reading, Row, line_of, read
from portal.records.profiles.rules import Case, Hit, Ref, Rule
from signing.policy import SignaturePolicy

if TYPE_CHECKING:
    from signing.xml import Element

logger = logging.getLogger(__name__)

# A hostile file can break a rule in every tag; past this many findings nobody reads on.
MOST_FINDINGS = 300


@dataclass(frozen=True, slots=True)
class CheckText:
    """Sentence and severity of a check of single fields (texts.toml)."""

    code: str
    title: str
    severity: Severity
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class Serves:
    levels: frozenset[str]
    versions: frozenset[str]
    circulars: frozenset[str]


@dataclass(frozen=True)
class Profile:
    """A loaded profile folder. Immutable; safe to share between threads."""

    name: str
    title: str
    serves: Serves
    root_tag: str
    data_path: str
    signatures_path: str
    identity: Mapping[str, str]
    groups: Mapping[str, GroupSpec]
    fields: tuple[FieldSpec, ...]
    codes: Mapping[str, CodeList]
    conditions: Mapping[str, Condition]
    rules: tuple[Rule, ...]
    texts: Mapping[str, CheckText]
    policy: SignaturePolicy
    leaves: Mapping[Ref, Leaf] = data_field(repr=False)
    tree: Node = data_field(repr=False)

    @property
    def paths(self) -> Mapping[str, str]:
        """Where the groups stand, by key."""
        return {key: group.path for key, group in self.groups.items()}

    @cached_property
    def titles(self) -> Mapping[Ref, str]:
        return {ref: leaf.spec.title for ref, leaf in self.leaves.items()}

    @cached_property
    def _required(self) -> dict[str, list[tuple[str | None, frozenset[str]]]]:
        """By group: the tags required always (None) and under each condition."""
        wanted: dict[str, dict[str | None, set[str]]] = {key: {} for key in self.groups}
        for spec in self.fields:
            if spec.required:
                wanted[spec.group].setdefault(spec.when, set()).add(spec.tag)
        return {key: [(when, frozenset(tags)) for when, tags in sets.items()] for key, sets in wanted.items()}

    def field(self, group: str, tag: str) -> FieldSpec:
        return self.leaves[Ref(group, tag)].spec

    def resign_for(self, path: str) -> tuple[str, ...]:
        """Roles whose signature covers the element at `path` (from the root's children)."""
        return covering_roles(self.policy, path)

    def examine(self, root: "Element", context: RuleContext) -> list[Finding]:
        """Every finding on one record (its root element), errors first."""
        try:
            reading = read(self.tree, root)
            held = self._conditions(reading)
            findings = list(self._field_findings(reading, held))
        except Exception as error:
            _log_crash(self.name, "FIELDS", error)
            return [self._crashed("FIELDS", self.root_tag)]
        case = Case(reading, context, self.titles)
        for rule in self.rules:
            if rule.when is None or held[rule.when]:
                findings.extend(self._run(rule, case))
        if len(findings) > 1:
            findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
        return findings[:MOST_FINDINGS]

    def read(self, signed: "Element") -> Reading:
        """The values of the signed data element alone; raises ValueError when it is not the element of this profile."""
        tag = self.data_path.rpartition("/")[2]
        if signed.tag != tag:
            raise ValueError(f"expected {tag}")
        node = self.tree
        for part in self.data_path.split("/"):
            node = node.nodes[part]
        return read(node, signed)

    def _conditions(self, reading: Reading) -> dict[str, bool]:
        general = reading.values("general")
        meant = {tag: self._meaning(tag, general[tag]) for tag in self._asked if tag in general}
        return {key: condition.holds(meant) for key, condition in self.conditions.items()}

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(clause.tag for condition in self.conditions.values() for clause in condition.clauses)

    def _meaning(self, tag: str, value: str) -> str:
        codes = self.field("general", tag).codes
        return value if codes is None else self.codes[codes].meaning(value) or value

    def _field_findings(self, reading: Reading, held: Mapping[str, bool]) -> Iterator[Finding]:
        for breach in reading.breaches:
            yield self._worded(breach)
        for key, group in self.groups.items():
            rows = reading.rows.get(key)
            if not rows:
                if group.required and (group.when is None or held[group.when]):
                    limit = f" khi {self.conditions[group.when].title}" if group.when else ""
                    yield self._worded(Breach("F-GROUP-MISSING", group.path, "", limit=limit, title=group.title))
                continue
            for when, tags in self._required[key]:
                if when is not None and not held[when]:
                    continue
                for row in rows:
                    if not tags <= row.values.keys():
                        yield from self._missing(group, row, tags, when)

    def _missing(self, group: GroupSpec, row: Row, tags: frozenset[str], when: str | None) -> Iterator[Finding]:
        limit = f" (khi {self.conditions[when].title})" if when else ""
        for spec in self.fields:
            if spec.group == group.key and spec.tag in tags and spec.tag not in row.values:
                path = f"{group.path}/{spec.tag}"
                yield self._worded(Breach("F-REQUIRED", path, spec.tag, "", limit, row, line_of(row.element)))

    def _worded(self, breach: Breach) -> Finding:
        text = self.texts[breach.code]
        leaf = self.leaves.get(Ref(breach.row.group, breach.key)) if breach.row is not None else None
        title = breach.title or (leaf.spec.title if leaf is not None else breach.key)
        value = breach.value[:VALUE_SHOWN]
        words = {
            "title": title,
            "tag": breach.path.rpartition("/")[2],
            "value": value,
            "limit": breach.limit,
            "place": self.place(breach.row),
        }
        return Finding(
            code=text.code,
            severity=text.severity,
            field=breach.path,
            field_title=title,
            value=value,
            rule=f"{text.code}: {text.title}",
            message=text.message.format_map(words),
            advice=text.advice.format_map(words),
            resign=leaf.resign if leaf is not None else self.resign_for(breach.path),
            position=self._position(breach.row),
            line=breach.line,
        )

    def place(self, row: Row | None) -> str:
        """Where in a table, for a sentence: row, name of the row, part; empty outside tables."""
        if row is None or not self.groups[row.group].repeated:
            return ""
        group = self.groups[row.group]
        label = row.values.get(group.label, "")[:VALUE_SHOWN] if group.label else ""
        return f" ở dòng {row.position}{f' ({label})' if label else ''}, phần {group.title}"

    def _position(self, row: Row | None) -> int | None:
        return row.position if row is not None and self.groups[row.group].repeated else None

    def _run(self, rule: Rule, case: Case) -> list[Finding]:
        try:
            return [self._told(rule, hit) for hit in rule.check(case)]
        except Exception as error:
            _log_crash(self.name, rule.id, error)
            return [self._crashed(rule.id, rule.title)]

    def _told(self, rule: Rule, hit: Hit) -> Finding:
        leaf = self.leaves[hit.ref]
        value = hit.value[:VALUE_SHOWN]
        facts = {key: fact[:VALUE_SHOWN] for key, fact in hit.facts.items()}
        words = {**facts, "title": leaf.spec.title, "tag": leaf.spec.tag, "value": value, "place": self.place(hit.row)}
        return Finding(
            code=rule.code,
            severity=rule.severity,
            field=leaf.path,
            field_title=leaf.spec.title,
            value=value,
            rule=f"{rule.id}: {rule.source}",
            message=rule.message.format_map(words),
            advice=rule.advice.format_map(words),
            resign=leaf.resign if rule.resign is None else rule.resign,
            position=self._position(hit.row),
            line=self._line(hit),
        )

    def _line(self, hit: Hit) -> int | None:
        if hit.row is None:
            return None
        found = hit.row.element.find(hit.ref.tag)
        return line_of(found if found is not None else hit.row.element)

    def _crashed(self, rule: str, title: str) -> Finding:
        text = self.texts["RULE_CRASHED"]
        words = {"title": title, "tag": rule, "value": "", "limit": "", "place": ""}
        return Finding(
            code=text.code,
            severity=Severity.ERROR,
            field="",
            field_title=title,
            value="",
            rule=rule,
            message=text.message.format_map(words),
            advice=text.advice.format_map(words),
        )


def _log_crash(profile: str, rule: str, error: Exception) -> None:
    """Kind and place of the crash; never its message, which may quote a child's data."""
    frames = extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    logger.error("rule %s of profile %s crashed: %s at %s", rule, profile, type(error).__name__, place)


def covering_roles(policy: SignaturePolicy, path: str) -> tuple[str, ...]:
    """Roles of the slots whose covered element is the one at `path`, or stands above it."""
    covering = (slot for slot in policy.slots if slot.covers in {".", path} or path.startswith(f"{slot.covers}/"))
    return tuple(slot.role for slot in covering)
