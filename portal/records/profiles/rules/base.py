"""What every rule of the library is made of: parameters checked at load, a case to look at, hits to report.

A kind of rule is a factory: parameters in, a function from case to hits out. It knows tags only through its parameters,
so the same kind serves every generation of the file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from portal.records.profiles.codes import CodeList
from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.findings import RuleContext, Severity
from portal.records.profiles.reading import Reading, Row


class Ref(NamedTuple):
    """A field of the profile: "summary/DUOC_LEN_LOP", "subjects/GVBM/SO_CCCD"."""

    group: str
    tag: str


@dataclass(slots=True)
class Case:
    """One record as the rules see it."""

    reading: Reading
    context: RuleContext
    titles: Mapping[Ref, str]
    _columns: dict[Ref, list[tuple[Row, str]]] = field(default_factory=dict)

    def rows(self, group: str) -> list[Row]:
        return self.reading.rows.get(group, [])

    def value(self, ref: Ref) -> str | None:
        row = self.reading.first(ref.group)
        return row.values.get(ref.tag) if row is not None else None

    def column(self, ref: Ref) -> list[tuple[Row, str]]:
        """Every row of the field's group that has the field; several rules ask for the same one."""
        found = self._columns.get(ref)
        if found is None:
            tag = ref.tag
            found = [(row, value) for row in self.rows(ref.group) if (value := row.values.get(tag))]
            self._columns[ref] = found
        return found


@dataclass(slots=True)
class Hit:
    """A rule does not hold: for which field, in which row, with what to fill into the sentence."""

    ref: Ref
    value: str = ""
    row: Row | None = None
    facts: dict[str, str] = field(default_factory=dict)


Check = Callable[[Case], Iterable[Hit]]
Factory = Callable[["Params"], Check]


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    factory: Factory
    facts: frozenset[str]  # what its sentences may name besides title, tag, value and place


KINDS: dict[str, Kind] = {}


def kind(name: str, *facts: str) -> Callable[[Factory], Factory]:
    def register(factory: Factory) -> Factory:
        KINDS[name] = Kind(name, factory, frozenset(facts))
        return factory

    return register


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a profile."""

    id: str
    title: str
    code: str
    severity: Severity
    source: str
    message: str
    advice: str
    when: str | None
    resign: tuple[str, ...] | None  # None: worked out from the policy and the field
    check: Check


class Params:
    """The parameters of one rule, each taken once; what is missing, wrong or left over is named."""

    def __init__(
        self, file: str, rule: str, data: Mapping[str, Any], titles: Mapping[Ref, str], codes: Mapping[str, CodeList]
    ) -> None:
        self._file, self._rule = file, rule
        self._data = dict(data)
        self.titles = titles
        self._codes = codes

    def broken(self, key: str, problem: str) -> ProfileBroken:
        return ProfileBroken(self._file, f"{self._rule}.with.{key}", problem)

    def take(self, key: str, default: Any = ...) -> Any:
        if key in self._data:
            return self._data.pop(key)
        if default is ...:
            raise self.broken(key, "thiếu tham số")
        return default

    def to_ref(self, key: str, text: object) -> Ref:
        group, _, tag = str(text).partition("/")
        ref = Ref(group, tag)
        if ref not in self.titles:
            raise self.broken(key, f"trường “{text}” không có trong fields.csv")
        return ref

    def ref(self, key: str) -> Ref:
        return self.to_ref(key, self.take(key))

    def refs(self, key: str) -> tuple[Ref, ...]:
        return tuple(self.to_ref(key, text) for text in self.texts(key))

    def texts(self, key: str, default: Any = ...) -> tuple[str, ...]:
        found = self.take(key, default)
        if not isinstance(found, list | tuple) or not all(isinstance(text, str) for text in found):
            raise self.broken(key, "phải là danh sách chuỗi")
        return tuple(found)

    def text(self, key: str, default: Any = ...) -> str:
        found = self.take(key, default)
        if not isinstance(found, str):
            raise self.broken(key, "phải là chuỗi")
        return found

    def number(self, key: str, default: Any = ...) -> float:
        found = self.take(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.broken(key, "phải là số")
        return float(found)

    def tables(self, key: str) -> tuple[Mapping[str, Any], ...]:
        found = self.take(key)
        if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
            raise self.broken(key, "phải là danh sách bảng")
        return tuple(found)

    def codes(self, key: str) -> CodeList:
        return self.codes_named(self.text(key))

    def codes_named(self, name: str) -> CodeList:
        if name not in self._codes:
            raise self.broken("codes", f"danh mục mã “{name}” không có trong codes.toml")
        return self._codes[name]

    def done(self) -> None:
        for key in self._data:
            raise self.broken(key, "tham số không được dùng (viết sai tên?)")
