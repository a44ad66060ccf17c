"""The exceptions of the signing storey: reasons why no verdict could be reached.

A verdict is a value (`signing.report`), never an exception. Every error carries a stable code for programs and a
Vietnamese sentence for people that says what to do; none ever carries a value read from a pupil's record.
"""

from __future__ import annotations


class SigningError(Exception):
    """Base of all named errors; `code` never changes once released, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class MalformedDocument(SigningError):
    """The bytes are no document that may be looked at: broken XML, forbidden constructs, limits exceeded."""

    def __init__(self, code: str, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(code, message)
        self.line = line
        self.column = column


class PolicyUnreadable(SigningError):
    """A signature policy contradicts itself or names what does not exist."""


class TrustStoreUnreadable(SigningError):
    """A certificate or trust store cannot be read."""


class KeyUnavailable(SigningError):
    """A sealing key cannot be used now: wrong passphrase or PIN, token removed, session lost, service away."""


class TimestampUnavailable(SigningError):
    """No time-stamp could be obtained from any configured authority."""


class ArchiveRefused(SigningError):
    """A ZIP archive breaks one of the rules Z1 to Z8."""

    def __init__(self, code: str, message: str, member: str | None = None) -> None:
        super().__init__(code, message)
        self.member = member
