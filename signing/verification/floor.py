"""The floor of the benchmark: the mathematics of a record's signatures in C and nothing else.

For measuring only; it judges nothing, knows no policy, no place, no chain, and must never be used for a verdict.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from signing.algorithms import DS, SIGNATURE_METHODS
from signing.trust import read_certificate
from signing.xml import canonical_bytes

_SIGNATURE: Final = f"{{{DS}}}Signature"
_IDENTIFIED: Final[Any] = etree.XPath("//*[@Id or @id]")
_PKCS1: Final = padding.PKCS1v15()
_HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


class Floor:
    """Prepared with the keys of all records: which key verifies which signature is known before."""

    def __init__(self, records: Iterable[bytes]) -> None:
        self._plans: dict[bytes, list[dict[str, Any]]] = {data: _plan(data) for data in records}

    def signatures(self, record: bytes) -> int:
        return len(self._plans[record])

    def verify(self, record: bytes) -> None:
        """Parse, canonical form and digest once per distinct element and method, SignedInfo, value with the key."""
        root = etree.fromstring(record)
        signatures = list(root.iter(_SIGNATURE))
        elements = {item.get("Id") or item.get("id"): item for item in _IDENTIFIED(root)}
        done: set[tuple[str, bool]] = set()
        for signature, plan in zip(signatures, self._plans[record], strict=True):
            for identifier, exclusive in plan["references"]:
                if (identifier, exclusive) not in done:
                    done.add((identifier, exclusive))
                    hashlib.sha256(canonical_bytes(elements[identifier], exclusive=exclusive)).digest()
            data = canonical_bytes(signature[0], exclusive=plan["exclusive"])
            key = plan["key"]
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(plan["value"], data, _PKCS1, plan["hash"])
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(plan["value"], data, ec.ECDSA(plan["hash"]))


def _plan(record: bytes) -> list[dict[str, Any]]:
    plans = []
    for signature in etree.fromstring(record).iter(_SIGNATURE):
        info = signature[0]
        references = []
        for reference in info.iter(f"{{{DS}}}Reference"):
            methods = [item.get("Algorithm", "") for item in reference.iter(f"{{{DS}}}Transform")]
            references.append((reference.get("URI", "#")[1:], any("exc-c14n" in item for item in methods)))
        text = next(signature.iter(f"{{{DS}}}X509Certificate")).text or ""
        key = read_certificate(base64.b64decode(text)).public_key
        value = base64.b64decode(signature[1].text or "")
        if isinstance(key, ec.EllipticCurvePublicKey):
            half = len(value) // 2
            value = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
        plans.append(
            {
                "references": references,
                "exclusive": "exc-c14n" in info[0].get("Algorithm", ""),
                "key": key,
                "value": value,
                "hash": _HASHES[SIGNATURE_METHODS[info[1].get("Algorithm", "")].digest],
            }
        )
    return plans
