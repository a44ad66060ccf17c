"""A record with its signatures of known builds taken out, and the eleven steps on what is left.

Most bytes of a record are its signatures, and those of one program differ in a few plain values only. Such a signature
is matched in the file's own bytes, its values are kept, and an empty `Signature` stands for it in the tree that is
parsed: a third of the bytes. Like `recognition`, this module may only accept; whatever is not exactly as known is left
to the full way, which decides and words the refusal.

Why it is sound: a match is one element, complete and well-formed on its own (it was parsed on its own when the build
was learnt, and no value can hold markup, a reference but `&#13;`, or a byte that a parser changes); an element in its
place is well-formed exactly where the signature was, for nothing but elements, text and the XML declaration is in the
file; outside the matches only the root may declare prefixes, the same ones as when the build was learnt; a `Signature`
that was not matched makes the counts differ. tests/signing/test_shortening.py holds the two ways side by side.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from lxml import etree

from signing.algorithms import DS
from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy
from signing.verification.placement import ID_SPELLINGS, SIGNATURE
from signing.verification.recognition import Build, KnownReference, build_of, pattern_of, take_apart
from signing.verification.region import plan_of
from signing.xml import RECORD_LIMITS, Document, Element, Limits, parse
from signing.xml.gate import check_bytes, parse_again, parse_part, prologue_end

_PLACEHOLDER: Final = b'<Signature xmlns="' + DS.encode() + b'"/>'
# `Signature` and a blank: the start tag of one that declares its namespace itself; no other tag of a signature fits.
_START: Final = b"Signature "
_MAX_PREFIX: Final = 24
_MAX_SIGNATURES: Final = 200
_MAX_BUILDS: Final = 256
_MAX_VAIN: Final = 64
_RECENT: Final = 4
_REFERENCE: Final = re.compile(rb"&(?!#13;)")
_ROOT: Final = re.compile(rb'[ \t\n]*<[A-Za-z_][\w.-]*((?: [\w:.-]+="[^"<>&\t\n]*")*) ?>')
_FRAGMENT: Final = re.compile(rb"[^\s#()'\"<>&%\x00-\x1f\x80-\xff]{1,256}\Z")  # as `references.FRAGMENT`, ASCII
_SPELLINGS: Final = frozenset(b" " + name.encode() for name in ID_SPELLINGS)
_CONTROLS: Final = bytes(range(32))
_DECLARED: Final = re.compile(rb' xmlns:[\w.-]+="[^"]*"')
_PREFIX: Final = re.compile(rb"xmlns:([\w.-]+)=")


@dataclass(frozen=True, slots=True, eq=False)
class _Spelling:
    """How a program writes a known build in the file, below a root that declares the prefixes of `context`."""

    build: Build
    pattern: re.Pattern[bytes]
    context: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One signature that was taken out: its build, its values, its bytes."""

    build: Build
    values: Sequence[bytes]
    raw: bytes
    context: bytes

    def element(self) -> Element:
        """The signature as a tree of its own."""
        return _within(self.context, self.raw)


@dataclass(frozen=True, slots=True, eq=False)
class Shortened(Document):
    """A document whose tree has an empty `Signature` for each of `known`, in this order."""

    known: tuple[Known, ...]
    rest: bytes  # what stands outside the signatures
    context: bytes  # prefixes that the root declares


_spellings: dict[tuple[bytes, bytes], _Spelling] = {}
_recent: list[_Spelling] = []
_vain: set[tuple[bytes, bytes]] = set()
_lock: Final = threading.Lock()


def read_record(data: bytes, *, limits: Limits = RECORD_LIMITS) -> Document:
    """The gate's `parse` for one record: shortened where all its signatures are known, whole otherwise.

    Raises `MalformedDocument` like `parse`. Signed content stands in either tree alike; only `verify` can tell.
    """
    return shorten(data, limits) or parse(data, limits=limits)


def shorten(data: bytes, limits: Limits = RECORD_LIMITS) -> Shortened | None:
    """The shortened document, or None where the whole one has to be read."""
    if not _spellings or len(data) > 4 * limits.max_elements or len(data) > 5 * limits.max_attributes:
        return None
    try:
        check_bytes(data, limits)
        found = _shorten(data, data, limits)
        if found is None and b"\r" in data:
            found = _shorten(_plain_ends(data), data, limits)
        return found
    except (MalformedDocument, etree.XMLSyntaxError, ValueError):
        return None  # the full way meets it again and says where


