"""Strict reading of JSON texts and of single fields: the ground under `messages`.

A text is read once, under a size limit, without duplicate keys and without NaN. A field is taken with its
type, or MessageRefused says which one is wrong; unknown fields are ignored (the format is extended by
the Ministry without notice).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NoReturn

from .errors import MessageRefused

JsonObject = Mapping[str, object]

DEFAULT_MAX_BYTES: Final = 1 << 20
MAX_TEXT: Final = 4000
_HALF_CHARACTER: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> object:
    """JSON bytes → value. Codes: MESSAGE_TOO_BIG, MESSAGE_NOT_JSON."""
    if len(data) > max_bytes:
        raise MessageRefused("MESSAGE_TOO_BIG", f"Bản tin dài quá {max_bytes} byte.")
    try:
        text = data.decode("utf-8-sig")
        value: object = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        if _HALF_CHARACTER.search(data):
            dumps(value)  # a lone surrogate is no text: it could be neither stored nor echoed
        return value
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise MessageRefused("MESSAGE_NOT_JSON", "Bản tin không phải JSON hợp lệ (UTF-8, không trùng khóa).") from None


def dumps(value: object) -> bytes:
    """A message's JSON value → compact UTF-8 bytes; Vietnamese stays readable on the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def as_object(value: object, field: str = "") -> JsonObject:
    """The value as a JSON object."""
    if not isinstance(value, dict):
        raise MessageRefused("MESSAGE_NOT_OBJECT", "Bản tin phải là một đối tượng JSON.", field)
    return value


def text(source: JsonObject, field: str, *, max_length: int = MAX_TEXT) -> str:
    """A text that must be there and must not be empty."""
    value = optional_text(source, field, max_length=max_length)
    if not value:
        raise MessageRefused("FIELD_MISSING", f"Thiếu trường {field}.", field)
    return value


def optional_text(source: JsonObject, field: str, *, max_length: int = MAX_TEXT) -> str:
    """A text, or "" where it is absent or null. Numbers are taken as their digits (codes come both ways)."""
    value = source.get(field)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    if not isinstance(value, str):
        raise MessageRefused("FIELD_WRONG_TYPE", f"Trường {field} phải là chuỗi.", field)
    if len(value) > max_length:
        raise MessageRefused("FIELD_TOO_LONG", f"Trường {field} dài quá {max_length} ký tự.", field)
    if "\x00" in value:
        raise MessageRefused("FIELD_BAD_VALUE", f"Trường {field} chứa ký tự không được phép.", field)
    return value


def remark(source: JsonObject, field: str, *, max_length: int = MAX_TEXT) -> str:
    """What only a person reads: cut, cleaned or spelt out rather than refused, for nothing is decided by it and the
    rest of the message must not be lost over it."""
    value = source.get(field)
    if value is None:
        return ""
    try:
        spelt = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return ""
    clean = spelt.replace("\x00", "\ufffd")
    return clean if len(clean) <= max_length else clean[: max_length - 1] + "…"


def number(source: JsonObject, field: str, *, lowest: int, highest: int) -> int:
    """A whole number in a range; digits written as a text are taken too."""
    value = source.get(field)
    if value is None:
        raise MessageRefused("FIELD_MISSING", f"Thiếu trường {field}.", field)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageRefused("FIELD_WRONG_TYPE", f"Trường {field} phải là số nguyên.", field)
    if not lowest <= value <= highest:
        raise MessageRefused("FIELD_BAD_VALUE", f"Trường {field} phải từ {lowest} đến {highest}.", field)
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Two parsers that pick different twins would read different messages.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
