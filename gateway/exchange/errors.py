"""Why a text of the exchange format cannot be read: one exception per kind, each with a stable code.

Both hops use them (the portal's door for schools, the Ministry's answers), so they know nothing of HTTP
and never carry a pupil's data: a message names the field, not what stood in it.
"""

from __future__ import annotations


class ExchangeError(Exception):
    """Something written in the exchange format breaks it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ContentRefused(ExchangeError):
    """`content` cannot be unwrapped. Codes: CONTENT_NOT_BASE64, CONTENT_TOO_SHORT, CONTENT_NOT_GZIP,
    CONTENT_TOO_BIG, CONTENT_TRUNCATED, CONTENT_TRAILING_DATA, CONTENT_LENGTH_MISMATCH, CONTENT_NOT_UTF8."""


class MessageRefused(ExchangeError):
    """A request or an answer is not what the format says. Codes: MESSAGE_TOO_BIG, MESSAGE_NOT_JSON,
    MESSAGE_NOT_OBJECT, FIELD_MISSING, FIELD_WRONG_TYPE, FIELD_TOO_LONG, FIELD_BAD_VALUE."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(code, message)
        self.field = field
