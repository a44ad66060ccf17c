"""Names of the algorithms of XML signature, and which of them a policy lets in.

Only a table and a value: no cryptography happens here. What is not in the table does not exist for the verifier; HMAC
and DSA are left out on purpose, and SHA-1 and MD5 are known only so that they can be refused by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
DSIG_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
DSIG_MORE_2007: Final = "http://www.w3.org/2007/05/xmldsig-more#"
XMLENC: Final = "http://www.w3.org/2001/04/xmlenc#"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
INCLUSIVE_C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED: Final = DS + "enveloped-signature"


class KeyKind(StrEnum):
    RSA = "RSA"
    EC = "EC"


class Padding(StrEnum):
    PKCS1 = "PKCS1"
    PSS = "PSS"
    ECDSA = "ECDSA"


@dataclass(frozen=True, slots=True)
class SignatureMethod:
    """One signature algorithm: its URI, the key it needs, the padding and the digest inside."""

    uri: str
    name: str
    key: KeyKind
    padding: Padding
    digest: str


@dataclass(frozen=True, slots=True)
class Canonicalization:
    """One canonicalisation method. 1.0 and 1.1 give the same bytes here, because no `xml:*` attribute is let in.

    The forms with comments are left out on purpose: no comment may stand in a record (R4, R9).
    """

    uri: str
    exclusive: bool


_HASHES: Final[Mapping[str, Callable[..., Any]]] = {
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}

DIGESTS: Final[Mapping[str, str]] = {
    XMLENC + "sha256": "sha256",
    DSIG_MORE + "sha384": "sha384",
    XMLENC + "sha512": "sha512",
    DS + "sha1": "sha1",
    DSIG_MORE + "md5": "md5",
}
DIGEST_URIS: Final[Mapping[str, str]] = {name: uri for uri, name in DIGESTS.items()}

SIGNATURE_METHODS: Final[Mapping[str, SignatureMethod]] = {
    method.uri: method
    for method in (
        SignatureMethod(DSIG_MORE + "rsa-sha256", "RSA-SHA256", KeyKind.RSA, Padding.PKCS1, "sha256"),
        SignatureMethod(DSIG_MORE + "rsa-sha384", "RSA-SHA384", KeyKind.RSA, Padding.PKCS1, "sha384"),
        SignatureMethod(DSIG_MORE + "rsa-sha512", "RSA-SHA512", KeyKind.RSA, Padding.PKCS1, "sha512"),
        SignatureMethod(DSIG_MORE_2007 + "sha256-rsa-MGF1", "RSA-PSS-SHA256", KeyKind.RSA, Padding.PSS, "sha256"),
        SignatureMethod(DSIG_MORE_2007 + "sha384-rsa-MGF1", "RSA-PSS-SHA384", KeyKind.RSA, Padding.PSS, "sha384"),
        SignatureMethod(DSIG_MORE_2007 + "sha512-rsa-MGF1", "RSA-PSS-SHA512", KeyKind.RSA, Padding.PSS, "sha512"),
        SignatureMethod(DSIG_MORE + "ecdsa-sha256", "ECDSA-SHA256", KeyKind.EC, Padding.ECDSA, "sha256"),
        SignatureMethod(DSIG_MORE + "ecdsa-sha384", "ECDSA-SHA384", KeyKind.EC, Padding.ECDSA, "sha384"),
        SignatureMethod(DSIG_MORE + "ecdsa-sha512", "ECDSA-SHA512", KeyKind.EC, Padding.ECDSA, "sha512"),
        SignatureMethod(DS + "rsa-sha1", "RSA-SHA1", KeyKind.RSA, Padding.PKCS1, "sha1"),
    )
}

CANONICALIZATIONS: Final[Mapping[str, Canonicalization]] = {
    uri: Canonicalization(uri, exclusive)
    for uri, exclusive in (
        (INCLUSIVE_C14N, False),
        ("http://www.w3.org/2006/12/xml-c14n11", False),
        (EXC_C14N, True),
    )
}

_WEAK_DIGESTS: Final = frozenset({"sha1", "md5"})


def digest_of(name: str, data: bytes) -> bytes:
    """Digest of `data`; the name comes from `DIGESTS` and was let in by a policy before."""
    return bytes(_HASHES[name](data, usedforsecurity=True).digest())


@dataclass(frozen=True, slots=True)
class AlgorithmPolicy:
    """Which algorithms a policy lets in. `sha1_until` lets old records in: signed before it and only then."""

    digests: frozenset[str] = frozenset({"sha256", "sha384", "sha512"})
    paddings: frozenset[Padding] = frozenset(Padding)
    min_rsa_bits: int = 2048
    min_ec_bits: int = 256
    sha1_until: datetime | None = None

    def admits_digest(self, name: str, signed_at: datetime | None) -> bool:
        """Whether this digest may be relied on for something signed at that time."""
        if name in self.digests and name not in _WEAK_DIGESTS:
            return True
        return name == "sha1" and self.sha1_until is not None and signed_at is not None and signed_at < self.sha1_until

    def admits_method(self, method: SignatureMethod, signed_at: datetime | None) -> bool:
        """Whether this signature method may be relied on for something signed at that time."""
        return method.padding in self.paddings and self.admits_digest(method.digest, signed_at)

    def admits_key(self, kind: str, bits: int) -> bool:
        """Whether a key of that kind and size is strong enough."""
        if kind == KeyKind.RSA:
            return bits >= self.min_rsa_bits
        return kind == KeyKind.EC and bits >= self.min_ec_bits
