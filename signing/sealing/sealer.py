"""The steps of sealing. No byte of what stood in the document before is changed, moved or serialised again.

Placement and spelling are deterministic: the same document, key and time give the same bytes with an RSA key (but for a
time-stamp, which is the authority's).
"""

import base64
import hashlib
from datetime import datetime

from lxml import etree

from signing.errors import MalformedDocument, TimestampUnavailable
from signing.sealing.profile import SealingKey, SealProfile, Stamper
from signing.sealing.spelling import DS, TIME_ID, Spelling, Values
from signing.xml import LIST_LIMITS, Element, parse


def seal(
    document: bytes,
    *,
    key: SealingKey,
    profile: SealProfile = SealProfile(),  # noqa: B008 - a frozen value
    at: datetime,
    stamper: Stamper | None = None,
) -> bytes:
    """The document with the key's signature as its root's last child.

    (1) parse under limits; (2) digest the root as it stands; (3) put the signature in its place and digest the signed
    properties there; (4) sign the canonical SignedInfo; (5) for XADES_T, time-stamp the canonical SignatureValue;
    (6) write the signature into the original bytes.

    Raises `MalformedDocument` when the document cannot take a seal, `KeyUnavailable` when the key cannot sign,
    `TimestampUnavailable` when the profile wants a time-stamp and none can be had.
    """
    if profile.kind == "XADES_T" and stamper is None:
        raise TimestampUnavailable("TSA_UNSET", "Kiểu chữ ký XAdES-T cần dịch vụ dấu thời gian, nhưng chưa cấu hình.")
    # (1)
    root = parse(document, limits=LIST_LIMITS).root
    spelling = Spelling(profile=profile, certificate=key.certificate, uri=_uri(root, profile), at=at)
    # (2) Enveloped: the digest is over the root without this signature, which is the root as it is now.
    values = Values(data_digest=_digest(_canonical(root, profile)))
    # (3)
    signature = etree.fromstring(spelling.write(values))
    root.append(signature)
    values.properties_digest = _digest(_canonical(_signed_properties(signature), profile))
    # (4)
    signature[0][-1][-1].text = values.properties_digest
    values.signature_value = base64.b64encode(key.sign(_canonical(signature[0], profile))).decode()
    # (5)
    if profile.kind == "XADES_T" and stamper is not None:
        signature[1].text = values.signature_value
        values.time_stamp = base64.b64encode(stamper(_canonical(signature[1], profile))).decode()
    # (6)
    return _insert(document, spelling.write(values))


def _uri(root: Element, profile: SealProfile) -> str:
    if profile.reference == "whole":
        return ""
    if root.find(f"{{{DS}}}Signature") is not None:
        raise MalformedDocument("SEAL_TWICE", "Tài liệu đã có chữ ký ở phần tử gốc: không đóng dấu lần hai.")
    identifier = root.get("Id") or root.get("id")
    if identifier is None:
        raise MalformedDocument("SEAL_NO_ID", "Phần tử gốc không có thuộc tính Id để chữ ký tham chiếu.")
    return f"#{identifier}"


def _signed_properties(signature: Element) -> Element:
    return next(element for element in signature[3].iter() if element.get("Id") == TIME_ID)


def _canonical(element: Element, profile: SealProfile) -> bytes:
    canonical: bytes = etree.tostring(element, method="c14n", exclusive=profile.c14n == "exclusive", with_tail=False)
    return canonical


def _insert(document: bytes, signature: bytes) -> bytes:
    # The parser accepted the document and it holds no comment, so its last `</` begins the root's end tag.
    end = document.rfind(b"</")
    if end < 0:
        raise MalformedDocument("SEAL_EMPTY", "Tài liệu rỗng: không có gì để đóng dấu.")
    return document[:end] + signature + document[end:]


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
