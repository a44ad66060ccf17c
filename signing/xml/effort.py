"""What a canonical form may cost: bounds on what makes libxml2 work with the square of what a file holds.

For every element it goes through all namespaces declared above, and it sorts the attributes of one element by
insertion: a file of a few kilobytes can keep a processor busy for minutes before anything is known of its signer. The
bounds are far above what any signing program writes; small documents are told by their bytes alone.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from signing.errors import MalformedDocument

_NAMESPACE: Final = re.compile(rb"""xmlns(?::([^\s=<>"':]+))?[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')""")
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[^\s<&]+\Z")
# With so few different prefixes no element can have many declarations above it, but for depth.
_FEW_PREFIXES: Final = 8
_MAX_IN_SCOPE: Final = 32
_MAX_ATTRIBUTES_OF_ONE: Final = 128
# A tag with more attributes than that is longer, and no `<` can stand in it.
_LONG_TAG: Final = re.compile(rb"<[^<]{640}[^<]*")
_CROWDED: Final = etree.XPath(f"boolean(//*[@*[{_MAX_ATTRIBUTES_OF_ONE + 1}]])")


def check_namespaces(data: bytes, most: int) -> bool:
    """R16 on the bytes: absolute names, and not too many; True when only the tree can tell how many are in scope.

    Raises `MalformedDocument` NAMESPACE_RELATIVE, TOO_MANY_NAMESPACES.
    """
    written = data.count(b"xmlns")
    if not written:
        return False
    found = _NAMESPACE.findall(data)
    if len(found) > most:
        raise _too_many()
    different = set(found)
    for _, double, single in different:
        _check_name(double or single)
    # What looks like a declaration inside a value may hide a real one from the pattern.
    return written != len(found) or len({prefix for prefix, _, _ in different}) > _FEW_PREFIXES


def check_scope(root: etree._Element) -> None:
    """No element has too many declarations on itself and above; every name is absolute. Raises as above."""
    in_scope = 0
    for event, item in etree.iterwalk(root, events=("start-ns", "end-ns")):
        if event == "end-ns":
            in_scope -= 1
            continue
        in_scope += 1
        if in_scope > _MAX_IN_SCOPE:
            raise _too_many()
        _check_name(str(item[1]).encode())


def check_attributes(root: etree._Element, data: bytes) -> None:
    """No element has too many attributes. Raises `MalformedDocument` TOO_MANY_ATTRIBUTES."""
    if any(found.group().count(b"=") > _MAX_ATTRIBUTES_OF_ONE for found in _LONG_TAG.finditer(data)) and _CROWDED(root):
        raise MalformedDocument("TOO_MANY_ATTRIBUTES", "Tệp có quá nhiều thuộc tính. Hãy xuất lại tệp.")


def _check_name(name: bytes) -> None:
    if name and not _ABSOLUTE.match(name):
        raise MalformedDocument(
            "NAMESPACE_RELATIVE", "Tệp dùng không gian tên XML không tuyệt đối, không được phép. Hãy xuất lại tệp."
        )


def _too_many() -> MalformedDocument:
    return MalformedDocument("TOO_MANY_NAMESPACES", "Tệp khai báo quá nhiều không gian tên. Hãy xuất lại tệp.")
