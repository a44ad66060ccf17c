"""Canonical forms and digests within one document, each made once; step (6).

Several people sign the same element the same way, and most sign a part of the main content. The canonical form of such
a part is cut out of the main content's: in canonical bytes `<` is always markup, so the n-th start tag of a name is the
n-th element of that name; where any namespace is declared below the content's own tag, nothing is cut.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from signing.algorithms import digest_of
from signing.verification.outcome import malformed
from signing.verification.structure import Method, ReferenceShape
from signing.xml import Element, canonical_bytes

_HEAD: Final = re.compile(rb'<[^ >]+((?: xmlns(?::[^=" ]+)?="[^"]*")*)')
Key = tuple[Element, bool, tuple[str, ...]]


@dataclass(slots=True)
class DigestCache:
    """`main` is the element whose parts are cut from its canonical form; None when nothing may be cut."""

    main: Element | None = None
    known: dict[tuple[Element, bool, tuple[str, ...], str], tuple[bytes, bytes]] = field(default_factory=dict)
    # canonical form of `main`, and the declarations in its own tag when there are none below
    _forms: dict[bool, tuple[bytes, bytes | None]] = field(default_factory=dict)
    _parts: dict[tuple[bool, str], dict[Element, bytes]] = field(default_factory=dict)

    def digest(self, element: Element, reference: ReferenceShape, without: Element | None) -> tuple[bytes, bytes]:
        """Digest of the element as the reference's transforms make it; the second time in Base64."""
        method = reference.method
        # The element itself is the key: it stays alive, so its identity cannot pass to another node.
        key = (element, method.c14n.exclusive, method.prefixes, reference.digest)
        if without is None and (known := self.known.get(key)) is not None:
            return known
        data = self._canonical(element, method, without)
        if not data:
            raise malformed("CANONICAL_EMPTY", "Phần được ký rỗng sau chuẩn hoá. Hãy ký lại.")
        value = digest_of(reference.digest, data)
        both = value, binascii.b2a_base64(value, newline=False)
        if without is None:
            self.known[key] = both
        return both

    def content_digest(self) -> bytes | None:
        """SHA-256 of the exclusive canonical form of `main`, where it follows from what is known."""
        if self.main is None:
            return None
        known = self.known.get((self.main, True, (), "sha256"))
        if known is not None:
            return known[0]
        form, declared = self._forms.get(False, (b"", None))
        if declared is None:
            return None
        # No element or attribute of the content is in a namespace: what is declared is used by nothing.
        return digest_of("sha256", form.replace(declared, b"", 1) if declared else form)

    def _canonical(self, element: Element, method: Method, without: Element | None) -> bytes:
        exclusive = method.c14n.exclusive
        if self.main is None or without is not None or method.prefixes:
            return canonical_bytes(element, exclusive=exclusive, prefixes=method.prefixes, without=without)
        if element is self.main:
            return self._form(self.main, exclusive)[0]
        tag = str(element.tag)
        parts = self._parts.get((exclusive, tag))
        if parts is None:
            form, declared = self._form(self.main, exclusive)
            parts = self._parts[exclusive, tag] = cut_parts(form, self.main, tag, declared)
        return parts.get(element) or canonical_bytes(element, exclusive=exclusive)

    def _form(self, main: Element, exclusive: bool) -> tuple[bytes, bytes | None]:
        form = self._forms.get(exclusive)
        if form is None:
            data = canonical_bytes(main, exclusive=exclusive)
            form = self._forms[exclusive] = data, declarations(data)
        return form


def declarations(form: bytes) -> bytes | None:
    """The declarations in the form's own tag; None when there may be others below it."""
    head = _HEAD.match(form)
    return None if head is None or form.find(b"xmlns", head.end()) >= 0 else head.group(1)


def cut_parts(form: bytes, main: Element, tag: str, declared: bytes | None) -> dict[Element, bytes]:
    """Canonical forms of the elements `tag` below `main`, cut from its canonical form; empty where that is unsure."""
    if declared is None or tag.startswith("{"):
        return {}
    start_tag, end_tag = b"<" + tag.encode(), b"</" + tag.encode() + b">"
    starts = [match.start() for match in re.finditer(re.escape(start_tag) + rb"(?=[ >])", form)]
    elements = list(main.iterdescendants(tag))
    if not starts or len(starts) != len(elements):
        return {}  # none there (the element stands elsewhere), or more in the bytes than in the tree
    found: dict[Element, bytes] = {}
    for element, start, following in zip(elements, starts, [*starts[1:], len(form)], strict=True):
        end = form.find(end_tag, start, following)
        if end < 0:
            return {}  # one inside another
        after = start + len(start_tag)
        found[element] = start_tag + declared + form[after : end + len(end_tag)]
    return found
