"""Signatures of a known build: steps (5) and (6) without walking the same tree again. Rules as in `one`, none looser.

Every signature of one program has the same bytes but for a few plain values (ids, digests, certificate, time). What the
full way found out about such a build once — its structure, its algorithms, the canonical form with holes — holds for
every later signature that differs in those values only. This module may only accept: wherever anything is not exactly
as known, the answer is None and the full way decides, refuses and words the refusal.

Why it is sound: the build is read from the serialised tree, never from the file; a value is a run of text, or of an
`Id`, `URI` or `Target`, without `<`, `>` or `&` (a carriage return is spelt out), so putting another such value in its
place changes neither the structure nor any other byte of the canonical form. tests/signing/test_recognition.py holds
the two ways side by side.
"""

from __future__ import annotations

import binascii
import re
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from lxml import etree

from signing.algorithms import SignatureMethod, digest_of
from signing.policy import SignaturePolicy
from signing.verification.digests import DigestCache
from signing.verification.keyinfo import KeyInfo, read_key_info
from signing.verification.moments import parse_moment, read_time_place
from signing.verification.outcome import Refusal
from signing.verification.placement import ID_SPELLINGS, IdMap, Placed, own_id
from signing.verification.references import FRAGMENT
from signing.verification.structure import ReferenceShape, SignatureShape, decode_base64, read_shape
from signing.verification.values import check_value
from signing.xml import Element, canonical_bytes
from signing.xml.gate import parse_again

# A value and what stands before it: the text of a leaf, or an id, without any character that XML treats specially.
_VALUE: Final = re.compile(rb'(>| (?:Id|id|URI|Target)="#?)((?<=>)[^<>]*[^<>\s][^<>]*(?=</)|(?<=["#])[^"<>&]*(?="))')
_REFERENCE: Final = re.compile(rb"&(?!#13;)")
_HOLE: Final = re.compile(rb"Slot(\d{4})")
# What a value may hold where the file's own bytes are matched: nothing that a parser would refuse or change.
_TEXT: Final = rb"([^<>\x00-\x08\x0b-\x1f]+)"
_ATTRIBUTE: Final = rb'([^"<>&\x00-\x1f]*)'
# The same for a value that is looked at once more before it counts (`Build.checked`): five times as fast.
_CHECKED: Final = rb"([^<]+)"
_MAX_BUILDS: Final = 256
_MAX_BUILD_BYTES: Final = 16_384
_MAX_KEY_INFOS: Final = 4_096

Canonical = tuple[bytes, tuple[int, ...]]  # a template, and which value goes into each of its holes


