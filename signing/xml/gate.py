"""Rules R1 to R4 and R16: which bytes may become a tree at all.

UTF-8 only, no DTD, no entity, no comment, no processing instruction, absolute namespace names, bounded size, depth
and counts. The forbidden constructs are looked for in the raw bytes *before* a tree is built; the tree that results is
the only one from which anything is verified or read. No network, no file is ever opened here.
"""

from __future__ import annotations

import codecs
import re
import threading
from dataclasses import dataclass
from typing import Final, TypeAlias

from lxml import etree

from signing.errors import MalformedDocument
from signing.xml.effort import check_attributes, check_namespaces, check_scope

Element: TypeAlias = etree._Element


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of one document; `max_bytes` is of the raw bytes."""

    max_bytes: int
    max_depth: int = 64
    max_elements: int = 50_000
    max_attributes: int = 50_000
    max_name: int = 256
    max_namespaces: int = 2_000


RECORD_LIMITS: Final = Limits(max_bytes=2 * 1024 * 1024)
LIST_LIMITS: Final = Limits(
    max_bytes=64 * 1024 * 1024, max_elements=3_000_000, max_attributes=3_000_000, max_namespaces=500_000
)

_PIECE: Final = 4 << 20
_LONG_NAME: Final = "Tệp có tên phần tử hoặc thuộc tính quá dài. Hãy xuất lại tệp."
_BOM: Final = b"\xef\xbb\xbf"
_DECLARATION: Final = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>"""
)
_FORBIDDEN: Final = re.compile(rb"<!(?!\[CDATA\[)|<\?")
# What a list may not hold anywhere, not even within one of its records: then no entity exists in any reading of it.
_FORBIDDEN_ANYWHERE: Final = re.compile(rb"<!(?!\[CDATA\[|--)")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """Bytes that passed the gate, and their only tree. The tree is never changed after `parse`."""

    raw: bytes
    root: Element


def parse(data: bytes, *, limits: Limits = RECORD_LIMITS) -> Document:
    """Parse one document under the gate's rules.

    Raises `MalformedDocument` with a code per rule: EMPTY, TOO_LARGE, ENCODING, DTD, COMMENT, PROCESSING_INSTRUCTION,
    DECLARATION, NAMESPACE_RELATIVE, NOT_WELL_FORMED, TOO_DEEP, TOO_MANY_ELEMENTS, TOO_MANY_ATTRIBUTES, NAME_TOO_LONG …
    """
    check_bytes(data, limits)
    root = _tree_of_bounded_effort(data, limits)
    check_tree(root, data, limits)
    return Document(data, root)


def _tree_of_bounded_effort(data: bytes, limits: Limits) -> Element:
    doubtful = check_namespaces(data, limits.max_namespaces)
    root = _tree(data)
    if doubtful:
        check_scope(root)
    check_attributes(root, data)
    return root


