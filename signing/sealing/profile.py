"""How a seal is spelt, and what a sealing key must be able to do. Values and ports only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

# The DER of an RFC 3161 time-stamp token over the given bytes; raises `TimestampUnavailable`.
Stamper = Callable[[bytes], bytes]


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

    kind: Literal["XMLDSIG", "XADES_B", "XADES_T"] = "XMLDSIG"
    c14n: Literal["exclusive", "inclusive"] = "exclusive"
    reference: Literal["id", "whole"] = "id"
