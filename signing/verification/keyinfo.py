"""Which certificate a signature names (R11): exactly one signer's certificate in X509Data, nothing that contradicts it.

A KeyValue or issuer-and-serial beside it is tolerated when it says the same; a key without certificate, a URL, a CRL or
anything else is refused. Nothing is fetched.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing.errors import TrustStoreUnreadable
from signing.report import ReportWarning, SubIndication
from signing.trust import CertificateFacts, read_certificate
from signing.verification.issuer import is_issuer, is_serial
from signing.verification.outcome import Refusal
from signing.verification.structure import check_leaf, check_simple, ds, read_base64
from signing.xml import Element, local_name

IssuerSerial = tuple[str, str]
_MAX_CERTIFICATES: Final = 6
_DSIG11: Final = "http://www.w3.org/2009/xmldsig11#"
_EC_KEY_VALUE: Final = f"{{{_DSIG11}}}ECKeyValue"
_CURVES: Final = {
    "secp256r1": "urn:oid:1.2.840.10045.3.1.7",
    "secp384r1": "urn:oid:1.3.132.0.34",
    "secp521r1": "urn:oid:1.3.132.0.35",
}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """The signer's certificate, the others that came along, and what does not quite fit."""

    certificate: CertificateFacts
    others: tuple[CertificateFacts, ...]
    subject_name: str | None


def _none(code: str, message: str) -> Refusal:
    return Refusal(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, code, message)


def read_key_info(element: Element) -> KeyInfo:
    """The certificate of the signer. Raises `Refusal` with NO_SIGNING_CERTIFICATE_FOUND."""
    encoded: list[bytes] = []
    subjects: list[str] = []
    serials: list[IssuerSerial] = []
    keys: list[Element] = []
    for part in element.iterchildren():
        if part.tag == ds("X509Data"):
            _read_x509_data(part, encoded, subjects, serials)
        elif part.tag == ds("KeyValue"):
            keys.append(part)
        else:
            raise _none(
                "KEYINFO_UNEXPECTED",
                f"KeyInfo chứa {local_name(part)}, không được phép. Hãy ký lại, chỉ kèm chứng thư.",
            )
    if not encoded:
        raise _none(
            "CERTIFICATE_MISSING", "Chữ ký không kèm chứng thư số (X509Certificate), không biết ai ký. Hãy ký lại."
        )
    facts = [_facts(item) for item in encoded]
    signer, others = _pick_signer(facts)
    for key in keys:
        _check_key_value(key, signer)
    for name, serial in serials:
        meant = [item for item in (signer, *others) if is_serial(serial, item)]
        if not meant:
            raise _none(
                "KEYINFO_CONTRADICTS", "Số sê-ri nêu trong KeyInfo không phải của chứng thư kèm theo. Hãy ký lại."
            )
        if not any(is_issuer(name, item) for item in meant):
            raise _none(
                "KEYINFO_ISSUER_DIFFERS", "Nơi cấp nêu trong KeyInfo không phải của chứng thư kèm theo. Hãy ký lại."
            )
    return KeyInfo(signer, others, subjects[0] if len(subjects) == 1 and len(facts) == 1 else None)


def _read_x509_data(element: Element, encoded: list[bytes], subjects: list[str], serials: list[IssuerSerial]) -> None:
    check_simple(element)
    for part in element.iterchildren():
        if part.tag == ds("X509Certificate"):
            check_leaf(part)
            encoded.append(_certificate_bytes(part))
        elif part.tag == ds("X509SubjectName"):
            check_leaf(part)
            subjects.append((part.text or "").strip())
        elif part.tag == ds("X509IssuerSerial"):
            check_simple(part)
            if [item.tag for item in part.iterchildren()] != [ds("X509IssuerName"), ds("X509SerialNumber")]:
                raise _none("KEYINFO_UNEXPECTED", "X509IssuerSerial không đúng cấu trúc. Hãy ký lại.")
            check_leaf(part[0])
            check_leaf(part[1])
            serials.append((part[0].text or "", part[1].text or ""))
        else:
            raise _none("KEYINFO_UNEXPECTED", f"X509Data chứa {local_name(part)}, không được phép. Hãy ký lại.")
    if len(encoded) > _MAX_CERTIFICATES:
        raise _none("KEYINFO_UNEXPECTED", "Chữ ký kèm quá nhiều chứng thư. Hãy ký lại.")