def _plain_ends(data: bytes) -> bytes:
    """Ends of lines as a parser hands them on (XML 1.0 § 2.11): some programs break Base64 into lines."""
    return data.replace(b"\r\n", b"\n")


def _shorten(text: bytes, data: bytes, limits: Limits) -> Shortened | None:
    if (b"!" in text and b"<!" in text) or (b"\xef" in text and b"\xef\xbf" in text):
        return None
    known: list[Known] = []
    pieces: list[bytes] = []
    at = 0
    context = _context(text)
    if context is None:
        return None
    while (found := text.find(_START, at)) >= 0:
        start = text.rfind(b"<", max(at, found - _MAX_PREFIX), found)
        match = _match(text, start, context) if start >= 0 and len(known) < _MAX_SIGNATURES else None
        if match is None:
            return None
        known.append(match)
        pieces.append(text[at:start])
        at = start + len(match.raw)
    pieces.append(text[at:])
    rest = b"".join(pieces)
    if not known or rest.count(b"xmlns") != context.count(b"xmlns") or b"xml:" in rest:
        return None
    root = parse_part(_PLACEHOLDER.join(pieces), limits)
    if sum(1 for _ in root.iter("{*}Signature")) != len(known):
        return None
    return Shortened(data, root, tuple(known), rest, context)


def _context(text: bytes) -> bytes | None:
    """The prefixes that the root declares, as written; None where that is not plain to see."""
    start = prologue_end(text)
    if start and b"ascii" in text[:start].lower():
        return None  # then no other byte may stand in what is taken out either
    if b"xmlns" not in text[start : text.find(b">", start)]:
        return b""
    root = _ROOT.match(text, start)
    return None if root is None else b"".join(_DECLARED.findall(root.group(1)))


def _within(context: bytes, raw: bytes) -> Element:
    return parse_again(b"<R" + context + b">" + raw + b"</R>")[0] if context else parse_again(raw)


def _match(text: bytes, start: int, context: bytes) -> Known | None:
    """The signature of a known build that begins at `start`."""
    for spelling in _recent:
        if spelling.context == context and (match := spelling.pattern.match(text, start)) is not None:
            return _known(spelling, match)
    raw = _slice(text, start)
    spelling_found = None if raw is None else _spellings.get((context, take_apart(raw)[0]))
    if spelling_found is None or (match := spelling_found.pattern.match(text, start)) is None:
        return None
    _recent[:] = [spelling_found, *_recent[: _RECENT - 1]]
    return _known(spelling_found, match)


def _known(spelling: _Spelling, match: re.Match[bytes]) -> Known | None:
    raw = match.group()
    # A carriage return is another character to a parser; it is met once more in `_plain_ends`.
    if b"\r" in raw or (b"&" in raw and _REFERENCE.search(raw)):
        return None
    return Known(spelling.build, match.groups(), raw, spelling.context)


def _slice(text: bytes, start: int) -> bytes | None:
    """From a start tag to the first end tag of the same name."""
    name = text[start + 1 : text.find(b" ", start)]
    end = text.find(b"</" + name + b">", start)
    return None if end < 0 else text[start : end + len(name) + 3]


def learn_spellings(document: Document) -> None:
    """Remember how the signatures of a record that passed the full way are written; unusual ones are not remembered."""
    if b"<!" in document.raw or len(document.raw) > RECORD_LIMITS.max_bytes:
        return
    _learn_from(document.raw)
    if b"\r" in document.raw:
        _learn_from(_plain_ends(document.raw))


def _learn_from(text: bytes) -> None:
    at = 0
    raws: list[bytes] = []
    while (found := text.find(_START, at)) >= 0 and len(raws) < _MAX_SIGNATURES:
        start = text.rfind(b"<", max(at, found - _MAX_PREFIX), found)
        raw = _slice(text, start) if start >= 0 else None
        if raw is None:
            return
        at = start + len(raw)
        raws.append(raw)
    context = _context(text)
    # A namespace declared between root and signature may be used inside it: such records are read whole.
    if context is not None and sum(item.count(b"xmlns") for item in (context, *raws)) == text.count(b"xmlns"):
        for raw in raws:
            _learn(raw, context)


def _learn(raw: bytes, context: bytes) -> None:
    statics, values = take_apart(raw)
    key = context, statics
    if key in _spellings or key in _vain:
        return
    spelling = _spelling_of(statics, len(values), context)
    with _lock:
        if spelling is None:
            if len(_vain) >= _MAX_VAIN:
                _vain.clear()
            _vain.add(key)
            return
        if len(_spellings) >= _MAX_BUILDS:
            _spellings.clear()
        _spellings[key] = spelling