@dataclass(frozen=True, slots=True)
class KnownReference:
    """One reference of the build; `uri` and `value` number the holes, `times` are canonical forms of the carriers."""

    shape: ReferenceShape
    uri: int
    value: int
    times: tuple[Canonical, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """What is known of all signatures of one build."""

    algorithm: SignatureMethod
    shapes: tuple[ReferenceShape, ...]
    references: tuple[KnownReference, ...]
    signed_info: Canonical
    value: int
    key_info: slice
    time: int
    time_item: int  # which child of the Signature is the Object with the time
    key_infos: dict[tuple[bytes, ...], KeyInfo]
    pattern: re.Pattern[bytes]  # the whole signature, with a group for each value
    # every id in it: spelling, hole, and which carrier of the time has it (-1: none); None when one is no hole
    ids: tuple[tuple[str, int, int], ...] | None

    @property
    def checked(self) -> frozenset[int]:
        """Values that pass nowhere unless they are strict Base64 or were parsed with the same bytes before."""
        known = range(self.key_info.start, self.key_info.stop)
        return frozenset({self.value, *(reference.value for reference in self.references), *known})


@dataclass(frozen=True, slots=True)
class Recognised:
    """What steps (5) and (6) found: all of it checked."""

    algorithm: SignatureMethod
    info: KeyInfo
    signed_at: datetime
    digest: str


Admits = Callable[[Build, KeyInfo, datetime], None]

_builds: dict[bytes, Build] = {}
_latest: list[Build | None] = [None]
_lock: Final = threading.Lock()


def _source(signature: Element) -> bytes | None:
    """The signature's bytes from the tree, namespaces in scope included; None when a value has references in it."""
    source = etree.tostring(signature, with_tail=False, encoding="utf-8")
    # The end of line that Java programs write inside Base64 is the only reference with a meaning here.
    if b"&" in source and _REFERENCE.search(source):
        return None
    return source


def take_apart(source: bytes) -> tuple[bytes, Sequence[bytes]]:
    """The build's own bytes, and the values."""
    parts = _VALUE.split(source)
    values = parts[2::3]
    del parts[2::3]
    return b"\x00".join(parts), values


def _known(source: bytes) -> tuple[Build, Sequence[bytes]] | None:
    """The build of a signature; neighbours are mostly of the same one, so that is tried first."""
    build = _latest[0]
    if build is not None and (match := build.pattern.fullmatch(source)) is not None:
        return build, match.groups()
    key, values = take_apart(source)
    build = _builds.get(key)
    if build is None:
        return None
    _latest[0] = build
    return build, values


def recognise(
    placed: Placed, *, ids: IdMap, policy: SignaturePolicy, cache: DigestCache, admits: Admits
) -> Recognised | None:
    """Steps (5) and (6) for a signature of a known build; None when the full way has to decide.

    `admits` raises `Refusal` when the algorithms or the key are not let in.
    """
    signature = placed.signature
    if signature is None or placed.slot.covers == ".":
        return None
    source = _source(signature)
    known = None if source is None else _known(source)
    if known is None:
        return None
    build, values = known
    try:
        found = _resolve(build, values, signature, placed.target, ids, policy)
        return None if found is None else judge(build, values, found, placed.target, cache, admits, lambda: signature)
    except Exception:
        # Whatever it was, nothing is accepted here: the full way meets it again and gives it its name.
        return None


def _resolve(  # noqa: PLR0917 - hot: called for every signature
    build: Build, values: Sequence[bytes], signature: Element, target: Element, ids: IdMap, policy: SignaturePolicy,
) -> list[tuple[KnownReference, int]] | None:  # fmt: skip
    """(5) Targets by identity; -1 is the covered element, otherwise which carrier of the time."""
    carriers: tuple[Element, ...] | None = None
    found: list[tuple[KnownReference, int]] = []
    for reference in build.references:
        name = values[reference.uri].decode()
        elements: Sequence[Element] = ids.get(name, ())
        if len(elements) != 1 or FRAGMENT.match("#" + name) is None or own_id(elements[0], policy) != name:
            return None
        element = elements[0]
        if element is target:
            found.append((reference, -1))
            continue
        carriers = carriers or _carriers(signature, build)
        depth = next((number for number, carrier in enumerate(carriers) if carrier is element), None)
        if depth is None:
            return None
        found.append((reference, depth))
    return found


def judge(  # noqa: PLR0917 - hot: called for every signature
    build: Build, values: Sequence[bytes], found: Sequence[tuple[KnownReference, int]], target: Element,
    cache: DigestCache, admits: Admits, element: Callable[[], Element],
) -> Recognised | None:  # fmt: skip
    """(5) the covered element once, what carries the time once, nothing else; (6) algorithms, digests, value."""
    if len(found) != 2 or (found[0][1] == -1) == (found[1][1] == -1):
        return None
    signed_at = _moment(values[build.time])
    info = _key_info(build, values, element)
    admits(build, info, signed_at)
    digest = ""
    for reference, depth in found:
        if depth == -1:
            raw, encoded = cache.digest(target, reference.shape, None)
            digest = raw.hex()
        else:
            raw = digest_of(reference.shape.digest, _fill(reference.times[depth], values))
            encoded = binascii.b2a_base64(raw, newline=False)
        if values[reference.value] != encoded and decode_base64(_text(values[reference.value])) != raw:
            return None
    value = decode_base64(_text(values[build.value]))
    if not value:
        return None
    check_value(info.certificate, build.algorithm, _fill(build.signed_info, values), value)
    return Recognised(build.algorithm, info, signed_at, digest)


def _carriers(signature: Element, build: Build) -> tuple[Element, ...]:
    """SigningTime, SignatureProperty, SignatureProperties, Object: the build has one of each, one in another."""
    item = signature[build.time_item]
    properties = item[0]
    carrier = properties[0]
    return carrier[0], carrier, properties, item


def _fill(canonical: Canonical, values: Sequence[bytes]) -> bytes:
    template, holes = canonical
    chosen = [values[hole] for hole in holes]
    if any(b"&" in value for value in chosen):
        chosen = [value.replace(b"&#13;", b"&#xD;") for value in chosen]
    return template % tuple(chosen)


def _text(value: bytes) -> bytes:
    return value.replace(b"&#13;", b"\r") if b"&" in value else value


@lru_cache(maxsize=4096)
def _moment(value: bytes) -> datetime:
    return parse_moment(value.decode())


def _key_info(build: Build, values: Sequence[bytes], signature: Callable[[], Element]) -> KeyInfo:
    """KeyInfo depends on nothing but its own bytes: read once per signer."""
    key = tuple(values[build.key_info])
    info = build.key_infos.get(key)
    if info is None:
        info = read_key_info(signature()[2])
        if len(build.key_infos) >= _MAX_KEY_INFOS:
            build.key_infos.clear()
        build.key_infos[key] = info
    return info


def learn(signature: Element) -> None:
    """Remember the build of a signature that passed the full way; unusual ones are simply not remembered."""
    source = _source(signature)
    if source is None:
        return
    key, values = take_apart(source)
    if key in _builds or len(key) > _MAX_BUILD_BYTES or len(values) > 200 or _HOLE.search(key):
        return
    build = _build_of(key, len(values))
    if build is None:
        return
    with _lock:
        if len(_builds) >= _MAX_BUILDS:
            _builds.clear()
            _latest[0] = None
        _builds[key] = build
    _latest[0] = build


def forget() -> None:
    """Drop all that was learnt (tests)."""
    with _lock:
        _builds.clear()
        _latest[0] = None


def build_of(source: bytes) -> Build | None:
    """The known build of a signature, by its bytes from the tree."""
    return _builds.get(take_apart(source)[0])


def _build_of(key: bytes, count: int) -> Build | None:
    statics = key.split(b"\x00")
    parts: list[bytes] = []
    for number in range(count):
        parts += (statics[2 * number], statics[2 * number + 1], b"Slot%04d" % number)
    twin = parse_again(b"".join([*parts, statics[-1]]))
    try:
        shape = read_shape(twin)
        place = read_time_place(shape, allow_xades=False)
    except Refusal:
        return None  # e.g. XAdES, whose properties depend on the values
    time = _hole_of(place.element.text)
    value = _hole_of(binascii.b2a_base64(shape.value, newline=False).decode())
    holes = [int(item) for item in _HOLE.findall(etree.tostring(shape.key_info, with_tail=False))]
    references = [_reference(reference, place.carriers) for reference in shape.references]
    if (
        time is None or value is None or not holes or holes != list(range(holes[0], holes[-1] + 1))
        or any(item is None for item in references)
        or not _ends_at_holes(shape)
    ):  # fmt: skip
        return None
    data = canonical_bytes(shape.signed_info, exclusive=shape.method.c14n.exclusive, prefixes=shape.method.prefixes)
    return Build(
        algorithm=shape.algorithm,
        shapes=shape.references,
        references=tuple(item for item in references if item is not None),
        signed_info=_with_holes(data),
        value=value,
        key_info=slice(holes[0], holes[-1] + 1),
        time=time,
        time_item=list(twin).index(place.carriers[-1]),
        key_infos={},
        pattern=pattern_of(statics),
        ids=_ids_of(twin, place.carriers),
    )


def _ids_of(twin: Element, carriers: Sequence[Element]) -> tuple[tuple[str, int, int], ...] | None:
    found = []
    for element in twin.iter():
        depth = next((number for number, carrier in enumerate(carriers) if carrier is element), -1)
        for name, text in element.items():
            if str(name) in ID_SPELLINGS:
                hole = _hole_of(str(text))
                if hole is None:
                    return None
                found.append((str(name), hole, depth))
    return tuple(found)


def pattern_of(statics: Sequence[bytes], checked: Collection[int] = ()) -> re.Pattern[bytes]:
    """The whole signature with a group for each value; those of `checked` may hold any byte but `<`."""
    expression = b""
    for number, (before, mark) in enumerate(zip(statics[:-1:2], statics[1::2], strict=True)):
        text = _CHECKED if number in checked else _TEXT
        expression += re.escape(before + mark) + (text if mark == b">" else _ATTRIBUTE)
    return re.compile(expression + re.escape(statics[-1]))


def _reference(reference: ReferenceShape, carriers: Sequence[Element]) -> KnownReference | None:
    uri = _hole_of(reference.uri.removeprefix("#"))
    value = _hole_of(binascii.b2a_base64(reference.value, newline=False).decode())
    if uri is None or value is None or reference.enveloped or not reference.uri.startswith("#"):
        return None
    if reference.type.endswith("#Manifest"):
        return None
    method = reference.method
    forms = [
        _with_holes(canonical_bytes(carrier, exclusive=method.c14n.exclusive, prefixes=method.prefixes))
        for carrier in carriers
    ]
    return KnownReference(reference, uri, value, tuple(forms))


def _ends_at_holes(shape: SignatureShape) -> bool:
    """Text of a leaf lies wholly in a hole or is not there: nothing that could spoil a value is in the build."""
    return all(
        len(element) or not element.text or not element.text.strip() or _hole_of(element.text) is not None
        for element in shape.element.iter()
    )


def _hole_of(text: str | None) -> int | None:
    match = re.fullmatch(r"Slot(\d{4})", text or "")
    return int(match.group(1)) if match else None


def _with_holes(data: bytes) -> Canonical:
    parts = _HOLE.split(data)
    return b"%b".join(part.replace(b"%", b"%%") for part in parts[::2]), tuple(int(number) for number in parts[1::2])
