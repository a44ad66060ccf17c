"""Steps (5) and (6), first half: what each reference points at, by identity, and its digest.

A signature has exactly one reference to the element that the policy names, one to what carries the signing time, and
nothing else but perhaps its own KeyInfo. Rules R7, R8, R9, R18.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signing.policy import SignaturePolicy
from signing.report import SubIndication
from signing.verification.digests import DigestCache
from signing.verification.moments import XADES_PROPERTIES_TYPE, SigningTime
from signing.verification.outcome import Refusal, malformed
from signing.verification.placement import IdMap, Placed, own_id
from signing.verification.structure import ReferenceShape, SignatureShape
from signing.xml import Element

FRAGMENT: Final = re.compile(r"#([^\s#()'\"<>&%]{1,256})\Z")
_XPOINTER: Final = re.compile(r"#xpointer\(id\((['\"])([^\s'\"()]{1,256})\1\)\)\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """References sorted by what they cover; `pairs` is every reference with its element."""

    data: ReferenceShape
    pairs: tuple[tuple[ReferenceShape, Element], ...]


def resolve(
    shape: SignatureShape, placed: Placed, time: SigningTime, *, ids: IdMap, root: Element, policy: SignaturePolicy
) -> Resolved:
    """(5) Match references with elements by identity; (7) see that one of them covers the signing time."""
    pairs = []
    data: list[ReferenceShape] = []
    timed = 0
    for reference in shape.references:
        element = _target(reference, ids, root, policy)
        if element is placed.target:
            data.append(reference)
        elif any(element is carrier for carrier in time.carriers):
            timed += 1
            if time.xades is not None and reference.type != XADES_PROPERTIES_TYPE:
                raise malformed("XADES_REFERENCE_TYPE", "Tham chiếu đến SignedProperties thiếu Type đúng. Hãy ký lại.")
        elif element is not shape.key_info:
            raise Refusal(
                SubIndication.SIG_CONSTRAINTS_FAILURE,
                "REFERENCE_WRONG_TARGET",
                f"Chữ ký ký vào phần tử khác, không phải {placed.covers}. Hãy ký lại.",
            )
        pairs.append((reference, element))
    if len(data) != 1:
        raise Refusal(
            SubIndication.SIGNED_DATA_NOT_FOUND,
            "REFERENCE_TWICE" if data else "REFERENCE_MISSING",
            f"Chữ ký phải ký đúng một lần vào {placed.covers}. Hãy ký lại.",
        )
    if len({id(element) for _, element in pairs}) != len(pairs):
        raise malformed("REFERENCE_TWICE", "Chữ ký ký hai lần vào cùng một phần tử. Hãy ký lại.")
    # An enveloped signature covers itself in no part, so the root's reference does not cover the time.
    if timed != 1:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "TIME_NOT_COVERED",
            "Thời điểm ký không nằm trong phần được ký. Hãy ký lại bằng phần mềm ký cả thời điểm ký.",
        )
    _check_enveloped(data[0], placed)
    return Resolved(data[0], tuple(pairs))


def _check_enveloped(reference: ReferenceShape, placed: Placed) -> None:
    if placed.slot.covers == "." and not reference.enveloped:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "TRANSFORM_MISSING",
            "Chữ ký nằm trong phần tử được ký nhưng thiếu phép biến đổi enveloped-signature. Hãy ký lại.",
        )


def _target(reference: ReferenceShape, ids: IdMap, root: Element, policy: SignaturePolicy) -> Element:
    if reference.type.endswith("#Manifest"):
        raise malformed("MANIFEST", "Chữ ký dùng Manifest, không được phép. Hãy ký lại.")
    if reference.uri == "":
        if any(slot.covers == "." for slot in policy.slots):
            return root
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "REFERENCE_EMPTY",
            "Chữ ký ký cả tệp (URI rỗng) thay vì phần tử được nêu tên. Hãy ký lại bằng #Id.",
        )
    match = FRAGMENT.match(reference.uri)
    if match is None:
        pointer = _XPOINTER.match(reference.uri) or reference.uri.startswith("#")
        code = "REFERENCE_POINTER" if pointer else "REFERENCE_EXTERNAL"
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            code,
            "Chữ ký tham chiếu ra ngoài hoặc bằng cách không được phép. Hãy ký lại bằng #Id.",
        )
    name = match.group(1)
    found: Sequence[Element] = ids.get(name, ())
    if any(element is not found[0] for element in found[1:]):
        raise malformed(
            "ID_NOT_UNIQUE", f"Id {name} xuất hiện {len(found)} lần trong học bạ. Hãy ký lại với Id duy nhất."
        )
    if not found or own_id(found[0], policy) != name:
        raise Refusal(
            SubIndication.SIGNED_DATA_NOT_FOUND,
            "REFERENCE_UNRESOLVED",
            f"Không có phần tử nào mang Id {name} mà chữ ký nêu. Hãy ký lại.",
        )
    return found[0]


def check_digests(resolved: Resolved, shape: SignatureShape, cache: DigestCache, target: Element) -> str:
    """(6) Every reference's digest; the hex digest of the data element is returned."""
    digest = ""
    for reference, element in resolved.pairs:
        inside = reference.enveloped and element is target and _contains(element, shape.element)
        value, _ = cache.digest(element, reference, shape.element if inside else None)
        if value != reference.value:
            what = "Nội dung học bạ" if element is target else "Thời điểm ký"
            raise Refusal(
                SubIndication.HASH_FAILURE,
                "DIGEST_MISMATCH",
                f"{what} đã bị sửa sau khi ký. Hãy lấy lại bản gốc hoặc ký lại chữ ký này.",
            )
        if element is target:
            digest = value.hex()
    return digest


def _contains(outer: Element, inner: Element) -> bool:
    return outer is inner or any(item is outer for item in inner.iterancestors())