def _spelling_of(key: bytes, count: int, context: bytes) -> _Spelling | None:
    """The file's spelling with a mark in each hole must read as the build with the same marks in the same holes."""
    statics = key.split(b"\x00")
    marks = [b"Slot%04d" % number for number in range(count)]
    parts = [
        piece for number in range(count) for piece in (statics[2 * number], statics[2 * number + 1], marks[number])
    ]
    try:
        twin = _within(context, b"".join([*parts, statics[-1]]))
    except etree.XMLSyntaxError:
        return None  # a prefix that something between root and signature declares, for one
    source = etree.tostring(twin, with_tail=False, encoding="utf-8")
    if twin.tag != SIGNATURE or list(take_apart(source)[1]) != marks:
        return None
    build = build_of(source)
    if build is None or build.ids is None:
        return None
    return _Spelling(build, pattern_of(statics, build.checked), context)


def forget_spellings() -> None:
    """Drop all that was learnt (tests)."""
    with _lock:
        _spellings.clear()
        _recent.clear()
        _vain.clear()


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """(3) How often each id stands outside the signatures, and in which signature, by which carrier of its time."""

    outside: Mapping[bytes, int]
    inside: Mapping[bytes, tuple[Known, int] | None]  # None: more than once

    def __len__(self) -> int:
        return len(self.outside.keys() | self.inside.keys())


def gather_ids(document: Shortened) -> Ids | None:
    """All ids of the record, whatever their spelling; None when there is any other attribute outside the signatures."""
    rest = document.rest[prologue_end(document.rest) :]
    pieces = rest.split(b'="')
    if rest.count(b"=") != len(pieces) - 1:
        return None
    skipped = document.context.count(b'="')
    values = []
    for before, after in pairwise(pieces):
        if before[-3:] in _SPELLINGS:
            values.append(after[: after.find(b'"')])
        elif skipped and before[before.rfind(b" ") + 1 :].startswith(b"xmlns:"):
            skipped -= 1
        else:
            return None
    together = b"".join(values)
    if b"&" in together or len(together.translate(None, _CONTROLS)) != len(together):
        return None
    outside = Counter(values)
    inside: dict[bytes, tuple[Known, int] | None] = {}
    for known in document.known:
        held = known.values
        for _, hole, depth in known.build.ids or ():
            value = held[hole]
            inside[value] = None if value in inside else (known, depth)
    return Ids(outside, inside)


def uses_prefix(document: Shortened) -> bool:
    """R12: whether any element outside the signatures is in a namespace; attributes are the business of `gather_ids`.

    Nothing but the root declares any there, and only with a prefix: an element in one begins with `<` and that prefix.
    """
    return bool(document.context) and any(start in document.rest for start in _starts(document.context))


@lru_cache(maxsize=64)
def _starts(context: bytes) -> tuple[bytes, ...]:
    return tuple(b"<" + prefix + b":" for prefix in _PREFIX.findall(context))


def by_element(document: Shortened) -> dict[Element, Known]:
    """Which empty element stands for which signature."""
    return dict(zip(document.root.iter(SIGNATURE), document.known, strict=True))


def resolve(
    known: Known, own: bytes | None, ids: Ids, policy: SignaturePolicy
) -> list[tuple[KnownReference, int]] | None:
    """(5) Each reference names exactly one element: the covered one, whose id is `own`, or a carrier of the time."""
    values = known.values
    found: list[tuple[KnownReference, int]] = []
    for reference in known.build.references:
        name = values[reference.uri]
        if _FRAGMENT.match(name) is None:
            return None
        if name == own:
            if ids.outside.get(name) != 1 or name in ids.inside:
                return None
            found.append((reference, -1))
            continue
        owner = ids.inside.get(name)
        if owner is None or name in ids.outside or owner[0] is not known or owner[1] < 0:
            return None
        holes = [
            hole
            for spelling, hole, depth in known.build.ids or ()
            if depth == owner[1] and spelling in policy.id_attributes
        ]
        if len(holes) != 1 or values[holes[0]] != name:
            return None
        found.append((reference, owner[1]))
    return found


def is_simple(policy: SignaturePolicy) -> bool:
    """One record, its signatures outside what they cover: only then is the short way gone."""
    return plan_of(policy) is not None
