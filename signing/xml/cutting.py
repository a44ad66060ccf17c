"""Cuts a list of records into byte ranges without touching a byte; step (2) of the verification.

Every record in a list may carry the same ids, so each is verified as its own document: exactly the bytes between the
first byte of its start tag and the last byte of its end tag. Nothing is re-serialised here or anywhere after.
What one record may not hold (a comment, an instruction, a bad namespace) is found when that record is parsed, so it
never stops its neighbours; the shell around them is parsed as strictly as any document, and no part may declare a DTD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from xml.parsers import expat

from lxml import etree

from signing.errors import MalformedDocument
from signing.xml.gate import (
    LIST_LIMITS,
    Document,
    Limits,
    check_list_bytes,
    parse,
    parse_whole,
    prologue_end,
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Byte offsets of one child element: data[start:end] is the record, exactly as it was signed."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CutList:
    """A list taken apart. `shell` is the document without the records: it parses by itself."""

    root_tag: str
    root_id: str | None
    cuts: tuple[Cut, ...]
    shell: bytes


def cut(data: bytes, *, root: str = "DANH_SACH_HOC_BA", child: str = "HOC_BA", limits: Limits = LIST_LIMITS) -> CutList:
    """Find the records of a list (direct children `child` of the root). A lone record is a list without a root.

    Raises `MalformedDocument`: the gate's codes, LIST_ROOT when the root is another element, RECORD_MISPLACED when a
    record stands anywhere but directly below the root.
    """
    check_list_bytes(data, limits)
    plain = b"<!" not in data and data.find(b"<?", prologue_end(data)) < 0
    cuts = _scan(data, child) if plain else None
    if cuts is None:
        cuts = _expat(data, child)
    shell = _without(data, cuts)
    # The shell is parsed under the gate: whatever the scan got wrong leaves a shell that is broken or shows a record.
    document = parse(shell, limits=limits)
    tag = str(document.root.tag)
    if tag != root:
        raise MalformedDocument("LIST_ROOT", f"Phần tử gốc của tệp phải là {root}. Hãy xuất lại tệp danh sách học bạ.")
    if any(True for _ in document.root.iter("{*}" + child)):
        raise MalformedDocument("RECORD_MISPLACED", f"Có {child} không nằm ngay dưới {root}. Hãy xuất lại tệp.")
    return CutList(tag, _root_id(document.root.attrib), cuts, shell)


def parse_list(
    data: bytes, *, root: str = "DANH_SACH_HOC_BA", child: str = "HOC_BA", limits: Limits = LIST_LIMITS
) -> Document:
    """A list as one tree, for the signature over it. Raises `MalformedDocument` as `cut` does.

    Comments and instructions stand within records only (the shell has none), where the list's signature covers them as
    C14N says; each such record is refused when it is parsed on its own.
    """
    cut(data, root=root, child=child, limits=limits)
    document = parse_whole(data, limits=limits)
    # Once more on the tree, which another parser made: nothing but elements outside the records.
    outside = etree.XPath(
        "boolean((//comment() | //processing-instruction())[not(ancestor::*[local-name() = $child])])"
    )
    if outside(document.root, child=child):
        raise MalformedDocument("COMMENT", "Tệp có chú thích hoặc chỉ thị XML, không được phép. Hãy xuất lại tệp.")
    return document


def _root_id(attributes: object) -> str | None:
    for name in ("Id", "id"):
        value = attributes.get(name)  # type: ignore[attr-defined]
        if value is not None:
            return str(value)
    return None


def _scan(data: bytes, child: str) -> tuple[Cut, ...] | None:
    """Start and end tags by one regular expression; None when anything looks unusual (then expat decides).

    Sound because `<` never stands in text or attribute values of well-formed XML without `<!`; each record and the
    shell are parsed on their own afterwards, so a broken list cannot come out as another list.
    """
    name = re.escape(child.encode())
    tags = re.compile(rb"<(/?)" + name + rb"(?=[\s/>])((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>")
    found: list[Cut] = []
    start = -1
    for match in tags.finditer(data):
        closing, rest = match.group(1), match.group(2)
        if closing:
            if start < 0:
                return None
            found.append(Cut(start, match.end()))
            start = -1
        elif start >= 0 or rest.endswith(b"/"):
            return None
        else:
            start = match.start()
    return None if start >= 0 or not _directly_below_root(data, found) else tuple(found)


def _directly_below_root(data: bytes, cuts: list[Cut]) -> bool:
    """Between two neighbouring records only white space may stand, else let expat count the depth."""
    return all(not data[a.end : b.start].strip() for a, b in pairwise(cuts)) and (
        not cuts or data.count(b"<", 0, cuts[0].start) == data.count(b"<?", 0, cuts[0].start) + 1
    )


def _expat(data: bytes, child: str) -> tuple[Cut, ...]:
    parser = expat.ParserCreate(namespace_separator=None)
    depth = 0
    start = -1
    found: list[Cut] = []

    def opened(name: str, _attributes: object) -> None:
        nonlocal depth, start
        if depth == 1 and name == child:
            start = parser.CurrentByteIndex
        depth += 1

    def closed(name: str) -> None:
        nonlocal depth, start
        depth -= 1
        if depth == 1 and name == child and start >= 0:
            # On an end tag the index points at "</"; after an empty element it points behind its "/>".
            index = parser.CurrentByteIndex
            empty = data[index - 2 : index] == b"/>" and _tag_end(data, start) == index
            found.append(Cut(start, index if empty else _tag_end(data, index)))
            start = -1

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise MalformedDocument(
            "NOT_WELL_FORMED",
            f"Tệp không phải XML đúng cú pháp (dòng {error.lineno}, cột {error.offset + 1}). Hãy xuất lại "
            "tệp rồi gửi lại.",
            error.lineno,
            error.offset + 1,
        ) from None
    return tuple(found)


_TAG: re.Pattern[bytes] = re.compile(rb"<(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>")


def _tag_end(data: bytes, index: int) -> int:
    match = _TAG.match(data, index)
    if match is None:
        raise MalformedDocument("NOT_WELL_FORMED", "Tệp không phải XML đúng cú pháp. Hãy xuất lại tệp rồi gửi lại.")
    return match.end()


def _without(data: bytes, cuts: tuple[Cut, ...]) -> bytes:
    parts = []
    at = 0
    for piece in cuts:
        parts.append(data[at : piece.start])
        at = piece.end
    parts.append(data[at:])
    return b"".join(parts)
