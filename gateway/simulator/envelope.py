"""The coding of `content`, read independently of the portal: Base64, 4-byte length, GZip.

The stated length is checked but never trusted: inflating stops at the limit.
"""

from __future__ import annotations

import base64
import binascii
import zlib


class ContentUnreadable(Exception):
    """The content is not what the format says; the message goes into the answer."""


def unpack(content: str, *, max_bytes: int) -> tuple[bytes, bytes]:
    """The GZip stream as it came, and the document in it."""
    try:
        raw = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ContentUnreadable("content không phải Base64") from None
    if len(raw) < 5:
        raise ContentUnreadable("content quá ngắn")
    stated, packed = int.from_bytes(raw[:4], "little"), raw[4:]
    document = inflate(packed, max_bytes=max_bytes)
    if len(document) != stated:
        raise ContentUnreadable(f"độ dài ghi {stated}, độ dài thật {len(document)}")
    return packed, document


def inflate(packed: bytes, *, max_bytes: int) -> bytes:
    machine = zlib.decompressobj(wbits=31)
    try:
        document = machine.decompress(packed, max_bytes + 1)
    except zlib.error:
        raise ContentUnreadable("content không phải GZip") from None
    if len(document) > max_bytes:
        raise DocumentTooLarge(f"tài liệu dài quá {max_bytes} byte")
    if not machine.eof or machine.unused_data:
        raise ContentUnreadable("dòng GZip bị cụt hoặc thừa")
    return document


class DocumentTooLarge(ContentUnreadable):
    """Over the limit of the raw XML."""
