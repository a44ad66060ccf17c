"""XML signatures as an outside party verifies them: lxml for the canonical form, cryptography for the maths.

Used on the department's seal over the list and, for a share of the records, on the school's `KY_PHAT_HANH`. A node is
parsed on its own before it is canonicalised: libxml2's inclusive form is wrong for a default namespace on an ancestor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
_ENVELOPED = DS + "enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_INCLUSIVE = {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2006/12/xml-c14n11"}
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashes.SHA512,
}
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURES: dict[str, type[hashes.HashAlgorithm]] = {
    f"{_MORE}{family}-sha{bits}": algorithm
    for family in ("rsa", "ecdsa")
    for bits, algorithm in ((256, hashes.SHA256), (384, hashes.SHA384), (512, hashes.SHA512))
}

Element = etree._Element


class SignatureRefused(Exception):
    """The signature does not hold; the message says which step failed."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good signature tells: the certificate that made it, and the references it covers."""

    certificate_der: bytes
    certificate: x509.Certificate


def parse(data: bytes) -> Element:
    """Parse without DTD, entities or network."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise SignatureRefused("tài liệu chứa DTD")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as problem:
        raise SignatureRefused(f"XML không đọc được: {problem.msg}") from None


def certificate_of(signature: Element) -> tuple[bytes, x509.Certificate]:
    """The one certificate that the signature names as its own (the first X509Certificate of KeyInfo)."""
    text = signature.findtext(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    try:
        der = base64.b64decode("".join((text or "").split()), validate=True)
        return der, x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError):
        raise SignatureRefused("không có chứng thư số trong KeyInfo") from None


def verify(signature: Element, covered: Element, *, enveloped: bool) -> Verified:
    """Check that `signature` holds and that its one same-document reference is exactly `covered`.

    Other references may only point into the signature itself (its signing time). Raises SignatureRefused.
    """
    der, certificate = certificate_of(signature)
    signed_info = _one(signature, "SignedInfo")
    references = signed_info.findall(f"{{{DS}}}Reference")
    targets = [_target(reference, signature, covered) for reference in references]
    if sum(target is covered for target in targets) != 1:
        raise SignatureRefused("chữ ký không phủ đúng phần phải ký")
    for reference, target in zip(references, targets, strict=True):
        _check_reference(reference, target, signature, enveloped=enveloped and target is covered)
    _check_value(signature, signed_info, certificate)
    return Verified(der, certificate)


def canonical(element: Element, method: str) -> bytes:
    """The canonical form of one element without comments; `method` is the algorithm's URI."""
    if method != _EXCLUSIVE and method not in _INCLUSIVE:
        raise SignatureRefused(f"phép chuẩn tắc lạ: {method}")
    alone = element
    if element.getparent() is not None:
        alone = parse(etree.tostring(element, with_tail=False, encoding="utf-8"))
    return etree.tostring(alone, method="c14n", exclusive=method == _EXCLUSIVE, with_comments=False)


def _target(reference: Element, signature: Element, covered: Element) -> Element:
    uri = reference.get("URI")
    root = signature.getroottree().getroot()
    if uri == "":
        return root
    if not uri or not uri.startswith("#"):
        raise SignatureRefused("tham chiếu ra ngoài tài liệu")
    name = uri[1:]
    if name in (covered.get("id"), covered.get("Id")):
        if _count(root, name, skip_records=covered is root) != 1:
            raise SignatureRefused(f"định danh {name} không duy nhất")
        return covered
    inside = [e for e in signature.iter() if isinstance(e.tag, str) and name in (e.get("Id"), e.get("id"))]
    if len(inside) != 1:
        raise SignatureRefused(f"không tìm thấy phần được ký {name}")
    return inside[0]


def _count(root: Element, name: str, *, skip_records: bool) -> int:
    """How many elements carry the id. In a list ids are unique only within one record, so records are not entered."""
    if not skip_records:
        elements: list[Element] = list(root.iter(etree.Element))
    else:
        elements = [root, *root.iterchildren(etree.Element)]
        elements += [e for child in root.iterchildren(f"{{{DS}}}Signature") for e in child.iterdescendants()]
    return sum(name in (element.get("id"), element.get("Id")) for element in elements)


def _check_reference(reference: Element, target: Element, signature: Element, *, enveloped: bool) -> None:
    transforms = [t.get("Algorithm", "") for t in reference.findall(f"{{{DS}}}Transforms/{{{DS}}}Transform")]
    if enveloped != (_ENVELOPED in transforms):
        raise SignatureRefused("phép biến đổi enveloped không đúng chỗ")
    methods = [t for t in transforms if t != _ENVELOPED] or ["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]
    if len(methods) != 1:
        raise SignatureRefused("quá nhiều phép biến đổi")
    algorithm = _DIGESTS.get(_one(reference, "DigestMethod").get("Algorithm", ""))
    if algorithm is None:
        raise SignatureRefused("thuật toán băm không được chấp nhận")
    data = _without(target, signature, methods[0]) if enveloped else canonical(target, methods[0])
    digest = hashlib.new(str(algorithm().name), data).digest()
    if digest != _base64(_one(reference, "DigestValue")):
        raise SignatureRefused("giá trị băm không khớp")


def _without(target: Element, signature: Element, method: str) -> bytes:
    """Enveloped transform: the signature is taken out for a moment, the white space after it stays."""
    parent = signature.getparent()
    if parent is None:
        raise SignatureRefused("chữ ký không nằm trong danh sách")
    place, tail, before = parent.index(signature), signature.tail, signature.getprevious()
    anchor_tail = parent.text if before is None else before.tail
    joined = (anchor_tail or "") + (tail or "")
    parent.remove(signature)
    signature.tail = None
    _set_text_before(parent, before, joined)
    try:
        return canonical(target, method)
    finally:
        _set_text_before(parent, before, anchor_tail)
        parent.insert(place, signature)
        signature.tail = tail


def _set_text_before(parent: Element, before: Element | None, text: str | None) -> None:
    if before is None:
        parent.text = text
    else:
        before.tail = text


def _check_value(signature: Element, signed_info: Element, certificate: x509.Certificate) -> None:
    method = _one(signed_info, "SignatureMethod").get("Algorithm", "")
    algorithm = _SIGNATURES.get(method)
    if algorithm is None:
        raise SignatureRefused("thuật toán ký không được chấp nhận")
    data = canonical(signed_info, _one(signed_info, "CanonicalizationMethod").get("Algorithm", ""))
    value, key = _base64(_one(signature, "SignatureValue")), certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and "rsa" in method:
            key.verify(value, data, padding.PKCS1v15(), algorithm())
        elif isinstance(key, ec.EllipticCurvePublicKey) and "ecdsa" in method:
            half = len(value) // 2
            r, s = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(algorithm()))
        else:
            raise SignatureRefused("loại khóa không hợp với thuật toán ký")
    except InvalidSignature:
        raise SignatureRefused("giá trị chữ ký không đúng") from None


def _one(parent: Element, name: str) -> Element:
    found = parent.findall(f"{{{DS}}}{name}")
    if len(found) != 1:
        raise SignatureRefused(f"thiếu hoặc thừa {name}")
    return found[0]


def _base64(element: Element) -> bytes:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused(f"{etree.QName(element).localname} không phải Base64") from None