def _certificate_bytes(element: Element) -> bytes:
    text = element.text or ""
    if "-----BEGIN" in text:
        raise _none(
            "CERTIFICATE_UNREADABLE", "Chứng thư trong chữ ký phải là Base64 của DER, không phải PEM. Hãy ký lại."
        )
    return read_base64(element, "CERTIFICATE_UNREADABLE")


def _facts(der: bytes) -> CertificateFacts:
    try:
        return read_certificate(der)
    except TrustStoreUnreadable:
        raise _none("CERTIFICATE_UNREADABLE", "Không đọc được chứng thư trong chữ ký. Hãy ký lại.") from None


def _pick_signer(facts: Sequence[CertificateFacts]) -> tuple[CertificateFacts, tuple[CertificateFacts, ...]]:
    """The one end-entity certificate; the order in the file does not matter, two candidates refuse."""
    different = list({item.sha256: item for item in facts}.values())
    candidates = [item for item in different if not item.is_authority]
    if len(different) == 1:
        candidates = different
    if len(candidates) != 1:
        raise _none(
            "CERTIFICATE_AMBIGUOUS", "Chữ ký kèm nhiều chứng thư, không rõ của ai. Hãy ký lại với một chứng thư."
        )
    return candidates[0], tuple(item for item in different if item is not candidates[0])


def _check_key_value(element: Element, signer: CertificateFacts) -> None:
    check_simple(element)
    contradiction = _none(
        "KEYINFO_CONTRADICTS", "Khoá nêu trong KeyValue không phải của chứng thư kèm theo. Hãy ký lại."
    )
    parts = list(element.iterchildren())
    if len(parts) != 1:
        raise contradiction
    check_simple(parts[0], attributes=("Id",))
    same: bool | None
    if parts[0].tag == ds("RSAKeyValue"):
        same = _is_rsa_key(parts[0], signer.public_key)
    elif parts[0].tag == _EC_KEY_VALUE:
        same = _is_curve_point(parts[0], signer.public_key)
    else:
        same = None
    if same is None:
        raise _none(
            "KEYINFO_UNEXPECTED",
            f"KeyValue chứa {local_name(parts[0])}, không đối chiếu được với chứng thư. Hãy ký lại.",
        )
    if not same:
        raise contradiction


def _is_rsa_key(element: Element, key: object) -> bool:
    if [item.tag for item in element.iterchildren()] != [ds("Modulus"), ds("Exponent")]:
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    numbers = key.public_numbers()
    return [_integer(item) for item in element.iterchildren()] == [numbers.n, numbers.e]


def _is_curve_point(element: Element, key: object) -> bool | None:
    """XML Signature 1.1 § 4.5.2.3: a named curve and an uncompressed point; no curve is read from a file.

    None where a key is spelt in a way that is not compared: other curves, curves by parameters, compressed points.
    """
    parts = list(element.iterchildren())
    if [item.tag for item in parts] != [f"{{{_DSIG11}}}NamedCurve", f"{{{_DSIG11}}}PublicKey"]:
        return None
    check_leaf(parts[0], attributes=("URI",))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    if key.curve.name not in _CURVES:
        return None
    if parts[0].get("URI") != _CURVES[key.curve.name]:
        return False
    point = read_base64(parts[1], "KEYINFO_CONTRADICTS")
    if point[:1] in (b"\2", b"\3"):
        return None
    return point == key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _integer(element: Element) -> int:
    check_leaf(element)
    try:
        return int.from_bytes(base64.b64decode("".join((element.text or "").split()), validate=True), "big")
    except (binascii.Error, ValueError):
        return -1


def subject_warning(info: KeyInfo) -> ReportWarning | None:
    """X509SubjectName is spelt differently by every tool; the least is that the name in it is the certificate's."""
    if info.subject_name is None or not info.certificate.common_name:
        return None
    said = info.subject_name.replace("\\", "").replace('"', "")
    if info.certificate.common_name.replace("\\", "").replace('"', "") in said:
        return None
    return ReportWarning("SUBJECT_NAME_DIFFERS", "Tên trong X509SubjectName không phải tên trên chứng thư kèm theo.")
