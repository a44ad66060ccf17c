"""Steps (2) and (4) for a shortened record: one strict walk below the root instead of one search per rule.

Stricter than `placement`, never looser: every element outside the content must be one that the policy names, each once
(rows by their pair), every place must hold its signature. Anything else gives None and `placement` words the refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from signing.policy import SignaturePolicy, SignatureSlot
from signing.verification.placement import SIGNATURE, XML_SPACE, Placed
from signing.xml import Element, children

_MAX_PLANS: Final = 64


@dataclass(slots=True)
class _Part:
    """What may stand at one step of the region: the holder of a signature, or parts below it."""

    slot: SignatureSlot | None = None
    parts: dict[str, _Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy as a tree of steps."""

    policy: SignaturePolicy
    region: Mapping[str, _Part]
    contents: frozenset[str]


_plans: dict[int, Plan | None] = {}
_policies: dict[int, SignaturePolicy] = {}  # keeps a policy alive, so that its number stays its own


def plan_of(policy: SignaturePolicy) -> Plan | None:
    """The plan of a policy for single records; None when its places are of another kind."""
    key = id(policy)
    if key not in _policies:
        if len(_policies) >= _MAX_PLANS:
            _plans.clear()
            _policies.clear()
        _plans[key] = _make(policy)
        _policies[key] = policy
    return _plans[key]


def _make(policy: SignaturePolicy) -> Plan | None:
    if policy.root == "*" or policy.nested or any(slot.covers == "." or not slot.steps for slot in policy.slots):
        return None
    top = _Part()
    for slot in policy.slots:
        part = top
        for step in slot.steps:
            if part.slot is not None:
                return None
            part = part.parts.setdefault(step, _Part())
        if part.slot is not None or part.parts:
            return None
        part.slot = slot
    contents = frozenset(slot.target[0] for slot in policy.slots)
    # A signature inside covered content would be read as data.
    return None if contents & top.parts.keys() else Plan(policy, top.parts, contents)


@dataclass(frozen=True, slots=True, eq=False)
class _Holder:
    element: Element
    signature: Element
    beside: Mapping[str, str]


class _Odd(Exception):
    """Not exactly as the plan says."""


def _blank(text: str | None) -> None:
    """No text between elements, as `placement` has it, within the one walk."""
    if text and text.strip(XML_SPACE):
        raise _Odd


def place_known(root: Element, plan: Plan) -> list[Placed] | None:
    """Each slot of the policy with its signature and the element that it must cover, in the policy's order."""
    try:
        return _place(root, plan)
    except _Odd:
        return None


def _place(root: Element, plan: Plan) -> list[Placed]:
    if root.tag != plan.policy.root:
        raise _Odd
    _blank(root.text)
    seen: set[str] = set()
    holders: dict[str, list[_Holder]] = {}
    beside = frozenset(plan.policy.beside)
    for element in root.iterchildren():
        _blank(element.tail)
        tag = str(element.tag)
        if tag in seen:
            raise _Odd
        seen.add(tag)
        if tag in plan.region:
            _walk(element, plan.region[tag], beside, holders)
        elif tag not in plan.contents:
            raise _Odd
    contents: dict[str, list[Element]] = {}
    placed: list[Placed] = []
    for slot in plan.policy.slots:
        if slot.covers not in contents:
            contents[slot.covers] = list(children(root, slot.covers))
        _fill(slot, contents[slot.covers], holders.get(slot.place, []), placed)
    return placed


def _walk(element: Element, part: _Part, beside: frozenset[str], holders: dict[str, list[_Holder]]) -> None:
    if part.slot is not None:
        holders.setdefault(part.slot.place, []).append(_holder(element, beside))
        return
    _blank(element.text)
    seen: set[str] = set()
    for inner in element.iterchildren():
        _blank(inner.tail)
        tag = str(inner.tag)
        known = part.parts.get(tag)
        if known is None or (tag in seen and not (known.slot is not None and known.slot.repeated)):
            raise _Odd
        seen.add(tag)
        _walk(inner, known, beside, holders)


def _holder(element: Element, beside: frozenset[str]) -> _Holder:
    _blank(element.text)
    signature: Element | None = None
    texts: dict[str, str] = {}
    for part in element.iterchildren():
        _blank(part.tail)
        tag = str(part.tag)
        if tag == SIGNATURE and signature is None:
            signature = part
        elif tag in beside and tag not in texts and not len(part):
            texts[tag] = (part.text or "").strip()
        else:
            raise _Odd
    if signature is None:
        raise _Odd
    return _Holder(element, signature, texts)


def _fill(slot: SignatureSlot, contents: list[Element], holders: list[_Holder], placed: list[Placed]) -> None:
    if slot.repeated:
        _fill_rows(slot, contents, holders, placed)
        return
    if len(contents) != 1 or len(holders) > 1 or (slot.required and not holders):
        raise _Odd
    for holder in holders:
        placed.append(
            Placed(slot, slot.place, holder.element, holder.signature, contents[0], slot.covers, holder.beside)
        )


def _fill_rows(slot: SignatureSlot, rows: list[Element], holders: list[_Holder], placed: list[Placed]) -> None:
    path, _, attribute = (slot.pair_on or "").rpartition("@")
    path = path.rstrip("/")
    attribute = attribute.lower()
    places = {_pair(holder.element, attribute): holder for holder in holders}
    if len(places) != len(holders) or len(rows) != len(holders) or not rows:
        raise _Odd
    for row in rows:
        named = list(children(row, path))
        if len(named) != 1:
            raise _Odd
        key = _pair(named[0], attribute)
        holder = places.pop(key, None)  # so that a second row of the same pair finds none
        if holder is None:
            raise _Odd
        place = f"{slot.place.removesuffix('/Signature')}[{key}]/Signature"
        covers = f"{slot.covers}[{key}]"
        placed.append(Placed(slot, place, holder.element, holder.signature, row, covers, holder.beside))


def _pair(element: Element, attribute: str) -> str:
    items = element.items()
    if len(items) != 1:
        raise _Odd
    name, value = items[0]
    if str(name).lower() != attribute or not (key := str(value)).strip():
        raise _Odd
    return key
