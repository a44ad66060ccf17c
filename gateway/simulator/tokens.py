"""Access tokens that need no memory: expiry and account under a keyed digest.

The key is made once and kept in the simulator's folder, so that tokens live through a restart as long as they said.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from enum import StrEnum
from pathlib import Path

from .store import write_through


class TokenState(StrEnum):
    VALID = "VALID"
    EXPIRED = "TOKEN_EXPIRED"
    INVALID = "TOKEN_INVALID"


class Tokens:
    """Issue and read tokens; `now` comes in as seconds since the epoch."""

    def __init__(self, folder: Path) -> None:
        path = folder / "token.key"
        if not path.exists():
            write_through(path, secrets.token_bytes(32))
            path.chmod(0o600)
        self._key = path.read_bytes()

    def issue(self, user_name: str, *, now: float, seconds: float) -> str:
        text = f"{now + seconds:.3f}:{secrets.token_hex(8)}:{user_name}".encode()
        return base64.urlsafe_b64encode(self._mark(text) + text).decode()

    def read(self, token: str, *, now: float) -> tuple[TokenState, str]:
        """The state of a token and the account that it was issued to ("" if it is not ours)."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except (binascii.Error, ValueError):
            return TokenState.INVALID, ""
        mark, text = raw[:32], raw[32:]
        if not hmac.compare_digest(mark, self._mark(text)):
            return TokenState.INVALID, ""
        until, _, user_name = text.decode().split(":", 2)
        return (TokenState.VALID if now < float(until) else TokenState.EXPIRED), user_name

    def _mark(self, text: bytes) -> bytes:
        return hmac.new(self._key, text, hashlib.sha256).digest()
