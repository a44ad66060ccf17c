"""Steps (2), (3) and (4): one document, ids unique, exactly the signatures of the policy, each in its place.

Rules R5, R8, R12. Everything is found by absolute child steps and compared by identity; the two searches over the
whole tree only serve to refuse what stands anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from signing.algorithms import DS
from signing.policy import SignaturePolicy, SignatureSlot
from signing.verification.outcome import malformed
from signing.xml import Document, Element, child_path, children, local_name

SIGNATURE: Final = f"{{{DS}}}Signature"
Search = Callable[[Element], list[Element]]
_ATTRIBUTED: Final = cast("Search", etree.XPath("//*[@*]"))
FOREIGN: Final = cast("Search", etree.XPath("descendant-or-self::*[namespace-uri()!=''][1]"))
# Every spelling in which some software takes an attribute for an id counts when uniqueness is judged.
ID_SPELLINGS: Final = frozenset({"Id", "id", "ID", "iD"})


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A signature in its place (or none, when it is missing), and the element that it must cover."""

    slot: SignatureSlot
    place: str
    holder: Element | None
    signature: Element | None
    target: Element
    covers: str
    # texts of the simple elements beside the signature, where they were read already
    beside: Mapping[str, str] | None = None


XML_SPACE: Final = " \t\r\n"
IdMap = Mapping[str, Sequence[Element]]


def check_root(document: Document, policy: SignaturePolicy) -> None:
    """(2) One record, nothing but the parts that the policy knows below the root (R12)."""
    root = document.root
    if policy.root not in ("*", root.tag):
        raise malformed(
            "ROOT_UNEXPECTED", f"Phần tử gốc phải là {policy.root}, không có không gian tên. Hãy xuất lại tệp."
        )
    if policy.root == "*":
        return
    if not any(slot.covers == "." for slot in policy.slots):
        _check_parts(root, policy)


def _check_parts(root: Element, policy: SignaturePolicy) -> None:
    allowed = {slot.steps[0] for slot in policy.slots} | {slot.target[0] for slot in policy.slots}
    seen: set[str] = set()
    _check_no_text(root)
    for part in root.iterchildren():
        name = str(part.tag)
        if name not in allowed:
            raise malformed(
                "PART_UNEXPECTED", f"Phần tử {local_name(part)} không được phép nằm ngay dưới {policy.root}."
            )
        if name in seen:
            raise malformed("PART_TWICE", f"Phần tử {name} xuất hiện hai lần; mỗi học bạ chỉ có một {name}.")
        seen.add(name)


def _check_no_text(element: Element) -> None:
    """Nothing but white space between the children of an element that nobody signs as such."""
    texts = [element.text, *(part.tail for part in element.iterchildren())]
    if any(text and text.strip(XML_SPACE) for text in texts):
        raise malformed(
            "TEXT_UNEXPECTED", f"Có chữ thừa, không được ký, trong {local_name(element)}. Hãy xuất lại tệp."
        )


def read_ids(document: Document, policy: SignaturePolicy) -> dict[str, list[Element]]:
    """(3) All ids of the document, whatever their spelling; no attribute in a namespace (R8).

    Nested documents are verified on their own: what attributes they carry does not stop their neighbours.
    """
    ids: dict[str, list[Element]] = {}
    for element in _ATTRIBUTED(document.root):
        for key, value in element.items():
            name = str(key)
            if name in ID_SPELLINGS:
                ids.setdefault(str(value), []).append(element)
            elif name.startswith("{") and not _is_within(element, document.root, policy):
                raise malformed(
                    "ATTRIBUTE_NAMESPACED",
                    "Thuộc tính "
                    f"{name.rpartition('}')[2]} của {local_name(element)} thuộc không gian tên, không được phép.",
                )
    return ids


def own_id(element: Element, policy: SignaturePolicy) -> str | None:
    """The element's id in one of the spellings that the policy resolves; None when absent."""
    found = None
    for name in policy.id_attributes:
        value = element.get(name)
        if value is not None:
            if found is not None:
                return None
            found = value
    return found


