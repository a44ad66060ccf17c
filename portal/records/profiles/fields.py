"""The field table of a profile, and the check compiled from each of its lines.

A check takes the text of one element and gives None, or the code of what is wrong with the limit that was broken.
Checks know nothing of other fields; rules do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from portal.records.profiles import values
from portal.records.profiles.codes import CodeList
from portal.records.profiles.errors import ProfileBroken

# Types whose values repeat from record to record and say nothing of a person: an accepted text is remembered.
_REMEMBERED = {"decimal", "mark", "flag", "date", "year", "code"}
MEMORY = 4096
LONGEST = 100_000


class Problem(NamedTuple):
    code: str
    limit: str = ""


Check = Callable[[str], Problem | None]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One line of fields.csv."""

    group: str
    tag: str  # may be a path inside the group: GVBM/SO_CCCD
    title: str
    type: str
    required: bool
    when: str | None  # the condition under which `required` counts
    length: int | None
    usual_length: int | None
    minimum: float | None
    maximum: float | None
    decimals: int
    pattern: str | None
    codes: str | None
    national: str  # column of the national data dictionary that length and range come from


@dataclass(slots=True)
class Leaf:
    """A field at its place in the file, with its compiled check and the texts it has accepted already."""

    spec: FieldSpec
    path: str
    check: Check
    resign: tuple[str, ...]
    remembers: bool
    is_text: bool
    short: int  # a text up to this length needs no look at its length
    known: set[str] = field(default_factory=set)

    def examine(self, text: str) -> Problem | None:
        problem = self.check(text)
        if problem is None and self.remembers and len(text) <= values.LONGEST and len(self.known) < MEMORY:
            self.known.add(text)
        return problem


def leaf(spec: FieldSpec, path: str, code_lists: Mapping[str, CodeList], resign: tuple[str, ...], file: str) -> Leaf:
    return Leaf(
        spec=spec,
        path=path,
        check=_compile(spec, code_lists, file),
        resign=resign,
        remembers=spec.type in _REMEMBERED,
        is_text=spec.type == "text",
        short=min(spec.length or LONGEST, spec.usual_length or LONGEST),
    )


def shown(bound: float | None) -> str:
    return "" if bound is None else f"{bound:g}"


def _compile(spec: FieldSpec, code_lists: Mapping[str, CodeList], file: str) -> Check:
    codes = _codes_of(spec, code_lists, file)
    compilers: dict[str, Callable[[], Check]] = {
        "text": lambda: _text(spec),
        "token": lambda: _token(spec, file),
        "decimal": lambda: _decimal(spec),
        "mark": lambda: _mark(spec, codes),
        "code": lambda: _code(codes, Problem("F-CODE", codes.title if codes else "")),
        "flag": lambda: _code(codes, Problem("F-FLAG")),
        "date": lambda: _plain(lambda text: values.moment(text) is not None, Problem("F-DATE")),
        "uuid4": lambda: _plain(values.is_uuid4, Problem("F-UUID")),
        "cccd": lambda: _plain(values.is_cccd, Problem("F-CCCD")),
        "year": lambda: _plain(lambda text: values.first_year(text) is not None, Problem("F-YEAR")),
    }
    if spec.type not in compilers:
        known = ", ".join(compilers)
        raise ProfileBroken(file, f"{spec.group}.{spec.tag}", f"kiểu “{spec.type}” không có trong {known}")
    return compilers[spec.type]()


def _codes_of(spec: FieldSpec, code_lists: Mapping[str, CodeList], file: str) -> CodeList | None:
    if spec.codes is None:
        if spec.type in {"code", "flag"}:
            raise ProfileBroken(file, f"{spec.group}.{spec.tag}", "thiếu tên danh mục mã (cột codes)")
        return None
    if spec.codes not in code_lists:
        raise ProfileBroken(file, f"{spec.group}.{spec.tag}", f"danh mục mã “{spec.codes}” không có trong codes.toml")
    return code_lists[spec.codes]


def _plain(accepts: Callable[[str], bool], problem: Problem) -> Check:
    return lambda text: None if accepts(text) else problem


def _text(spec: FieldSpec) -> Check:
    longest, usual = spec.length or LONGEST, spec.usual_length or LONGEST

    def check(text: str) -> Problem | None:
        if not values.is_composed(text):
            return Problem("F-NOT-NFC")
        if values.has_hidden(text):
            return Problem("F-CONTROL")
        if len(text) > longest:
            return Problem("F-TOO-LONG", str(longest))
        return Problem("F-LONG", str(usual)) if len(text) > usual else None

    return check


def _token(spec: FieldSpec, file: str) -> Check:
    text_check = _text(spec)
    try:
        pattern = re.compile(spec.pattern or r"\S+")
    except re.error as error:
        raise ProfileBroken(file, f"{spec.group}.{spec.tag}", f"biểu thức ở cột pattern sai: {error}") from error

    def check(text: str) -> Problem | None:
        if any(letter.isspace() for letter in text):
            return Problem("F-TOKEN")
        return text_check(text) or (None if pattern.fullmatch(text) else Problem("F-PATTERN", pattern.pattern))

    return check


def _range_text(spec: FieldSpec) -> str:
    return f"từ {shown(spec.minimum)} đến {shown(spec.maximum)}"


def _outside(spec: FieldSpec, found: float) -> bool:
    low = spec.minimum is not None and found < spec.minimum
    return low or (spec.maximum is not None and found > spec.maximum)


def _decimal(spec: FieldSpec) -> Check:
    def check(text: str) -> Problem | None:
        found = values.number(text)
        if found is None or values.decimals(text) > spec.decimals:
            return Problem("F-NUMBER", str(spec.decimals))
        return Problem("F-RANGE", _range_text(spec)) if _outside(spec, found) else None

    return check


def _mark(spec: FieldSpec, codes: CodeList | None) -> Check:
    how = "số nguyên" if spec.decimals == 0 else f"số có tối đa {spec.decimals} chữ số thập phân"
    letters = f" hoặc {', '.join(codes.codes)}" if codes else ""
    problem = Problem("F-MARK", f"{how} {_range_text(spec)}{letters}")

    def check(text: str) -> Problem | None:
        found = values.number(text)
        if found is None:
            return None if codes is not None and text in codes else problem
        return problem if values.decimals(text) > spec.decimals or _outside(spec, found) else None

    return check


def _code(codes: CodeList | None, problem: Problem) -> Check:
    return lambda text: None if codes is not None and text in codes else problem
