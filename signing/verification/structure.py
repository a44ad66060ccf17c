"""The exact shape of one Signature element (R6, R9, R11, R13), read into a frozen value.

Every child, attribute and text is accounted for by child steps; what is not foreseen refuses the signature. Nothing is
computed here: `references` and `values` do the mathematics on what this module found.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signing.algorithms import (
    CANONICALIZATIONS,
    DIGESTS,
    DS,
    ENVELOPED,
    EXC_C14N,
    INCLUSIVE_C14N,
    SIGNATURE_METHODS,
    Canonicalization,
    SignatureMethod,
)
from signing.report import SubIndication
from signing.verification.outcome import Refusal, malformed
from signing.xml import Element, local_name

_XML_SPACE: Final = " \t\r\n"
_MAX_REFERENCES: Final = 4
_MAX_OBJECTS: Final = 4
# libxml2 looks for each of them at each element.
_MAX_PREFIXES: Final = 32
# lxml passes this one over: the bytes would be others than the signer's, and a rightful file be called altered.
_DEFAULT: Final = "#default"


@dataclass(frozen=True, slots=True)
class Method:
    """A canonicalisation with its exclusive prefix list."""

    c14n: Canonicalization
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceShape:
    uri: str
    type: str
    enveloped: bool
    method: Method
    digest: str
    value: bytes


@dataclass(frozen=True, slots=True, eq=False)
class SignatureShape:
    """Everything a Signature says, by name; elements are those of the gated tree."""

    element: Element
    signed_info: Element
    method: Method
    algorithm: SignatureMethod
    references: tuple[ReferenceShape, ...]
    value: bytes
    key_info: Element
    objects: tuple[Element, ...]


def ds(name: str) -> str:
    """Tag in the XML signature namespace."""
    return f"{{{DS}}}{name}"


_SIGNED_INFO: Final = ds("SignedInfo")
_SIGNATURE_VALUE: Final = ds("SignatureValue")
_KEY_INFO: Final = ds("KeyInfo")
_OBJECT: Final = ds("Object")
_REFERENCE: Final = ds("Reference")


def read_shape(signature: Element) -> SignatureShape:
    """The shape of one signature. Raises `Refusal` with the code of the rule that is broken."""
    check_simple(signature, attributes=("Id", "id"))
    parts = list(signature.iterchildren())
    tags = [part.tag for part in parts]
    if tags.count(_SIGNED_INFO) != 1 or tags[:2] != [_SIGNED_INFO, _SIGNATURE_VALUE]:
        raise malformed("SIGNED_INFO", "Chữ ký phải bắt đầu bằng đúng một SignedInfo rồi SignatureValue. Hãy ký lại.")
    if tags.count(_KEY_INFO) != 1 or tags[2] != _KEY_INFO:
        raise Refusal(
            SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
            "KEYINFO_MISSING",
            "Chữ ký không có KeyInfo chứa chứng thư số. Hãy ký lại, kèm chứng thư (X509Certificate).",
        )
    objects = parts[3:]
    if any(part.tag != _OBJECT for part in objects) or len(objects) > _MAX_OBJECTS:
        raise malformed("SIGNATURE_CHILD", "Chữ ký chứa phần tử không được phép. Hãy ký lại.")
    method, algorithm, references = _read_signed_info(parts[0])
    value = _read_base64(parts[1], "VALUE_MALFORMED")
    check_simple(parts[2], attributes=("Id", "id"))
    return SignatureShape(signature, parts[0], method, algorithm, references, value, parts[2], tuple(objects))


def _read_signed_info(element: Element) -> tuple[Method, SignatureMethod, tuple[ReferenceShape, ...]]:
    check_simple(element, attributes=("Id", "id"))
    parts = list(element.iterchildren())
    tags = [part.tag for part in parts]
    if tags[:2] != [ds("CanonicalizationMethod"), ds("SignatureMethod")] or any(tag != _REFERENCE for tag in tags[2:]):
        raise malformed("SIGNED_INFO", "SignedInfo không đúng cấu trúc. Hãy ký lại.")
    if not 1 <= len(parts) - 2 <= _MAX_REFERENCES:
        code = "REFERENCE_MISSING" if len(parts) == 2 else "REFERENCE_TOO_MANY"
        raise malformed(code, f"Chữ ký phải có từ 1 đến {_MAX_REFERENCES} tham chiếu. Hãy ký lại.")
    return _read_c14n(parts[0], "C14N_FORBIDDEN"), _read_algorithm(parts[1]), tuple(map(_read_reference, parts[2:]))


def _read_c14n(element: Element, code: str) -> Method:
    check_simple(element, attributes=("Algorithm",))
    uri = element.get("Algorithm", "")
    c14n = CANONICALIZATIONS.get(uri)
    if c14n is None:
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            code,
            f"Phép biến đổi {uri[:120] or '(trống)'} không được chấp nhận. Hãy ký lại bằng C14N.",
        )
    prefixes: tuple[str, ...] = ()
    parts = list(element.iterchildren())
    if parts:
        if (
            len(parts) > 1
            or not c14n.exclusive
            or parts[0].tag != f"{{{EXC_C14N}}}InclusiveNamespaces"
            or len(parts[0])
        ):
            raise malformed("TRANSFORM_CHILD", "Phép chuẩn hoá có tham số lạ. Hãy ký lại.")
        check_simple(parts[0], attributes=("PrefixList",))
        prefixes = tuple(parts[0].get("PrefixList", "").split())
        if len(prefixes) > _MAX_PREFIXES:
            raise malformed("TRANSFORM_PREFIXES", "Phép chuẩn hoá nêu quá nhiều tiền tố không gian tên. Hãy ký lại.")
        if _DEFAULT in prefixes:
            raise Refusal(
                SubIndication.SIG_CONSTRAINTS_FAILURE,
                "TRANSFORM_DEFAULT_PREFIX",
                "Phép chuẩn hoá nêu không gian tên mặc định (#default), hệ thống không hỗ trợ. Hãy ký lại, bỏ #default "
                "khỏi PrefixList.",
            )
    return Method(c14n, prefixes)


def _read_algorithm(element: Element) -> SignatureMethod:
    check_simple(element, attributes=("Algorithm",))
    uri = element.get("Algorithm", "")
    if len(element):
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "METHOD_PARAMETERS",
            "Thuật toán ký có tham số không được phép. Hãy ký lại.",
        )
    method = SIGNATURE_METHODS.get(uri)
    if method is None:
        if "hmac" in uri.lower():
            raise Refusal(
                SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
                "METHOD_HMAC",
                "Chữ ký dùng mã HMAC, không phải chữ ký số. Hãy ký lại.",
            )
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "METHOD_UNSUPPORTED",
            f"Thuật toán ký {uri[:120] or '(trống)'} không được chấp nhận. Hãy ký lại bằng RSA hoặc ECDSA với SHA-256.",
        )
    return method


def _read_reference(element: Element) -> ReferenceShape:
    check_simple(element, attributes=("Id", "id", "URI", "Type"))
    parts = list(element.iterchildren())
    enveloped, method = False, Method(CANONICALIZATIONS[INCLUSIVE_C14N])
    if parts and parts[0].tag == ds("Transforms"):
        enveloped, method = _read_transforms(parts.pop(0))
    if [part.tag for part in parts] != [ds("DigestMethod"), ds("DigestValue")]:
        raise malformed("REFERENCE_CHILD", "Tham chiếu của chữ ký không đúng cấu trúc. Hãy ký lại.")
    uri = element.get("URI")
    if uri is None:
        raise malformed("REFERENCE_NO_URI", "Tham chiếu của chữ ký không nêu phần tử được ký. Hãy ký lại.")
    check_simple(parts[0], attributes=("Algorithm",))
    digest = DIGESTS.get(parts[0].get("Algorithm", ""))
    if digest is None or len(parts[0]):
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "DIGEST_UNSUPPORTED",
            "Thuật toán băm của chữ ký không được chấp nhận. Hãy ký lại bằng SHA-256.",
        )
    return ReferenceShape(
        uri, element.get("Type", ""), enveloped, method, digest, _read_base64(parts[1], "DIGEST_MALFORMED")
    )


def _read_transforms(element: Element) -> tuple[bool, Method]:
    """R9: at most [enveloped-signature] and then [one canonicalisation]; none means inclusive C14N 1.0."""
    check_simple(element)
    parts = list(element.iterchildren())
    if any(part.tag != ds("Transform") for part in parts):
        raise malformed("REFERENCE_CHILD", "Tham chiếu của chữ ký không đúng cấu trúc. Hãy ký lại.")
    method = Method(CANONICALIZATIONS[INCLUSIVE_C14N])
    enveloped = bool(parts) and parts[0].get("Algorithm") == ENVELOPED
    if enveloped:
        check_simple(parts[0], attributes=("Algorithm",))
        if len(parts.pop(0)):
            raise malformed("TRANSFORM_CHILD", "Phép biến đổi có tham số lạ. Hãy ký lại.")
    if parts:
        method = _read_c14n(parts.pop(0), "TRANSFORM_FORBIDDEN")
    for part in parts:
        _read_c14n(part, "TRANSFORM_FORBIDDEN")
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE, "TRANSFORM_ORDER", "Chữ ký có quá nhiều phép biến đổi. Hãy ký lại."
        )
    return enveloped, method


def _read_base64(element: Element, code: str) -> bytes:
    check_leaf(element, attributes=("Id", "id"))
    try:
        value = decode_base64((element.text or "").encode("ascii"))
    except (binascii.Error, ValueError):
        raise malformed(code, f"Giá trị {local_name(element)} không phải Base64. Hãy ký lại.") from None
    if not value:
        raise malformed(code, f"Giá trị {local_name(element)} trống. Hãy ký lại.")
    return value


def decode_base64(text: bytes) -> bytes:
    """Base64 with XML white space in it. Raises ValueError for anything else."""
    return base64.b64decode(text.translate(None, b" \t\r\n"), validate=True)


def read_base64(element: Element, code: str) -> bytes:
    """Bytes of a leaf in Base64; white space is dropped, anything else refuses."""
    return _read_base64(element, code)


def check_simple(element: Element, *, attributes: Sequence[str] = ()) -> None:
    """Only known attributes and no text between the children."""
    for name in element.attrib:
        if name not in attributes:
            raise malformed(
                "SIGNATURE_ATTRIBUTE", f"Thuộc tính {str(name)[:60]} không được phép trong {local_name(element)}."
            )
    if element.text and element.text.strip(_XML_SPACE):
        raise malformed("SIGNATURE_TEXT", f"Có chữ thừa trong {local_name(element)} của chữ ký. Hãy ký lại.")
    for part in element.iterchildren():
        if part.tail and part.tail.strip(_XML_SPACE):
            raise malformed("SIGNATURE_TEXT", f"Có chữ thừa trong {local_name(element)} của chữ ký. Hãy ký lại.")


def check_leaf(element: Element, *, attributes: Sequence[str] = ()) -> None:
    """Only known attributes and no child elements (R10)."""
    for name in element.attrib:
        if name not in attributes:
            raise malformed(
                "SIGNATURE_ATTRIBUTE", f"Thuộc tính {str(name)[:60]} không được phép trong {local_name(element)}."
            )
    if len(element):
        raise malformed("SIGNATURE_CHILD", f"Phần tử {local_name(element)} của chữ ký không được chứa phần tử con.")
