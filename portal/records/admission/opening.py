"""Opening a hand-in: from the file to the bytes of each record, none of which is ever touched.

A list is cut at the tags, a lone record loses only what stands before and after its root (the XML declaration), a
ZIP is walked entry by entry in memory. The same file always gives the same records in the same order, so that work
can go on after a kill by position alone.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import BinaryIO

from portal.records.kinds import IntakeRefused, kind_of
from portal.records.states import FileKind
from signing import xml
from signing.archive import ArchiveLimits, read_archive
from signing.errors import ArchiveRefused, MalformedDocument

# A school's whole year may come as one list; the gate's other limits stay as they are.
LIST_LIMITS = replace(
    xml.LIST_LIMITS,
    max_bytes=1 << 30,
    max_elements=xml.LIST_LIMITS.max_elements * 16,
    max_attributes=xml.LIST_LIMITS.max_attributes * 16,
    max_namespaces=xml.LIST_LIMITS.max_namespaces * 16,
)
# One entry may be a school's whole year, too; it is held in memory while it is cut.
ARCHIVE_LIMITS = ArchiveLimits(max_entry=512 << 20)
_DECLARED_ENCODING = re.compile(rb"""\A<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_PROLOGUE = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?\s*")


class BatchUnreadable(Exception):
    """The batch as a whole cannot be opened; `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class RawRecord:
    """One record's bytes as the school signed them; or why there are none where a record should be."""

    position: int
    source: str
    data: bytes
    problem: MalformedDocument | None = None

    @cached_property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.data).digest()


@dataclass
class Walk:
    """What a walk through the file has seen beside the records it gave out."""

    remarks: list[dict[str, str]] = field(default_factory=list)
    # lists as they stand in the file, for those who want to verify their own signature: (source, bytes)
    lists: list[tuple[str, bytes]] = field(default_factory=list)
    # whose evidence of revocation was away when those signatures were verified
    missing: set[str] = field(default_factory=set)

    def remark(self, code: str, source: str, message: str) -> None:
        self.remarks.append({"code": code, "source": source[:255], "message": message})


def raw_records(kind: FileKind, file: BinaryIO, walk: Walk, *, keep_lists: bool = False) -> Iterator[RawRecord]:
    """Every record of the file, numbered from 1. Raises BatchUnreadable when the file as a whole is not readable."""
    pieces = _pieces(kind, file, walk, keep_lists=keep_lists)
    for position, (source, data, problem) in enumerate(pieces, start=1):
        yield RawRecord(position, source, data, problem)


_Piece = tuple[str, bytes, MalformedDocument | None]


def _pieces(kind: FileKind, file: BinaryIO, walk: Walk, *, keep_lists: bool) -> Iterator[_Piece]:
    try:
        match kind:
            case FileKind.LIST:
                data = _whole(file)
                if keep_lists:
                    walk.lists.append(("", data))
                yield from _list("", data)
            case FileKind.RECORD:
                yield ("", strip_prologue(_whole(file)), None)
            case FileKind.ZIP:
                yield from _zip(file, walk, keep_lists=keep_lists)
    except MalformedDocument as problem:
        raise BatchUnreadable(problem.code, problem.message) from None
    except ArchiveRefused as problem:
        raise BatchUnreadable(problem.code, problem.message) from None


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _list(source: str, data: bytes) -> Iterator[_Piece]:
    found = xml.cut(data, limits=LIST_LIMITS)
    view = memoryview(data)
    for piece in found.cuts:
        yield (source, bytes(view[piece.start : piece.end]), None)


def _zip(file: BinaryIO, walk: Walk, *, keep_lists: bool) -> Iterator[_Piece]:
    for member in read_archive(file, ARCHIVE_LIMITS):
        if member.skipped == "folder":
            continue
        if member.skipped or not member.name.lower().endswith(".xml"):
            walk.remark("ENTRY_SKIPPED", member.name, "Bỏ qua: không phải tệp .xml của trường.")
            continue
        try:
            yield from _member(member.name, member.read(), walk, keep_lists=keep_lists)
        except MalformedDocument as problem:
            # One bad file in a ZIP is one refused record; its neighbours go on.
            yield (member.name, b"", problem)


def _member(name: str, data: bytes, walk: Walk, *, keep_lists: bool) -> Iterator[_Piece]:
    try:
        kind = kind_of(data[:4096])
    except IntakeRefused as refusal:
        raise MalformedDocument(refusal.code, refusal.message) from None
    if kind is FileKind.RECORD:
        yield (name, strip_prologue(data), None)
    elif kind is FileKind.LIST:
        if keep_lists:
            walk.lists.append((name, data))
        yield from _list(name, data)
    else:
        raise MalformedDocument("ARCHIVE_IN_ARCHIVE", "Không nhận ZIP nằm trong ZIP. Hãy nén lại một lần duy nhất.")


def strip_prologue(data: bytes) -> bytes:
    """A lone record without what stands around its root; raises when the declaration names another encoding."""
    declared = _DECLARED_ENCODING.match(data.removeprefix(b"\xef\xbb\xbf").lstrip())
    if declared and declared.group(1).lower() not in (b"utf-8", b"utf8"):
        raise MalformedDocument("NOT_UTF8", "Tệp XML phải ở bảng mã UTF-8. Hãy xuất lại tệp rồi gửi lại.")
    return _PROLOGUE.sub(b"", data, count=1).rstrip()
