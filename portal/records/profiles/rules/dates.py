"""Rules on dates: order, future, school year, age."""

from collections.abc import Iterator
from datetime import date

from portal.records.profiles import values
from portal.records.profiles.rules.base import Case, Check, Hit, Params, kind


@kind("dates_in_order", "earlier", "earlier_title")
def dates_in_order(params: Params) -> Check:
    """Each date must not lie before those that should come first; a missing one is passed over."""
    refs = params.refs("fields")

    def check(case: Case) -> Iterator[Hit]:
        latest: values.Moment | None = None
        said, title = "", ""
        for ref in refs:
            found = [(row, value, when) for row, value in case.column(ref) if (when := values.moment(value))]
            for row, value, when in found:
                if latest is not None and latest.is_after(when):
                    yield Hit(ref, value, row, {"earlier": said, "earlier_title": title})
                    break
            for _, value, when in found:
                if latest is None or when.is_after(latest):
                    latest, said, title = when, value, params.titles[ref]

    return check


@kind("not_in_future", "today")
def not_in_future(params: Params) -> Check:
    """None of the dates may lie after today."""
    refs = params.refs("fields")

    def check(case: Case) -> Iterator[Hit]:
        today = case.context.today
        for ref in refs:
            for row, value in case.column(ref):
                found = values.day(value)
                if found is not None and found > today:
                    yield Hit(ref, value, row, {"today": today.strftime("%d/%m/%Y")})

    return check


@kind("not_before_school_year", "earliest")
def not_before_school_year(params: Params) -> Check:
    """The dates must not lie before a day (month, day) of the school year's first calendar year."""
    refs, year = params.refs("fields"), params.ref("year")
    month, day = int(params.number("month")), int(params.number("day"))

    def check(case: Case) -> Iterator[Hit]:
        first = values.first_year(case.value(year) or "")
        if first is None or first < 1:
            return
        earliest = date(first, month, day)
        for ref in refs:
            for row, value in case.column(ref):
                found = values.day(value)
                if found is not None and found < earliest:
                    yield Hit(ref, value, row, {"earliest": earliest.strftime("%d/%m/%Y")})

    return check


@kind("age_fits_grade", "age", "usual")
def age_fits_grade(params: Params) -> Check:
    """Age at the start of the school year: grade + 5, give or take what the profile allows."""
    birth, year, grade = params.ref("field"), params.ref("year"), params.ref("grade")
    base, younger, older = (int(params.number(key)) for key in ("base", "younger", "older"))

    def check(case: Case) -> Iterator[Hit]:
        born, first = values.day(case.value(birth)), values.first_year(case.value(year) or "")
        number = values.number(case.value(grade) or "")
        if born is None or first is None or number is None:
            return
        age, usual = first - born.year, int(number) + base
        if not usual - younger <= age <= usual + older:
            facts = {"age": str(age), "usual": str(usual)}
            yield Hit(birth, case.value(birth) or "", case.reading.first(birth.group), facts)

    return check
