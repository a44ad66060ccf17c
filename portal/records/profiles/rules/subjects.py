"""Rules on the rows of the table of marks: which subjects, which kind of mark."""

from collections.abc import Iterator

from portal.records.profiles import values
from portal.records.profiles.codes import LONGEST_WORD, MEMORY, fold
from portal.records.profiles.rules.base import Case, Check, Hit, Params, kind


@kind("code_allowed", "by", "name")
def code_allowed(params: Params) -> Check:
    """A code is allowed only beside certain values of another field; the code list says which."""
    ref, by, codes, fact = params.ref("field"), params.ref("by"), params.codes("codes"), params.text("fact")
    allowed = {code: entry.members(fact) for code, entry in codes.codes.items()}

    def check(case: Case) -> Iterator[Hit]:
        against = case.value(by)
        if not against:
            return
        for row, value in case.column(ref):
            code = codes.meaning(value)
            if code is not None and against not in allowed[code]:
                yield Hit(ref, value, row, {"by": against, "name": codes.title_of(value)})

    return check


@kind("unique_in_rows", "first")
def unique_in_rows(params: Params) -> Check:
    """No two rows may carry the same value."""
    ref = params.ref("field")

    def check(case: Case) -> Iterator[Hit]:
        seen: dict[str, int] = {}
        for row, value in case.column(ref):
            first = seen.setdefault(value, row.position)
            if first != row.position:
                yield Hit(ref, value, row, {"first": str(first)})

    return check


@kind("name_fits_code", "expected", "meant")
def name_fits_code(params: Params) -> Check:
    """A name may be spelt freely, but not be the name of another code."""
    ref, code_ref, codes = params.ref("field"), params.ref("code"), params.codes("codes")
    owners: dict[str, set[str]] = {}
    for entry in codes.codes.values():
        for word in (entry.title, *entry.words):
            owners.setdefault(fold(word), set()).add(entry.code)
    # Names of subjects repeat from record to record; what was found in order once need not be folded again.
    in_order: set[tuple[str | None, str]] = set()

    def check(case: Case) -> Iterator[Hit]:
        for row, value in case.column(ref):
            code = row.values.get(code_ref.tag)
            if (code, value) in in_order:
                continue
            meant = owners.get(fold(value))
            if code and code in codes and meant and code not in meant:
                yield Hit(ref, value, row, {"expected": codes.title_of(code), "meant": ", ".join(sorted(meant))})
            elif len(in_order) < MEMORY and len(value) <= LONGEST_WORD:
                in_order.add((code, value))

    return check


@kind("rows_expected", "missing")
def rows_expected(params: Params) -> Check:
    """Certain codes are expected among the rows."""
    ref, wanted, codes = params.ref("field"), params.texts("wanted"), params.codes("codes")

    def check(case: Case) -> Iterator[Hit]:
        found = {row.values.get(ref.tag) for row in case.rows(ref.group)}
        missing = [codes.title_of(code) for code in wanted if code not in found]
        if missing and case.rows(ref.group):
            yield Hit(ref, "", None, {"missing": ", ".join(missing)})

    return check


@kind("only_for_codes", "name")
def only_for_codes(params: Params) -> Check:
    """A field of the row may stand only beside codes that have the fact."""
    ref, code_ref, codes = params.ref("field"), params.ref("code"), params.codes("codes")
    entitled = codes.with_fact(params.text("fact"))

    def check(case: Case) -> Iterator[Hit]:
        for row, value in case.column(ref):
            code = row.values.get(code_ref.tag, "")
            if code in codes.codes and code not in entitled:
                yield Hit(ref, value, row, {"name": codes.title_of(code)})

    return check


@kind("expected_for_codes", "name")
def expected_for_codes(params: Params) -> Check:
    """A field of the row is expected beside certain codes, unless another field of the row excuses it."""
    ref, code_ref, codes = params.ref("field"), params.ref("code"), params.codes("codes")
    wanted = frozenset(params.texts("wanted", list(codes.codes)))
    excuse = frozenset(params.texts("unless_in", []))
    excusers = params.refs("unless_fields")

    def check(case: Case) -> Iterator[Hit]:
        for row in case.rows(ref.group):
            code = row.values.get(code_ref.tag, "")
            excused = any(row.values.get(other.tag) in excuse for other in excusers)
            if code in wanted and not excused and ref.tag not in row.values:
                yield Hit(ref, "", row, {"name": codes.title_of(code)})

    return check


@kind("mark_fits_subject", "name")
def mark_fits_subject(params: Params) -> Check:
    """Subjects assessed by comment carry letters, the others numbers; exemption goes with both."""
    refs, code_ref, codes = params.refs("fields"), params.ref("code"), params.codes("codes")
    by_comment = codes.with_fact(params.text("fact"))
    comment_letters, exempt = frozenset(params.texts("letters")), frozenset(params.texts("exempt"))
    want = params.text("want")
    if want not in {"letter", "number"}:
        raise params.broken("want", "phải là letter hoặc number")
    letters = params.codes("letter_codes")

    def check(case: Case) -> Iterator[Hit]:
        for row in case.rows(code_ref.group):
            code = row.values.get(code_ref.tag, "")
            if code not in codes.codes or (code in by_comment) != (want == "letter"):
                continue
            for ref in refs:
                value = row.values.get(ref.tag)
                if not value or (meaning := letters.meaning(value)) in exempt:
                    continue
                fits = meaning in comment_letters if want == "letter" else values.number(value) is not None
                # What is neither a number nor a letter of the list has been reported by the field's own check.
                if not fits and (meaning is not None or values.number(value) is not None):
                    yield Hit(ref, value, row, {"name": codes.title_of(code)})

    return check
