"""Rules on values that must agree: with the portal, with each other, with the pupil's number."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from portal.records.profiles import values
from portal.records.profiles.rules.base import Case, Check, Hit, Params, Ref, kind

if TYPE_CHECKING:
    from signing.xml import Element

SOURCES = ("school_code", "department_code", "years", "levels")


@kind("from_context", "expected")
def from_context(params: Params) -> Check:
    """The file must name the school, department, year, level that the portal expects."""
    ref, source = params.ref("field"), params.text("against")
    if source not in SOURCES:
        raise params.broken("against", f"phải là một trong {', '.join(SOURCES)}")

    def check(case: Case) -> Iterator[Hit]:
        value, expected = case.value(ref), _expected(case, source)
        if value and expected is not None and value not in expected:
            yield Hit(ref, value, case.reading.first(ref.group), {"expected": ", ".join(sorted(expected))})

    return check


def _expected(case: Case, source: str) -> frozenset[str] | None:
    context = case.context
    match source:
        case "school_code":
            return None if context.school_code is None else context.other_school_codes | {context.school_code}
        case "department_code":
            return None if context.department_code is None else frozenset({context.department_code})
        case "years":
            return context.years
    return context.levels


@kind("same_value", "other", "other_title")
def same_value(params: Params) -> Check:
    """Two fields must say the same; `prefix = true` compares only as far as the shorter one goes."""
    ref, other, prefix = params.ref("field"), params.ref("other"), bool(params.take("prefix", False))

    def check(case: Case) -> Iterator[Hit]:
        value, second = case.value(ref), case.value(other)
        if not value or not second or value == second or (prefix and second.startswith(value)):
            return
        yield Hit(ref, value, case.reading.first(ref.group), {"other": second, "other_title": params.titles[other]})

    return check


@kind("paired_value", "other", "other_title")
def paired_value(params: Params) -> Check:
    """A row names a person; the entry of the other group with the same Id must name the same one."""
    ref, other = params.ref("field"), params.ref("other")
    inner, attributes = params.text("pair") + "/", params.texts("attributes", ["Id", "id"])

    def identifier(element: "Element | None") -> str | None:
        if element is not None:
            for name in attributes:
                if found := element.get(name):
                    return found
        return None

    def check(case: Case) -> Iterator[Hit]:
        claimed = {identifier(row.element): row.values.get(other.tag) for row in case.rows(other.group)}
        for row, value in case.column(ref):
            second = claimed.get(identifier(row.inner.get(inner)))
            if second and second != value:
                yield Hit(ref, value, row, {"other": second, "other_title": params.titles[other]})

    return check


@kind("cccd_sex", "expected")
def cccd_sex(params: Params) -> Check:
    """The fourth digit of the number says sex and century: even for men, odd for women."""
    ref, sex, male = params.ref("field"), params.ref("sex"), params.text("male")
    female, codes = params.text("female"), params.codes("codes")

    def check(case: Case) -> Iterator[Hit]:
        value, found = case.value(ref), codes.meaning(case.value(sex))
        if not value or found is None or not values.is_cccd(value):
            return
        expected = female if int(value[3]) % 2 else male
        if found != expected:
            yield Hit(ref, value, case.reading.first(ref.group), {"expected": expected})

    return check


@kind("cccd_birth_year", "expected")
def cccd_birth_year(params: Params) -> Check:
    """The fourth to sixth digit of the number say the year of birth."""
    ref, birth = params.ref("field"), params.ref("birth")

    def check(case: Case) -> Iterator[Hit]:
        value, born = case.value(ref), values.day(case.value(birth))
        if not value or born is None or not values.is_cccd(value):
            return
        expected = 1900 + int(value[3]) // 2 * 100 + int(value[4:6])
        if born.year != expected:
            yield Hit(ref, value, case.reading.first(ref.group), {"expected": str(expected)})

    return check


@kind("implies", "cause", "cause_title")
def implies(params: Params) -> Check:
    """When one field says one of `cause_in`, the other must say one of `then_in` (or be there, or be absent)."""
    cause, ref = params.ref("cause"), params.ref("field")
    causes = frozenset(params.texts("cause_in"))
    then = frozenset(params.texts("then_in", []))
    presence = params.text("presence", "optional")
    codes, cause_codes = params.take("codes", None), params.take("cause_codes", None)
    lists = {name: params.codes_named(name) for name in (codes, cause_codes) if name}
    if presence not in {"optional", "required", "forbidden"}:
        raise params.broken("presence", "phải là optional, required hoặc forbidden")

    def said(case: Case, of: Ref, name: str | None) -> str | None:
        value = case.value(of)
        return lists[name].meaning(value) if name else value

    def check(case: Case) -> Iterator[Hit]:
        reason = said(case, cause, cause_codes)
        if reason is None or reason not in causes:
            return
        value = said(case, ref, codes)
        if value is None:
            broken = presence == "required"
        else:
            broken = presence == "forbidden" or bool(then and value not in then)
        if broken:
            facts = {"cause": case.value(cause) or "", "cause_title": params.titles[cause]}
            yield Hit(ref, case.value(ref) or "", case.reading.first(ref.group), facts)

    return check