def place_signatures(document: Document, policy: SignaturePolicy) -> list[Placed]:
    """(4) Each slot of the policy with its signature; anything that looks like a signature elsewhere refuses."""
    root = document.root
    placed = [item for slot in policy.slots for item in _fill_slot(root, slot, policy)]
    known = {item.signature for item in placed if item.signature is not None}
    if len(known) != sum(item.signature is not None for item in placed):
        raise malformed("SIGNATURE_TWICE", "Một chữ ký được tính cho hai vai trò.")
    for element in root.iter("{*}Signature"):
        if element not in known and not _is_nested(element, root, policy):
            raise malformed(
                "SIGNATURE_MISPLACED",
                f"Có chữ ký ở chỗ không được phép: {child_path(element, root)}. Hãy ký lại bằng phần mềm của trường.",
            )
    _check_region(root, placed, policy)
    _check_namespaces(placed, policy)
    return placed


def _check_namespaces(placed: Sequence[Placed], policy: SignaturePolicy) -> None:
    """R12: no namespace in what is signed; the region around the signatures is known by exact names already."""
    if policy.root == "*" or policy.nested:
        return
    targets = {item.target for item in placed if not item.slot.repeated}
    for target in targets:
        if any(above in targets for above in target.iterancestors()):
            continue  # looked at with the one around it
        foreign = FOREIGN(target)
        if foreign:
            raise malformed(
                "NAMESPACE_IN_DATA",
                f"Phần tử {local_name(foreign[0])} thuộc không gian tên XML lạ. Học bạ không dùng không gian tên.",
            )


def _is_nested(element: Element, root: Element, policy: SignaturePolicy) -> bool:
    return element.getparent() is not root and _is_within(element, root, policy)


def _is_within(element: Element, root: Element, policy: SignaturePolicy) -> bool:
    """The element is a nested document or a part of one."""
    if not policy.nested:
        return False
    chain = [element, *element.iterancestors()]
    below_root = chain[-2] if len(chain) > 1 and chain[-1] is root else None
    return below_root is not None and below_root.tag in policy.nested


def _fill_slot(root: Element, slot: SignatureSlot, policy: SignaturePolicy) -> list[Placed]:
    holders = [root] if not slot.steps else list(children(root, "/".join(slot.steps)))
    if slot.repeated:
        return _fill_rows(root, slot, holders)
    targets = [root] if slot.covers == "." else list(children(root, slot.covers))
    if len(targets) != 1:
        code = "CONTENT_TWICE" if targets else "CONTENT_MISSING"
        raise malformed(code, f"Học bạ phải có đúng một phần {slot.covers}, tệp có {len(targets)}.")
    if len(holders) > 1:
        raise malformed("SIGNATURE_TWICE", f"Có {len(holders)} phần {'/'.join(slot.steps)}; chỉ được có một.")
    holder = holders[0] if holders else None
    signature = _signature_of(holder, slot, slot.place, policy)
    return [Placed(slot, slot.place, holder, signature, targets[0], slot.covers)]


def _signature_of(holder: Element | None, slot: SignatureSlot, place: str, policy: SignaturePolicy) -> Element | None:
    found = [] if holder is None else list(holder.iterchildren(SIGNATURE))
    if len(found) > 1:
        raise malformed("SIGNATURE_TWICE", f"Chỗ {place} có {len(found)} chữ ký; chỉ được có một.")
    if not found and slot.required:
        raise malformed(
            "SIGNATURE_MISSING", f"Thiếu chữ ký {slot.role} (tại {place}). Hãy ký đủ các vai trò rồi gửi lại."
        )
    if not found and holder is not None and policy.root != "*" and slot.steps:
        raise malformed("SIGNATURE_MISSING", f"Phần {'/'.join(slot.steps)} có mặt nhưng không có chữ ký {slot.role}.")
    return found[0] if found else None


