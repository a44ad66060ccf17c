"""Judges certificates of a vector set: path and revocation with the set's own anchors, certificates and lists.

Path and CRL logic is pyhanko-certvalidator's, with `revocation_mode="require"`: in its softer modes a revoked
certificate without a pointer to a list passes. Nothing is fetched.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import InsufficientRevinfoError, PathError, ValidationError

from signing.errors import TrustStoreUnreadable
from signing.trust import CertificateFacts, TrustStore, read_certificate
from signing.trust.store import certificates_in

_SUFFIXES: Final = (".crt", ".cer", ".der", ".pem")
# A set may hold an attacker's certificate for its forged files: material, but nobody's anchor.
_ATTACKERS: Final = re.compile(
    r"mallory|attack|evil|rogue|fake|forge|hacker|malicious|adversar|intruder|impost|wrong|stranger|bogus"
    r"|(?:un|dis|non|not)[-_ ]?trust|unknown|unrelated|invalid"
    r"|(?<![a-z])(?:eve|mitm|trudy|bad)(?![a-z])",
    re.IGNORECASE,
)


class CertificateSet:
    """All certificates and revocation lists of one set."""

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self.files = [folder / path for path in paths]

    @cached_property
    def _contents(self) -> list[tuple[str, bytes]]:
        found = []
        for file in self.files:
            if file.suffix.lower() in _SUFFIXES and file.is_file():
                found.append((file.name.lower(), file.read_bytes()))
        return found

    @cached_property
    def trust(self) -> TrustStore:
        """The set's certificates as anchors and intermediates; self-signed ones of attackers left out."""
        honest = [data for name, data in self._readable if not _is_attackers(name, data)]
        named = [data for name, data in self._readable if "anchor" in name]
        return self._named_store(named, honest) if named else TrustStore.from_certificates(honest)

    def _named_store(self, named: list[bytes], others: list[bytes]) -> TrustStore:
        store = TrustStore.from_certificates(named)
        rest = TrustStore.from_certificates(others)
        known = {item.sha256 for item in store.anchors}
        spare = [item for item in (*rest.anchors, *rest.intermediates) if item.sha256 not in known]
        return TrustStore(store.anchors, tuple(spare), store.digest)

    @cached_property
    def _readable(self) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for name, data in self._contents:
            try:
                held = certificates_in(data)
                for one in held:
                    read_certificate(one)
            except TrustStoreUnreadable:
                continue
            found.extend((name, one) for one in held)
        return found

    @cached_property
    def _lists(self) -> list[Any]:
        found = []
        for file in self.files:
            if file.suffix.lower() == ".crl" and file.is_file():
                try:
                    parsed = asn1_crl.CertificateList.load(file.read_bytes(), strict=True)
                    _ = parsed.native
                except (ValueError, TypeError, KeyError):
                    continue
                found.append(parsed)
        return found

    @cached_property
    def _spare(self) -> list[Any]:
        return [asn1_x509.Certificate.load(item.der) for item in self.trust.intermediates]

    def _related(self, leaf: Any) -> tuple[list[Any], list[Any]]:
        """Only what the path can need, by name: issuers of issuers, and those who issue lists for them."""
        names = {leaf.issuer.hashable, *_list_issuers(leaf)}
        found: list[Any] = []
        grown = True
        while grown:
            new = [item for item in self._spare if item.subject.hashable in names and item not in found]
            found.extend(new)
            before = len(names)
            for item in new:
                names |= {item.issuer.hashable, *_list_issuers(item)}
            grown = len(names) > before
        lists = [item for item in self._lists if item.issuer.hashable in names]
        return [item for item in found if item.dump() != leaf.dump()], lists

    def judge(self, data: bytes, at: datetime) -> tuple[str, str, str]:
        """Verdict, code and reason for one certificate as a signer's, at the time `at`."""
        try:
            leaf = read_certificate(data)
        except TrustStoreUnreadable as error:
            return "unsupported", error.code, error.message
        if not self.trust.anchors:
            return "unsupported", "NO_ANCHOR", "the set names no trust anchor"
        try:
            return self._validate(leaf, at)
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            NotImplementedError,
            OverflowError,
        ) as error:
            return "unsupported", "UNFORESEEN", f"a certificate of the set cannot be read ({type(error).__name__})"

    def _validate(self, leaf: CertificateFacts, at: datetime) -> tuple[str, str, str]:
        load = asn1_x509.Certificate.load
        certificates, lists = self._related(load(leaf.der))
        if any(_has_unique_id(item) for item in (load(leaf.der), *certificates)):
            return "unsupported", "UNIQUE_ID", "unique identifiers of X.509 v2 are not supported"
        context = ValidationContext(
            trust_roots=[load(item.der) for item in self.trust.anchors],
            other_certs=certificates,
            crls=lists,
            moment=at,
            allow_fetching=False,
            revocation_mode="require",
        )
        try:
            asyncio.run(CertificateValidator(load(leaf.der), validation_context=context).async_validate_path())
        except InsufficientRevinfoError as error:
            # No verdict, so neither a pass nor a proof that something is wrong.
            return "unsupported", "InsufficientRevinfoError", str(error)[:200]
        except (PathError, ValidationError) as error:
            return ("unsupported" if leaf.public_key is None else "invalid"), type(error).__name__, str(error)[:200]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError) as error:
            return "unsupported", "UNFORESEEN", type(error).__name__
        return "valid", "OK", ""


def _is_attackers(name: str, data: bytes) -> bool:
    """Only a self-signed one could become an anchor; an honest set may well call an authority of its own "bad"."""
    facts = read_certificate(data)
    return facts.is_self_signed and any(_ATTACKERS.search(text) for text in (name, facts.common_name))


def _list_issuers(certificate: Any) -> set[str]:
    """Names of those who issue revocation lists for this certificate on its issuer's behalf."""
    names = set()
    for point in certificate.crl_distribution_points_value or ():
        for name in point["crl_issuer"] or ():
            if name.name == "directory_name":
                names.add(name.chosen.hashable)
    return names


def _has_unique_id(certificate: Any) -> bool:
    """RFC 5280 § 4.1.2.8: must not be made, and no path builder of ours tells names apart by them."""
    body = certificate["tbs_certificate"]
    return body["issuer_unique_id"].native is not None or body["subject_unique_id"].native is not None
