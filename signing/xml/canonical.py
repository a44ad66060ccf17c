"""Canonical bytes of one element of a gated tree (C14N 1.0/1.1 inclusive, exclusive), without comments.

lxml writes a spurious `xmlns=""` when it canonicalises, inclusively, a node whose default namespace is declared on an
ancestor; such a node is serialised with all namespaces in scope and parsed on its own first. The tree is not changed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from lxml import etree

from signing.xml.gate import Element, parse_again


def canonical_bytes(
    element: Element, *, exclusive: bool = True, prefixes: Sequence[str] = (), without: Element | None = None
) -> bytes:
    """Canonical form of `element`; `without` is a descendant left out with its content (enveloped signature).

    `prefixes` are real ones: `#default` is passed over by lxml, and refused where prefixes are read.
    """
    if without is not None:
        element = _copy_without(element, without)
    elif not exclusive and element.getparent() is not None and None in element.nsmap:
        element = _alone(element)
    data: bytes = etree.tostring(
        element,
        method="c14n",
        exclusive=exclusive,
        with_comments=False,
        with_tail=False,
        inclusive_ns_prefixes=list(prefixes) or None,
    )
    return data


def _alone(element: Element) -> Element:
    return parse_again(etree.tostring(element, with_tail=False, encoding="utf-8"))


def _copy_without(element: Element, left_out: Element) -> Element:
    steps = []
    node = left_out
    while node is not element:
        parent = node.getparent()
        if parent is None:
            raise ValueError("the element left out does not stand inside the element")
        steps.append(parent.index(node))
        node = parent
    twin = _alone(element) if element.getparent() is not None else copy.deepcopy(element)
    for index in reversed(steps[1:]):
        twin = twin[index]
    parent_twin, position = twin, steps[0]
    victim = parent_twin[position]
    if victim.tail:
        if position:
            before = parent_twin[position - 1]
            before.tail = (before.tail or "") + victim.tail
        else:
            parent_twin.text = (parent_twin.text or "") + victim.tail
    parent_twin.remove(victim)
    root = parent_twin
    while (above := root.getparent()) is not None:
        root = above
    return root