def _fill_rows(root: Element, slot: SignatureSlot, holders: list[Element]) -> list[Placed]:
    """Each covered row names its signature's place by the same id; both sides must match one to one."""
    rows = _by_pair(children(root, slot.covers), slot.pair_on or "", slot, "dòng")
    places = _by_pair(holders, "@" + (slot.pair_on or "").rpartition("@")[2], slot, "chữ ký")
    if slot.required and not rows:
        raise malformed("CONTENT_MISSING", f"Học bạ không có dòng nào ở {slot.covers} cho chữ ký {slot.role}.")
    spare = sorted(set(places) - set(rows))
    if spare:
        raise malformed("PAIR_UNKNOWN", f"Chữ ký {slot.role} mang Id {spare[0]} không ứng với dòng nào trong học bạ.")
    placed = []
    for key, row in rows.items():
        place = slot.place.removesuffix("/Signature") + f"[{key}]/Signature"
        holder = places.get(key)
        signatures = [] if holder is None else list(holder.iterchildren(SIGNATURE))
        if len(signatures) > 1:
            raise malformed("SIGNATURE_TWICE", f"Chỗ {place} có {len(signatures)} chữ ký; chỉ được có một.")
        if not signatures and (slot.required or holder is not None):
            raise malformed("SIGNATURE_MISSING", f"Thiếu chữ ký {slot.role} cho dòng {key}. Hãy ký đủ rồi gửi lại.")
        placed.append(Placed(slot, place, holder, signatures[0] if signatures else None, row, f"{slot.covers}[{key}]"))
    return placed


def _by_pair(elements: Iterable[Element], pair_on: str, slot: SignatureSlot, what: str) -> dict[str, Element]:
    path, _, attribute = pair_on.rpartition("@")
    found: dict[str, Element] = {}
    for element in elements:
        named = list(children(element, path.rstrip("/")))
        values = {
            str(value)
            for item in named
            for name, value in item.attrib.items()
            if str(name).lower() == attribute.lower()
        }
        if len(named) != 1 or len(values) != 1 or not (key := values.pop()).strip():
            raise malformed("PAIR_MISSING", f"Có {what} {slot.role} không mang đúng một {pair_on}.")
        if key in found:
            raise malformed("PAIR_TWICE", f"Id {key} của {slot.role} xuất hiện hai lần; mỗi {what} phải có Id riêng.")
        found[key] = element
    return found


def _check_region(root: Element, placed: Sequence[Placed], policy: SignaturePolicy) -> None:
    """The signatures' own region holds nothing but the policy's places and simple elements beside them (R12)."""
    if policy.root == "*" or any(slot.covers == "." for slot in policy.slots):
        return
    inner = {slot.steps[:depth] for slot in policy.slots for depth in range(1, len(slot.steps))}
    repeated = {slot.steps for slot in policy.slots if slot.repeated}
    for steps in sorted(inner, key=len):
        found = list(children(root, "/".join(steps)))
        if len(found) > 1:
            raise malformed("PART_TWICE", f"Phần {'/'.join(steps)} xuất hiện {len(found)} lần; chỉ được có một.")
        for element in found:
            _check_inner(element, steps, inner | {slot.steps for slot in policy.slots}, repeated)
    for item in placed:
        if item.holder is not None:
            _check_holder(item, policy)


def _check_inner(
    element: Element, steps: tuple[str, ...], known: set[tuple[str, ...]], repeated: set[tuple[str, ...]]
) -> None:
    seen: set[tuple[str, ...]] = set()
    _check_no_text(element)
    for part in element.iterchildren():
        below = (*steps, str(part.tag))
        if below not in known:
            raise malformed("PART_UNEXPECTED", f"Phần tử {local_name(part)} không được phép trong {'/'.join(steps)}.")
        if below in seen and below not in repeated:
            raise malformed("SIGNATURE_TWICE", f"Phần {'/'.join(below)} xuất hiện hai lần; chỉ được có một.")
        seen.add(below)


def _check_holder(item: Placed, policy: SignaturePolicy) -> None:
    seen: set[str] = set()
    _check_no_text(item.holder)  # type: ignore[arg-type]
    for part in item.holder.iterchildren():  # type: ignore[union-attr]
        name = str(part.tag)
        if part is item.signature:
            continue
        if name not in policy.beside or len(part) or name in seen:
            raise malformed(
                "PART_UNEXPECTED", f"Phần tử {local_name(part)} không được phép bên cạnh chữ ký {item.slot.role}."
            )
        seen.add(name)
