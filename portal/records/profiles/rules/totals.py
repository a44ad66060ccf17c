"""Rules on totals: does what the school concluded follow from the marks?

Thresholds come from the profile. A total is judged only when everything it rests on could be read; what could not be
read has been reported as an error by then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.records.profiles import values
from portal.records.profiles.reading import Row
from portal.records.profiles.rules.base import Case, Check, Hit, Params, Ref, kind


@dataclass(frozen=True, slots=True)
class _Overall:
    """One level of the primary total: which achievements, which qualities, tests from."""

    code: str
    achievements: frozenset[str]
    qualities: frozenset[str]
    test: float


@kind("overall_by_levels", "expected")
def overall_by_levels(params: Params) -> Check:
    """Circular 27, Điều 9: the total of the year follows from subjects, qualities and year-end tests."""
    ref, achieved, test = params.ref("field"), params.ref("achievement"), params.ref("test")
    overall, achievements = params.codes("codes"), params.codes("achievement_codes")
    qualities, quality_group = params.codes("quality_codes"), params.refs("qualities")
    exempt, otherwise = params.text("exempt"), params.text("otherwise")
    levels = [_overall(params, entry) for entry in params.tables("levels")]

    def check(case: Case) -> Iterator[Hit]:
        said = overall.meaning(case.value(ref))
        found = {achievements.meaning(value) for _, value in case.column(achieved)} - {exempt}
        marks = [values.number(value) for _, value in case.column(test) if achievements.meaning(value) != exempt]
        shown = {qualities.meaning(value) for quality in quality_group if (value := case.value(quality))}
        numbers = [mark for mark in marks if mark is not None]
        if said is None or not found or None in found | shown or len(numbers) < len(marks):
            return
        lowest = min(numbers, default=10.0)
        expected = next(
            (x.code for x in levels if found <= x.achievements and shown <= x.qualities and lowest >= x.test), otherwise
        )
        if said != expected:
            facts = {"expected": overall.title_of(expected)}
            yield Hit(ref, case.value(ref) or "", case.reading.first(ref.group), facts)

    return check


def _overall(params: Params, entry: Mapping[str, Any]) -> _Overall:
    try:
        achievements, qualities = frozenset(entry["achievements"]), frozenset(entry["qualities"])
        return _Overall(str(entry["code"]), achievements, qualities, float(entry["test"]))
    except (KeyError, TypeError, ValueError) as error:
        raise params.broken("levels", f"mỗi mức cần code, achievements, qualities, test ({error})") from error


@dataclass(frozen=True, slots=True)
class _Learning:
    """One level of the learning result: failed comment subjects allowed, floor of all marks, so many marks from."""

    code: str
    failed: int
    floor: float
    count: int
    mark: float

    def reached(self, marks: Sequence[float], failed: int) -> bool:
        enough = sum(mark >= self.mark for mark in marks) >= self.count
        return failed <= self.failed and min(marks) >= self.floor and enough


@kind("learning_result", "expected")
def learning_result(params: Params) -> Check:
    """Circular 22, Điều 9: the learning result of a term or a year follows from the marks of its subjects."""
    ref, mark_ref, code_ref = params.ref("field"), params.ref("mark"), params.ref("code")
    codes, letters, subjects = params.codes("codes"), params.codes("letter_codes"), params.codes("subject_codes")
    by_comment = subjects.with_fact(params.text("fact"))
    failing, exempt, otherwise = params.text("failing"), params.text("exempt"), params.text("otherwise")
    levels = [_learning(params, entry) for entry in params.tables("levels")]
    adjusted = int(params.number("adjusted_from"))

    def check(case: Case) -> Iterator[Hit]:
        said = codes.meaning(case.value(ref))
        marks: list[float] = []
        failed = 0
        for row, value in case.column(mark_ref):
            letter = letters.meaning(value)
            if letter == exempt:
                continue
            if row.values.get(code_ref.tag) in by_comment:
                failed += letter == failing
                continue
            mark = values.number(value)
            if mark is None:
                return
            marks.append(mark)
        if said is None or not marks:
            return
        allowed = _possible(levels, otherwise, marks, failed, adjusted)
        if said not in allowed:
            facts = {"expected": " hoặc ".join(codes.title_of(code) for code in allowed)}
            yield Hit(ref, case.value(ref) or "", case.reading.first(ref.group), facts)

    return check


def _learning(params: Params, entry: Mapping[str, Any]) -> _Learning:
    try:
        return _Learning(
            str(entry["code"]), int(entry["failed"]), float(entry["floor"]), int(entry["count"]), float(entry["mark"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise params.broken("levels", f"mỗi mức cần code, failed, floor, count, mark ({error})") from error


def _rank(levels: Sequence[_Learning], marks: Sequence[float], failed: int) -> int:
    return next((rank for rank, level in enumerate(levels) if level.reached(marks, failed)), len(levels))


def _possible(
    levels: Sequence[_Learning], otherwise: str, marks: list[float], failed: int, adjusted: int
) -> tuple[str, ...]:
    """The level reached; and the one above it where a single subject alone pulled it down by two levels or more.

    Circular 22, Điều 9 khoản 3. Both are taken as right: the file does not say whether the school adjusted.
    """
    names = [*(level.code for level in levels), otherwise]
    rank = _rank(levels, marks, failed)
    if rank < 2 or not adjusted:
        return (names[rank],)
    best = _rank(levels, marks, failed - 1) if failed else rank
    lowest = marks.index(min(marks))
    best = min(best, _rank(levels, [*marks[:lowest], 10.0, *marks[lowest + 1 :]], failed))
    return (names[rank], names[rank - 1]) if best < adjusted and rank - best >= 2 else (names[rank],)


@kind("weighted_mean", "expected")
def weighted_mean(params: Params) -> Check:
    """Circular 22, Điều 9: the year's mark is the weighted mean of the terms, rounded to one decimal."""
    ref, parts = params.ref("field"), params.refs("parts")
    weights = [float(weight) for weight in params.take("weights")]
    tolerance = params.number("tolerance")
    if len(weights) != len(parts):
        raise params.broken("weights", "phải có số phần tử bằng parts")
    weighted, whole = [(part.tag, weight) for part, weight in zip(parts, weights, strict=True)], sum(weights)

    def check(case: Case) -> Iterator[Hit]:
        for row, value in case.column(ref):
            mark = values.number(value)
            mean = _mean(row, weighted, whole) if mark is not None else None
            if mark is None or mean is None:
                continue
            if abs(mean - mark) > tolerance + 1e-9:
                yield Hit(ref, value, row, {"expected": f"{mean:.2f}"})

    return check


