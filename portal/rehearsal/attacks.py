"""Forgeries made from a valid record: every known wrapping permutation at every place, and what people do by hand.

Knows XML and ids, nothing of `signing`. An attack is a name and bytes; whether it succeeded is for the caller to say:
accepted, and the content that a reader would get is not the content that was signed.
"""

# mypy: disable-error-code="misc,call-overload,union-attr,func-returns-value,no-untyped-def"
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random

from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
Element = etree._Element
EVIL = "KẺ GIẢ MẠO"


def attacks(record: bytes, *, seed: int = 0, share: float = 1.0) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each forgery; `share` < 1 takes a seeded sample of all of them."""
    random = Random(seed)
    for name, make in _plans(record):
        if share >= 1 or random.random() < share:
            data = make()
            if data is not None and data != record:
                yield name, data


Plan = tuple[str, Callable[[], bytes | None]]


def _plans(record: bytes) -> Iterator[Plan]:
    root = etree.fromstring(record)
    count = sum(1 for _ in root.iter())
    yield from _wrapping(record, root, count)
    yield from _signature_moves(record, root, count)
    yield from _node_edits(record, root, count)
    yield from _inside_signature(record, root)


def _plan(record: bytes, name: str, change: Callable[[Element, list[Element]], object]) -> Plan:
    def make() -> bytes | None:
        root = etree.fromstring(record)
        try:
            if change(root, list(root.iter())) is False:
                return None
        except (ValueError, TypeError, AssertionError, AttributeError):
            return None  # no such move, e.g. an element into itself
        return etree.tostring(root)

    return name, make


def _numbers(root: Element, wanted: Callable[[Element], bool]) -> list[int]:
    return [number for number, element in enumerate(root.iter()) if wanted(element)]


def _is_signature(element: Element) -> bool:
    return element.tag == f"{{{DS}}}Signature"


def _targets(root: Element) -> list[int]:
    uris = {reference.get("URI", "")[1:] for reference in root.iter(f"{{{DS}}}Reference")}
    return _numbers(root, lambda e: not e.tag.startswith("{") and bool(uris & {e.get("Id"), e.get("id")}))


def _forge(element: Element) -> None:
    """Change a value that matters inside."""
    leaves = [leaf for leaf in element.iter() if not len(leaf) and not str(leaf.tag).startswith("{")]
    wanted = [leaf for leaf in leaves if leaf.tag in ("HO_VA_TEN", "DIEM_CA_NAM", "MUC_DAT_DUOC")] or leaves
    for leaf in wanted[:1]:
        leaf.text = EVIL


def _insert(place: Element, how: str, node: Element) -> None:
    if how == "first":
        place.insert(0, node)
    elif how == "last":
        place.append(node)
    elif how == "before":
        place.addprevious(node)
    else:
        place.addnext(node)


def _respell(element: Element, how: str) -> None:
    value = element.attrib.pop("Id", None) or element.attrib.pop("id", None) or "data"
    if how == "same":
        element.set("Id", value)
    elif how in ("ID", "id", "iD"):
        element.set(how, value)
    elif how == "xml:id":
        element.set("{http://www.w3.org/XML/1998/namespace}id", value)
    elif how == "foreign":
        element.set("{urn:evil}Id", value)
    elif how == "other":
        element.set("Id", value + "-2")


def _wrapping(record: bytes, root: Element, count: int) -> Iterator[Plan]:
    """The signed original goes somewhere else and a forged twin takes its place, or the other way round."""
    for target in _targets(root):
        for place in range(count):
            for how in ("first", "last", "before", "after"):
                for spelling in ("same", "none", "other", "ID", "xml:id", "foreign"):
                    for forged_stays in (True, False):
                        yield _plan(
                            record,
                            f"wrap t{target} p{place} {how} {spelling} {forged_stays}",
                            _wrap(target, place, how, spelling, forged_stays=forged_stays),
                        )


def _wrap(target: int, place: int, how: str, spelling: str, *, forged_stays: bool):
    def change(_root: Element, nodes: list[Element]) -> None:
        original = nodes[target]
        tail, original.tail = original.tail, None
        twin = copy.deepcopy(original)
        original.tail = tail
        stays, goes = original, twin
        _forge(stays if forged_stays else goes)
        _respell(stays if forged_stays else goes, spelling)
        _insert(nodes[place], how, goes)

    return change


def _signature_moves(record: bytes, root: Element, count: int) -> Iterator[Plan]:
    signatures = _numbers(root, _is_signature)
    for number in signatures:
        yield _plan(record, f"remove {number}", lambda _r, n, i=number: n[i].getparent().remove(n[i]))
        yield _plan(record, f"remove holder {number}", _remove_holder(number))
        for place in range(count):
            for how in ("first", "after"):
                yield _plan(record, f"move {number} to {place} {how}", _move(number, place, how, copied=False))
                yield _plan(record, f"copy {number} to {place} {how}", _move(number, place, how, copied=True))
        for other in signatures:
            if other != number:
                yield _plan(record, f"swap {number} {other}", _swap(number, other))
                yield _plan(record, f"replace {number} by {other}", _replace(number, other))


def _remove_holder(number: int):
    def change(_root: Element, nodes: list[Element]) -> None:
        holder = nodes[number].getparent()
        assert holder is not None
        holder.getparent().remove(holder)

    return change


def _move(number: int, place: int, how: str, *, copied: bool):
    def change(_root: Element, nodes: list[Element]) -> object:
        signature = nodes[number]
        if not copied and (nodes[place] is signature or signature in list(nodes[place].iterancestors())):
            return False
        _insert(nodes[place], how, copy.deepcopy(signature) if copied else signature)
        return None

    return change


def _swap(one: int, two: int):
    def change(_root: Element, nodes: list[Element]) -> None:
        first, second = nodes[one].getparent(), nodes[two].getparent()
        assert first is not None
        assert second is not None
        a, b = nodes[one], nodes[two]
        first.replace(a, copy.deepcopy(b))
        second.replace(b, a)

    return change


def _replace(number: int, other: int):
    def change(_root: Element, nodes: list[Element]) -> None:
        holder = nodes[number].getparent()
        assert holder is not None
        holder.replace(nodes[number], copy.deepcopy(nodes[other]))

    return change


def _node_edits(record: bytes, root: Element, count: int) -> Iterator[Plan]:
    """Every element: its text, its name, a comment or instruction inside, an attribute, doubled, dropped, emptied."""
    edits: dict[str, Callable[[Element], object]] = {
        "text": lambda e: setattr(e, "text", (e.text or "") + "9"),
        "tail": lambda e: setattr(e, "tail", (e.tail or "") + "9"),
        "rename": lambda e: setattr(e, "tag", "X" + etree.QName(e).localname),
        "namespace": lambda e: setattr(e, "tag", "{urn:evil}" + etree.QName(e).localname),
        "comment": lambda e: e.insert(0, etree.Comment("x")),
        "comment after": lambda e: e.addnext(etree.Comment("x")),
        "instruction": lambda e: e.insert(0, etree.ProcessingInstruction("x", "y")),
        "attribute": lambda e: e.set("evil", "1"),
        "nil": lambda e: e.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true"),
        "lang": lambda e: e.set("{http://www.w3.org/XML/1998/namespace}lang", "vi"),
        "id data": lambda e: e.set("Id", "data"),
        "double": lambda e: e.addnext(copy.deepcopy(e)),
        "drop": lambda e: e.getparent().remove(e),
        "empty": lambda e: [e.remove(part) for part in list(e)] and setattr(e, "text", None),
        "child": lambda e: e.append(etree.Element("EVIL")),
        "swap": lambda e: e.getnext() is not None and e.getnext().addnext(e),
    }
    for number in range(count):
        for name, edit in edits.items():
            yield _plan(record, f"{name} {number}", lambda _r, n, i=number, do=edit: do(n[i]) and None)


_TRANSFORMS = (
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "urn:evil",
    "",
)
_URIS = (
    "",
    "#",
    "#xpointer(/)",
    "#xpointer(id('data'))",
    "http://127.0.0.1/x",
    "file:///etc/hostname",
    "#missing",
    "data",
)
_METHODS = (
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "",
)


def _inside_signature(record: bytes, root: Element) -> Iterator[Plan]:
    for number in _numbers(root, lambda e: e.tag == f"{{{DS}}}Transform"):
        for uri in _TRANSFORMS:
            yield _plan(record, f"transform {number} {uri}", lambda _r, n, i=number, u=uri: n[i].set("Algorithm", u))
            yield _plan(
                record,
                f"more transform {number} {uri}",
                lambda _r, n, i=number, u=uri: n[i].addnext(etree.Element(f"{{{DS}}}Transform", Algorithm=u)),
            )
    for number in _numbers(root, lambda e: e.tag == f"{{{DS}}}Reference"):
        for uri in _URIS:
            yield _plan(record, f"uri {number} {uri}", lambda _r, n, i=number, u=uri: n[i].set("URI", u))
        yield _plan(record, f"no uri {number}", lambda _r, n, i=number: n[i].attrib.pop("URI") and None)
    for number in _numbers(root, lambda e: e.tag in (f"{{{DS}}}SignatureMethod", f"{{{DS}}}DigestMethod")):
        for uri in _METHODS:
            yield _plan(record, f"method {number} {uri}", lambda _r, n, i=number, u=uri: n[i].set("Algorithm", u))
    for number in _numbers(root, lambda e: e.tag == f"{{{DS}}}SignedInfo"):
        yield _plan(record, f"forged SignedInfo first {number}", lambda _r, n, i=number: _twin_info(n[i], first=True))
        yield _plan(record, f"forged SignedInfo second {number}", lambda _r, n, i=number: _twin_info(n[i], first=False))


def _twin_info(info: Element, *, first: bool) -> None:
    twin = copy.deepcopy(info)
    for value in twin.iter(f"{{{DS}}}DigestValue"):
        value.text = "A" * 43 + "="
    (info.addprevious if first else info.addnext)(twin)