def _tree(data: bytes) -> Element:
    try:
        return etree.fromstring(data, _parsers.parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position if error.position else (None, None)
        _tell_limit(error, line, column)
        code = (
            "NAMESPACE_UNDECLARED" if "not defined" in (error.msg or "") and "amespace" in (error.msg or "") else None
        )
        raise MalformedDocument(
            code or "NOT_WELL_FORMED",
            "Tệp không phải XML đúng cú pháp"
            + (f" (dòng {line}, cột {column})" if line else "")
            + ". Hãy xuất lại tệp từ phần mềm của trường rồi gửi lại.",
            line,
            column,
        ) from None
    except (ValueError, LookupError, MemoryError):
        raise MalformedDocument(
            "NOT_WELL_FORMED", "Tệp không đọc được như XML. Hãy xuất lại tệp rồi gửi lại."
        ) from None


def _tell_limit(error: etree.XMLSyntaxError, line: int | None, column: int | None) -> None:
    """A limit of the parser's own is no proof against the file's syntax. Raises `MalformedDocument`."""
    said, code = error.msg or "", getattr(error, "code", None)
    if code == etree.ErrorTypes.ERR_NAME_TOO_LONG:
        raise MalformedDocument("NAME_TOO_LONG", _LONG_NAME, line, column) from None
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT and "depth" in said:
        raise MalformedDocument("TOO_DEEP", "Tệp lồng nhau quá nhiều tầng. Hãy xuất lại tệp.", line, column) from None
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT or "too big" in said:
        raise MalformedDocument(
            "TEXT_TOO_LONG", "Tệp có một giá trị quá dài. Hãy xuất lại tệp rồi gửi lại.", line, column
        ) from None


class _Parsers(threading.local):
    """One parser a thread: making one costs as much as parsing a small record."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            huge_tree=False,
            recover=False,
            remove_comments=False,
            remove_pis=False,
            strip_cdata=True,
            ns_clean=False,
            collect_ids=False,
        )


_parsers = _Parsers()


def parse_whole(data: bytes, *, limits: Limits) -> Document:
    """A list as one tree, comments and instructions kept; only for `cutting.parse_list`, which sees where they are."""
    check_bytes(data, limits, forbidden=_FORBIDDEN_ANYWHERE)
    root = _tree_of_bounded_effort(data, limits)
    check_tree(root, data, limits, only_elements=False)
    return Document(data, root)


def parse_part(data: bytes, limits: Limits) -> Element:
    """What is left of bytes that passed `check_bytes` when known parts are taken out; no namespace but known ones."""
    root = _tree(data)
    check_tree(root, data, limits)
    return root


def parse_again(data: bytes) -> Element:
    """Parse bytes that were serialised from a gated tree."""
    return etree.fromstring(data, _parsers.parser)


def check_bytes(data: bytes, limits: Limits, *, forbidden: re.Pattern[bytes] = _FORBIDDEN) -> None:
    """R1, R2, R4 on the raw bytes, before any tree exists; names of namespaces (R16) are looked at by `parse`."""
    if not data.strip():
        raise MalformedDocument("EMPTY", "Tệp rỗng. Hãy chọn đúng tệp học bạ rồi gửi lại.")
    if len(data) > limits.max_bytes:
        raise MalformedDocument(
            "TOO_LARGE",
            f"Tài liệu lớn {len(data)} byte, vượt giới hạn {limits.max_bytes} byte. Hãy chia nhỏ rồi gửi lại.",
        )
    _check_encoding(data)
    _check_constructs(data, forbidden)


def _first_wrong_byte(body: bytes) -> int | None:
    """Where the bytes stop being UTF-8. Looked at piece by piece: a year of a school is never held twice as text."""
    if len(body) <= _PIECE:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            return error.start
        return None
    decoder, view, rest = codecs.getincrementaldecoder("utf-8")(), memoryview(body), 0
    for start in range(0, len(body), _PIECE):
        try:
            decoder.decode(view[start : start + _PIECE], start + _PIECE >= len(body))
        except UnicodeDecodeError as error:
            return start - rest + error.start
        rest = len(decoder.getstate()[0])
    return None


def _check_encoding(data: bytes) -> None:
    body = data[3:] if data.startswith(_BOM) else data
    wrong = _first_wrong_byte(body)
    if wrong is not None:
        line = body.count(b"\n", 0, wrong) + 1
        raise MalformedDocument(
            "ENCODING", f"Tệp không phải mã UTF-8 (dòng {line}). Hãy lưu tệp ở mã UTF-8 rồi gửi lại.", line
        )
    if b"\x00" in body:
        raise MalformedDocument("ENCODING", "Tệp chứa byte 0, không phải UTF-8. Hãy lưu tệp ở mã UTF-8 rồi gửi lại.")
    if body[:5] == b"<?xml" and body[5:6] in (b" ", b"\t", b"\r", b"\n", b"?"):
        declaration = _DECLARATION.match(body)
        if declaration is None:
            raise MalformedDocument(
                "DECLARATION", 'Dòng khai báo XML đầu tệp sai. Dùng: <?xml version="1.0" encoding="UTF-8"?>'
            )
        encoding = declaration.group(1) or declaration.group(2)
        if encoding is not None and encoding.lower() not in (b"utf-8", b"us-ascii"):
            raise MalformedDocument(
                "ENCODING_DECLARED", "Khai báo mã của tệp không phải UTF-8. Hãy lưu tệp ở mã UTF-8 rồi gửi lại.", 1
            )


def prologue_end(data: bytes) -> int:
    """The first byte behind the byte order mark and the XML declaration."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    declaration = _DECLARATION.match(data, start)
    return declaration.end() if declaration else start


def _check_constructs(data: bytes, forbidden: re.Pattern[bytes]) -> None:
    start = prologue_end(data)
    # (Most documents have neither sign anywhere, and one byte is found far faster than a pattern.)
    if b"!" not in data and data.find(b"?", start) < 0:
        return
    found = forbidden.search(data, start)
    if found is None:
        return
    line = data.count(b"\n", 0, found.start()) + 1
    column = found.start() - (data.rfind(b"\n", 0, found.start()) + 1) + 1
    if data.startswith(b"<!--", found.start()):
        raise MalformedDocument(
            "COMMENT",
            f"Tệp có chú thích XML (dòng {line}); học bạ không được có chú thích. Hãy xuất lại tệp.",
            line,
            column,
        )
    if data.startswith(b"<?", found.start()):
        raise MalformedDocument(
            "PROCESSING_INSTRUCTION",
            f"Tệp có chỉ thị xử lý XML (dòng {line}), không được phép. Hãy xuất lại tệp.",
            line,
            column,
        )
    raise MalformedDocument(
        "DTD", f"Tệp có khai báo DTD hoặc thực thể (dòng {line}), không được phép. Hãy xuất lại tệp.", line, column
    )


def check_list_bytes(data: bytes, limits: Limits) -> None:
    """The bytes of a list before it is cut: comments and instructions are the business of the piece they stand in."""
    check_bytes(data, limits, forbidden=_FORBIDDEN_ANYWHERE)


def check_tree(root: Element, data: bytes, limits: Limits, *, only_elements: bool = True) -> None:
    """Depth, counts and names; and once more that no comment, instruction or DTD came through."""
    if _DEEPER[limits.max_depth](root) if limits.max_depth in _DEEPER else _deeper(limits.max_depth)(root):
        raise MalformedDocument("TOO_DEEP", f"Tệp lồng nhau quá {limits.max_depth} tầng. Hãy xuất lại tệp.")
    # An element takes four bytes at least, an attribute five: small documents need not be counted.
    if len(data) > 4 * limits.max_elements and int(_count("count(//*)", root)) > limits.max_elements:
        raise MalformedDocument("TOO_MANY_ELEMENTS", "Tệp có quá nhiều phần tử. Hãy chia nhỏ rồi gửi lại.")
    if len(data) > 5 * limits.max_attributes and int(_count("count(//@*)", root)) > limits.max_attributes:
        raise MalformedDocument("TOO_MANY_ATTRIBUTES", "Tệp có quá nhiều thuộc tính. Hãy xuất lại tệp.")
    # Without `<!` in the bytes (the gate let in CDATA alone) no comment, instruction or DTD can be in the tree.
    # (One byte is found far faster than two.)
    if (
        b"!" in data
        and b"<!" in data
        and ((only_elements and _NODES_OTHER(root)) or root.getroottree().docinfo.internalDTD is not None)
    ):
        raise MalformedDocument("COMMENT", "Tệp có chú thích hoặc chỉ thị XML, không được phép. Hãy xuất lại tệp.")
    if _has_long_tag(data, limits.max_name):
        raise MalformedDocument("NAME_TOO_LONG", _LONG_NAME)


def _has_long_tag(data: bytes, longest: int) -> bool:
    """Whether `<` is followed by a name of more than `longest` bytes.

    Names of attributes are bounded by the parser itself (50,000) and by `max_attributes`. No name holds `>` or a blank,
    so none can hide between two of them that are at most `longest` bytes apart: these are leapt over.
    """
    at = 0
    while len(data) - at > longest:
        stop = data.rfind(b">", at, at + longest)
        if stop < 0:
            stop = data.rfind(b" ", at, at + longest)
        if stop < 0:
            pattern = _LONG_TAG.get(longest) or _LONG_TAG.setdefault(
                longest, re.compile(rb"<[^\s<>/!?]{%d}" % (longest + 1))
            )
            return pattern.search(data, at) is not None
        at = stop + 1
    return False


def _count(expression: str, root: Element) -> float:
    value = root.xpath(expression)
    return value if isinstance(value, float) else 0.0


def _deeper(depth: int) -> etree.XPath:
    _DEEPER[depth] = etree.XPath("boolean(" + "/*" * (depth + 1) + ")")
    return _DEEPER[depth]


_DEEPER: dict[int, etree.XPath] = {}
_NODES_OTHER: Final = etree.XPath("boolean(//comment() | //processing-instruction())")
_LONG_TAG: dict[int, re.Pattern[bytes]] = {}