def _mean(row: Row, weighted: Sequence[tuple[str, float]], whole: float) -> float | None:
    """None where a part is absent or no number."""
    total = 0.0
    for tag, weight in weighted:
        term = values.number(row.values.get(tag, ""))
        if term is None:
            return None
        total += weight * term
    return total / whole


@kind("same_letter", "expected")
def same_letter(params: Params) -> Check:
    """In subjects assessed by comment the year's result is that of another field of the row (term 2)."""
    ref, other, letters = params.ref("field"), params.ref("other"), params.codes("letter_codes")

    def check(case: Case) -> Iterator[Hit]:
        for row, value in case.column(ref):
            said, expected = letters.meaning(value), letters.meaning(row.values.get(other.tag))
            if said and expected and said != expected:
                yield Hit(ref, value, row, {"expected": letters.title_of(expected)})

    return check


@kind("looked_up", "expected")
def looked_up(params: Params) -> Check:
    """A value follows from others by a table; each line of it: the causes, then the value."""
    ref, by, codes = params.ref("field"), params.refs("by"), params.codes("codes")
    lines = params.take("table")
    table = {tuple(line[:-1]): line[-1] for line in lines}
    if any(len(line) != len(by) + 1 or not set(line) <= codes.codes.keys() for line in lines):
        raise params.broken("table", "mỗi dòng cần đủ giá trị, đều là mã trong danh mục")

    def check(case: Case) -> Iterator[Hit]:
        said = codes.meaning(case.value(ref))
        causes = tuple(codes.meaning(case.value(cause)) for cause in by)
        expected = table.get(causes)
        if said and expected and said != expected:
            facts = {"expected": codes.title_of(expected)}
            yield Hit(ref, case.value(ref) or "", case.reading.first(ref.group), facts)

    return check


@kind("flag_follows", "expected", "because")
def flag_follows(params: Params) -> Check:
    """A yes/no field is yes exactly when all conditions hold; a later result stands instead of the earlier one."""
    ref, yes, no = params.ref("field"), params.text("yes"), params.text("no")
    codes = params.codes("codes")
    clauses = [_flag_clause(params, entry) for entry in params.tables("all")]

    def check(case: Case) -> Iterator[Hit]:
        said = case.value(ref)
        if said not in {yes, no}:
            return
        reasons = []
        for source, instead, allowed, most in clauses:
            value = (case.value(instead) if instead else None) or case.value(source)
            if value is None:
                continue  # optional and absent, or reported as missing
            meant = codes.meaning(value) if most is None else values.number(value)
            if meant is None:
                return  # not such a value: its own check has said so
            if meant not in allowed if most is None else float(meant) > most:
                reasons.append(f"{params.titles[source]} là “{value}”")
        expected = no if reasons else yes
        if said != expected:
            facts = {"expected": expected, "because": "; ".join(reasons) or "các điều kiện đều đạt"}
            yield Hit(ref, said, case.reading.first(ref.group), facts)

    return check


_FlagClause = tuple[Ref, Ref | None, frozenset[str], float | None]


def _flag_clause(params: Params, entry: Mapping[str, Any]) -> _FlagClause:
    if "field" not in entry or ("in" in entry) == ("at_most" in entry):
        raise params.broken("all", "mỗi điều kiện cần field và một trong in, at_most")
    instead = params.to_ref("all.instead", entry["instead"]) if "instead" in entry else None
    most = float(entry["at_most"]) if "at_most" in entry else None
    return params.to_ref("all.field", entry["field"]), instead, frozenset(entry.get("in", ())), most


@kind("title_follows", "expected")
def title_follows(params: Params) -> Check:
    """Circular 22, Điều 15: a title, where one is given, is the one the results deserve."""
    ref, titles, codes = params.ref("field"), params.codes("title_codes"), params.codes("codes")
    results, wanted, mark_ref = params.refs("results"), params.text("result"), params.ref("mark")
    levels = [(str(x["code"]), int(x["count"]), float(x["mark"])) for x in params.tables("levels")]

    def check(case: Case) -> Iterator[Hit]:
        said = titles.meaning(case.value(ref))
        found = [codes.meaning(case.value(result)) for result in results]
        if said is None or None in found:
            return
        marks = [mark for _, value in case.column(mark_ref) if (mark := values.number(value)) is not None]
        deserved = None
        if all(result == wanted for result in found):
            deserved = next((code for code, count, mark in levels if sum(m >= mark for m in marks) >= count), None)
        if said != deserved:
            expected = titles.title_of(deserved) if deserved else "không có danh hiệu"
            yield Hit(ref, case.value(ref) or "", case.reading.first(ref.group), {"expected": expected})

    return check
