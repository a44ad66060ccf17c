"""Sealing: one organisation's XMLDSig signature over a whole document.

The signature is written into the document as bytes, just before the root's end tag: no byte of what was there before is
changed, moved or serialised again. The signing time stands in `Object/SignatureProperties` and is signed too.
Placement and spelling are deterministic: the same document, key and time give the same bytes with an RSA key.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from signing.errors import MalformedDocument
from signing.xml import LIST_LIMITS, Element, parse

DS = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = f"{DS}enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"


class SealingKey(Protocol):
    """A private key with its certificate, wherever the key lives. The key itself never leaves its holder."""

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuers' certificates known to the holder, DER, nearest first; may be empty."""

    def sign(self, data: bytes) -> bytes:
        """The signature value over `data`: RSA PKCS#1 v1.5 with SHA-256, or ECDSA with SHA-256 as r‖s.

        Raises `signing.errors.KeyUnavailable` when the key cannot be used now.
        """

    def close(self) -> None:
        """Let go of sessions and memory."""


@dataclass(frozen=True, slots=True)
class SealProfile:
    """How a seal is spelt; the values come from the endpoint's description."""

    kind: Literal["XMLDSIG"] = "XMLDSIG"
    c14n: Literal["exclusive", "inclusive"] = "exclusive"
    reference: Literal["id", "whole"] = "id"


def seal(document: bytes, *, key: SealingKey, profile: SealProfile = SealProfile(), at: datetime) -> bytes:
    """The document with the key's signature as its root's last child.

    (1) parse under limits, (2) digest the root as it stands, (3) put the signature in place and digest its signing
    time there, (4) sign the canonical SignedInfo, (5) write the signature into the original bytes.

    Raises `MalformedDocument` when the document cannot take a seal, `KeyUnavailable` when the key cannot sign.
    """
    # (1)
    root = parse(document, limits=LIST_LIMITS).root
    uri = _reference_uri(root, profile)
    exclusive = profile.c14n == "exclusive"
    # (2) Enveloped: the digest is over the root without this signature, which is the root as it is now.
    values = {"DATA_DIGEST": _digest(etree.tostring(root, method="c14n", exclusive=exclusive))}
    # (3)
    spelling = _spelling(key, profile, uri, at)
    signature = etree.fromstring(_fill(spelling, values))
    root.append(signature)
    values["TIME_DIGEST"] = _digest(etree.tostring(signature[3], method="c14n", exclusive=exclusive, with_tail=False))
    signature[0][-1][-1].text = values["TIME_DIGEST"]
    # (4)
    signed_info = etree.tostring(signature[0], method="c14n", exclusive=exclusive, with_tail=False)
    values["SIGNATURE_VALUE"] = base64.b64encode(key.sign(signed_info)).decode()
    # (5)
    return _insert(document, _fill(spelling, values).encode())


def _reference_uri(root: Element, profile: SealProfile) -> str:
    if profile.reference == "whole":
        return ""
    identifier = root.get("Id") or root.get("id")
    if identifier is None:
        raise MalformedDocument("SEAL_NO_ID", "Phần tử gốc không có thuộc tính Id để chữ ký tham chiếu.")
    return f"#{identifier}"


def _spelling(key: SealingKey, profile: SealProfile, uri: str, at: datetime) -> str:
    certificate = x509.load_der_x509_certificate(key.certificate)
    method = _signature_method(certificate)
    c14n = EXCLUSIVE if profile.c14n == "exclusive" else INCLUSIVE
    subject = _escape(certificate.subject.rfc4514_string())
    encoded = base64.b64encode(key.certificate).decode()
    return (
        f'<ds:Signature xmlns:ds="{DS}" Id="chuKyGoi"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{c14n}"/><ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI="{_escape(uri)}"><ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"/>'
        f'<ds:Transform Algorithm="{c14n}"/></ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"/>'
        "<ds:DigestValue>{DATA_DIGEST}</ds:DigestValue></ds:Reference>"
        f'<ds:Reference URI="#thoiDiemKyGoi"><ds:Transforms><ds:Transform Algorithm="{c14n}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{{TIME_DIGEST}}</ds:DigestValue></ds:Reference>'
        "</ds:SignedInfo><ds:SignatureValue>{SIGNATURE_VALUE}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509SubjectName>{subject}</ds:X509SubjectName>"
        f"<ds:X509Certificate>{encoded}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        '<ds:Object Id="thoiDiemKyGoi"><SignatureProperties><SignatureProperty Target="#chuKyGoi">'
        f"<SigningTime>{at.isoformat(timespec='seconds')}</SigningTime>"
        "</SignatureProperty></SignatureProperties></ds:Object></ds:Signature>"
    )


def _fill(spelling: str, values: dict[str, str]) -> str:
    for name in ("DATA_DIGEST", "TIME_DIGEST", "SIGNATURE_VALUE"):
        spelling = spelling.replace(f"{{{name}}}", values.get(name, ""))
    return spelling


def _signature_method(certificate: x509.Certificate) -> str:
    match certificate.public_key():
        case rsa.RSAPublicKey():
            return RSA_SHA256
        case ec.EllipticCurvePublicKey():
            return ECDSA_SHA256
        case other:
            raise MalformedDocument("SEAL_KEY_KIND", f"Không ký được bằng loại khoá {type(other).__name__}.")


def _insert(document: bytes, signature: bytes) -> bytes:
    # The parser accepted the document, so its last `</` begins the root's end tag.
    end = document.rfind(b"</")
    if end < 0:
        raise MalformedDocument("SEAL_EMPTY", "Tài liệu rỗng: không có gì để đóng dấu.")
    return document[:end] + signature + document[end:]


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
