"""Step (7): the signing time, where it stands, and that a reference of the same signature covers it.

Accepted: `Object/SignatureProperties/SignatureProperty/SigningTime` (in the XML signature namespace, in none, or in one
of its own) and, where the policy allows XAdES, `SignedSignatureProperties/SigningTime`. A time that no reference covers
is no signing time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from signing.algorithms import XADES
from signing.report import SubIndication
from signing.verification.outcome import Refusal, malformed
from signing.verification.structure import SignatureShape, check_leaf, check_simple, ds
from signing.xml import Element, local_name

XADES_PROPERTIES_TYPE: Final = "http://uri.etsi.org/01903#SignedProperties"
_WIDEST_ZONE: Final = timedelta(hours=14)  # XML Schema 1.0 part 2, § 3.2.7.3
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)\Z")


@dataclass(frozen=True, slots=True, eq=False)
class TimePlace:
    """Where the signing time stands: its element, the elements that carry it, SignedProperties when it is XAdES."""

    element: Element
    carriers: tuple[Element, ...]
    xades: Element | None = None
    stamped: bool = False  # a time-stamp stands among the unsigned properties


@dataclass(frozen=True, slots=True, eq=False)
class SigningTime:
    """The claimed time and the elements of which one must be covered by a reference for it to count."""

    at: datetime
    carriers: tuple[Element, ...]
    xades: Element | None = None  # SignedProperties, when the signature is XAdES
    stamped: bool = False


def xades(name: str) -> str:
    """Tag in the XAdES namespace."""
    return f"{{{XADES}}}{name}"


def read_signing_time(shape: SignatureShape, *, allow_xades: bool) -> SigningTime:
    """Find the only signing time by exact child steps. Raises `Refusal` TIME_MISSING, TIME_TWICE, TIME_MALFORMED …"""
    place = read_time_place(shape, allow_xades=allow_xades)
    return SigningTime(parse_moment(place.element.text), place.carriers, place.xades, place.stamped)


def read_time_place(shape: SignatureShape, *, allow_xades: bool) -> TimePlace:
    """Where the only signing time stands; its value is not looked at."""
    found: list[TimePlace] = []
    for item in shape.objects:
        check_simple(item, attributes=("Id", "id"))
        parts = list(item.iterchildren())
        if len(parts) != 1:
            raise malformed("OBJECT_UNEXPECTED", "Object của chữ ký phải chứa đúng một phần tử. Hãy ký lại.")
        if parts[0].tag in (ds("SignatureProperties"), "SignatureProperties"):
            found.append(_from_properties(item, parts[0]))
        elif allow_xades and parts[0].tag == xades("QualifyingProperties"):
            found.append(_from_xades(shape, item, parts[0]))
        else:
            code = "MANIFEST" if parts[0].tag == ds("Manifest") else "OBJECT_UNEXPECTED"
            raise malformed(code, f"Object của chữ ký chứa {local_name(parts[0])}, không được phép. Hãy ký lại.")
    if not found:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "TIME_MISSING",
            "Chữ ký không có thời điểm ký (SigningTime trong "
            "Object/SignatureProperties/SignatureProperty). Hãy ký lại.",
        )
    if len(found) > 1:
        raise malformed("TIME_TWICE", "Chữ ký có hai thời điểm ký. Hãy ký lại.")
    return found[0]


def _from_properties(item: Element, properties: Element) -> TimePlace:
    check_simple(properties, attributes=("Id", "id"))
    parts = list(properties.iterchildren())
    if len(parts) != 1 or parts[0].tag not in (ds("SignatureProperty"), "SignatureProperty"):
        raise malformed("OBJECT_UNEXPECTED", "SignatureProperties phải chứa đúng một SignatureProperty. Hãy ký lại.")
    carrier = parts[0]
    check_simple(carrier, attributes=("Id", "id", "Target"))
    times = list(carrier.iterchildren())
    if not times:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE, "TIME_MISSING", "Chữ ký không có thời điểm ký. Hãy ký lại."
        )
    if len(times) > 1:
        raise malformed("TIME_TWICE", "Chữ ký có nhiều hơn một giá trị thời điểm ký. Hãy ký lại.")
    if local_name(times[0]) != "SigningTime":
        raise malformed(
            "OBJECT_UNEXPECTED", f"SignatureProperty chứa {local_name(times[0])}, không được phép. Hãy ký lại."
        )
    check_leaf(times[0], attributes=("Id", "id"))
    return TimePlace(times[0], (times[0], carrier, properties, item))


_SIGNED: Final = frozenset(
    xades(name)
    for name in (
        "SigningTime", "SigningCertificate", "SigningCertificateV2", "SignaturePolicyIdentifier",
        "SignatureProductionPlace", "SignatureProductionPlaceV2", "SignerRole", "SignerRoleV2",
    )
)  # fmt: skip
_UNSIGNED: Final = frozenset(xades(name) for name in ("SignatureTimeStamp", "CertificateValues", "RevocationValues"))


def _from_xades(shape: SignatureShape, item: Element, properties: Element) -> TimePlace:
    check_simple(properties, attributes=("Id", "id", "Target"))
    own = shape.element.get("Id") or shape.element.get("id")
    if properties.get("Target") != f"#{own}":
        raise malformed("XADES_TARGET", "QualifyingProperties không trỏ đến chữ ký của nó. Hãy ký lại.")
    parts = list(properties.iterchildren())
    if [part.tag for part in parts] not in (
        [xades("SignedProperties")], [xades("SignedProperties"), xades("UnsignedProperties")],
    ):  # fmt: skip
        raise malformed("XADES_STRUCTURE", "QualifyingProperties không đúng cấu trúc. Hãy ký lại.")
    signed = parts[0]
    check_simple(signed, attributes=("Id", "id"))
    groups = [part.tag for part in signed.iterchildren()]
    if groups not in (
        [xades("SignedSignatureProperties")],
        [xades("SignedSignatureProperties"), xades("SignedDataObjectProperties")],
    ):
        raise malformed("XADES_STRUCTURE", "SignedProperties không đúng cấu trúc. Hãy ký lại.")
    if len(parts) > 1:
        _check_unsigned(parts[1])
    inner = list(signed[0].iterchildren())
    tags = [part.tag for part in inner]
    if len(set(tags)) != len(tags) or set(tags) - _SIGNED:
        raise malformed("XADES_STRUCTURE", "SignedSignatureProperties có phần tử lạ hoặc lặp. Hãy ký lại.")
    if xades("SigningTime") not in tags:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE, "TIME_MISSING", "Chữ ký không có thời điểm ký. Hãy ký lại."
        )
    moment = inner[tags.index(xades("SigningTime"))]
    check_leaf(moment)
    return TimePlace(moment, (signed,), signed, len(parts) > 1 and _has_stamp(parts[1]))


def _has_stamp(element: Element) -> bool:
    return any(part.tag == xades("SignatureTimeStamp") for group in element.iterchildren() for part in group)


def _check_unsigned(element: Element) -> None:
    """R13: unsigned properties are from a short list and never read as data; a counter-signature is not in it."""
    for group in element.iterchildren():
        if group.tag != xades("UnsignedSignatureProperties"):
            raise malformed("XADES_UNSIGNED", "Chữ ký có thuộc tính không được ký lạ. Hãy ký lại.")
        for part in group.iterchildren():
            if part.tag not in _UNSIGNED:
                raise malformed(
                    "XADES_UNSIGNED", f"Thuộc tính không được ký {local_name(part)} không được phép. Hãy ký lại."
                )


def parse_moment(text: str | None) -> datetime:
    """`YYYY-MM-DDThh:mm:ssTZD` with an explicit zone; anything else refuses."""
    value = (text or "").strip()
    if not _MOMENT.match(value) or not value.isascii():
        raise malformed("TIME_MALFORMED", "Thời điểm ký phải có dạng 2026-05-30T18:39:30+07:00. Hãy ký lại.")
    body, fraction = value.replace("Z", "+00:00"), ""
    if "." in body:
        head, _, rest = body.partition(".")
        fraction, zone = rest[:-6], rest[-6:]
        body = f"{head}.{fraction[:6].ljust(6, '0')}{zone}"
    try:
        moment = datetime.fromisoformat(body)
        if abs(moment.utcoffset() or timedelta()) > _WIDEST_ZONE:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed("TIME_MALFORMED", "Thời điểm ký không phải ngày giờ có thật. Hãy ký lại.") from None
