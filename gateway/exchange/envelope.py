"""The coding of `content` (CV 2088 PL1, types 1 and 5): XML → UTF-8 → GZip → 4-byte length → Base64.

`pack`/`encode_content` are what we send, `decode_content` is what we accept from a school or, in the
simulator, from the department. The way in trusts no length that the sender wrote: inflating stops at the
caller's limit. The bytes of the document are never changed, save for undoing a quote escape that would
otherwise leave no XML at all. The three forms of the password hash stand here too.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import re
import zlib
from typing import Final, Literal
from xml.parsers import expat

from .errors import ContentRefused

EscapeRule = Literal["none", "backslash", "entity"]
PasswordForm = Literal["sha256-hex", "sha256-hex-upper", "sha256-base64"]

_LENGTH_BYTES: Final = 4
_GZIP_WINDOW: Final = 31  # zlib: 16 (gzip header) + 15 (largest window)
_GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # deflate, no flags, no time
_WHITESPACE: Final = re.compile(rb"[ \t\r\n]+")
_ESCAPES: Final[dict[str, bytes]] = {"backslash": b'\\"', "entity": b"&quot;"}


def pack(xml: bytes, *, escape: EscapeRule = "none", level: int = 2) -> bytes:
    """The binary form inside `content`: uncompressed length (4 bytes, little-endian) and one GZip member.

    The GZip header carries no time, so the same document always packs into the same bytes.
    """
    text = xml if escape == "none" else xml.replace(b'"', _ESCAPES[escape])
    if len(text) >= 1 << 32:
        raise ContentRefused("CONTENT_TOO_BIG", "Văn bản dài quá 4 GB, không ghi được độ dài vào 4 byte.")
    return len(text).to_bytes(_LENGTH_BYTES, "little") + gzip.compress(text, compresslevel=level, mtime=0)


def content_of(packed: bytes) -> str:
    """The value of `content` for bytes that `pack` made (and the outbox has kept)."""
    return base64.b64encode(packed).decode("ascii")


def encode_content(xml: bytes, *, escape: EscapeRule = "none") -> str:
    """XML bytes → the value of `content`."""
    return content_of(pack(xml, escape=escape))


def decode_content(text: str, *, max_bytes: int) -> bytes:
    """The value of `content` → XML bytes, at most `max_bytes` of them. Raises ContentRefused."""
    return undo_escape(unpack(_from_base64(text), max_bytes=max_bytes))


def unpack(packed: bytes, *, max_bytes: int) -> bytes:
    """Length + GZip → text. The stated length must be true, but is never what we allocate by."""
    if len(packed) <= _LENGTH_BYTES:
        raise ContentRefused("CONTENT_TOO_SHORT", "Trường content quá ngắn, không có dữ liệu nén.")
    stated = int.from_bytes(packed[:_LENGTH_BYTES], "little")
    if stated > max_bytes:
        raise ContentRefused("CONTENT_TOO_BIG", f"Văn bản sau giải nén dài quá {max_bytes} byte.")
    text = _inflate(packed[_LENGTH_BYTES:], max_bytes)
    if len(text) != stated:
        raise ContentRefused(
            "CONTENT_LENGTH_MISMATCH",
            f"Độ dài ghi ở 4 byte đầu ({stated}) khác độ dài thật sau giải nén ({len(text)}).",
        )
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ContentRefused("CONTENT_NOT_UTF8", f"Văn bản không phải UTF-8 (byte thứ {problem.start}).") from None
    return text


def unpack_stored(packed: bytes) -> bytes:
    """What `pack` of our own made, whatever it holds (a certificate is not text)."""
    return gzip.decompress(packed[_LENGTH_BYTES:])


def is_package_of(packed: bytes, digest: bytes) -> bool:
    """Whether stored bytes still hold the document with this SHA-256, under whichever escape rule they were packed."""
    head = packed[_LENGTH_BYTES : _LENGTH_BYTES + len(_GZIP_HEAD)]
    try:
        text = unpack_stored(packed)
    except (OSError, EOFError, zlib.error):
        return False
    if head != _GZIP_HEAD or len(text) != int.from_bytes(packed[:_LENGTH_BYTES], "little"):
        return False
    forms = (text, *(text.replace(mark, b'"') for mark in _ESCAPES.values() if mark in text))
    return any(hashlib.sha256(form).digest() == digest for form in forms)


def undo_escape(text: bytes) -> bytes:
    """Undo `\\"` or `&quot;` where a sender escaped the quotes, and only if the text parses only so."""
    suspects = [mark for mark in _ESCAPES.values() if mark in text]
    if not suspects or _is_xml(text):
        return text
    for mark in suspects:
        undone = text.replace(mark, b'"')
        if _is_xml(undone):
            return undone
    return text


def hash_password(password: str, form: PasswordForm = "sha256-hex") -> str:
    """SHA-256 of the password in the form that the endpoint's description names."""
    digest = hashlib.sha256(password.encode("utf-8"))
    match form:
        case "sha256-hex":
            return digest.hexdigest()
        case "sha256-hex-upper":
            return digest.hexdigest().upper()
        case "sha256-base64":
            return base64.b64encode(digest.digest()).decode("ascii")


def _from_base64(text: str) -> bytes:
    try:
        # Some toolkits break Base64 into lines; anything else outside the alphabet is an error.
        return base64.b64decode(_WHITESPACE.sub(b"", text.encode("ascii")), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise ContentRefused("CONTENT_NOT_BASE64", "Trường content không phải Base64 hợp lệ.") from None


def _inflate(data: bytes, max_bytes: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = inflater.decompress(data, max_bytes + 1)
    except zlib.error:
        raise ContentRefused("CONTENT_NOT_GZIP", "Dữ liệu trong content không phải GZip hoặc đã hỏng.") from None
    if len(text) > max_bytes:
        raise ContentRefused("CONTENT_TOO_BIG", f"Văn bản sau giải nén dài quá {max_bytes} byte.")
    if not inflater.eof:
        raise ContentRefused("CONTENT_TRUNCATED", "Dữ liệu GZip bị cắt cụt.")
    if inflater.unused_data:
        raise ContentRefused("CONTENT_TRAILING_DATA", "Có dữ liệu thừa sau phần GZip.")
    return text


def _is_xml(text: bytes) -> bool:
    """Well-formed and without a document type (so that no entity can grow while we look)."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, _DoctypeSeen):
        return False
    return True


class _DoctypeSeen(Exception):
    pass


def _refuse_doctype(*_: object) -> None:
    raise _DoctypeSeen
