"""Judges certificates of a vector set: path and revocation with the set's own anchors, certificates and lists.

Path and CRL logic is pyhanko-certvalidator's, with `revocation_mode="require"`: in its softer modes a revoked
certificate without a pointer to a list passes. Nothing is fetched.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from asn1crypto import crl as asn1_crl
from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InsufficientRevinfoError,
    PathBuildingError,
    PathError,
    RevokedError,
    ValidationError,
)

from signing.errors import TrustStoreUnreadable
from signing.revocation import RevocationCache
from signing.trust import (
    CertificateFacts,
    RevocationAnswer,
    RevocationSource,
    RevocationState,
    TrustStore,
    read_certificate,
)
from signing.trust.store import certificates_in
from signing.vectors.index import Line

CERTIFICATE_SUFFIXES: Final = (".crt", ".cer", ".der", ".pem")
_ANSWER_SUFFIXES: Final = (".ors", ".ocsp", ".orp", ".rsp")
_PEM_LIST: Final = b"-----BEGIN X509 CRL-----"
# A set may hold an attacker's certificate for its forged files: material, but nobody's anchor.
_ATTACKERS: Final = re.compile(
    r"mallory|attack|evil|rogue|fake|forge|hacker|malicious|adversar|intruder|impost|wrong|stranger|bogus|spoof|hostile"
    r"|counterfeit|unauthori[sz]ed|outsider|compromis|stolen|leaked|villain"
    r"|(?:un|dis|non|not|no)[-_ ]?trust|unknown|unrelated|invalid|not?[-_ ](?:an?[-_ ])?(?:trust[-_ ])?anchor"
    r"|(?<![a-z])(?:eve|mitm|trudy|bad)(?![a-z])"
    r"|kẻ (?:tấn công|gian|xấu|lạ)|giả mạo|không (?:được )?tin|ke[-_ ]?tan[-_ ]?cong|gia[-_ ]?mao",
    re.IGNORECASE,
)

# What the libraries that read certificates and walk paths raise on odd ones, not yet supported algorithms included; it
# proves neither a pass nor a fault of the file.
_STUMBLES: Final = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Held:
    """One certificate of a file, and what the index calls that file."""

    der: bytes
    facts: CertificateFacts
    is_material: bool
    # the path without what all files of the set share, and the reason column
    words: str

    @property
    def may_be_anchor(self) -> bool:
        """Never what is itself to be judged, nor an attacker's."""
        named = any(_ATTACKERS.search(text) for text in (self.words, self.facts.common_name))
        return self.is_material and self.facts.is_self_signed and not named


class _OnlyRevoked:
    """A `RevocationSource` that lets pass what a set says nothing of: few sets bring lists for all their files.

    `path_says` is asked too: lists that prove nothing good (partial, indirect) may yet name a certificate.
    """

    def __init__(self, cache: RevocationCache, path_says: Callable[[bytes, datetime], tuple[str, str, str]]) -> None:
        self._cache = cache
        self._path_says = path_says

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        answer = self._cache.status(certificate, issuer, at=at, now=at)
        if answer.state is RevocationState.REVOKED:
            return answer
        revoked = self._path_says(certificate, at)[1] == RevokedError.__name__
        return RevocationAnswer(RevocationState.REVOKED if revoked else RevocationState.GOOD)


class CertificateSet:
    """All certificates and revocation lists of one set, its own and those of folders that help it."""

    def __init__(self, folder: Path, lines: Sequence[Line], helpers: Sequence[Line] = ()) -> None:
        self._folder = folder
        shared = _shared_folder(lines)
        own = [(line, line.path.removeprefix(shared)) for line in lines]
        self._lines = [*own, *((line, line.path) for line in helpers)]

    @property
    def is_empty(self) -> bool:
        """No certificate at all, readable or not."""
        return not any(line.path.lower().endswith(CERTIFICATE_SUFFIXES) for line, _ in self._lines)

    def _files(self, suffixes: tuple[str, ...]) -> Iterator[tuple[Line, str, bytes]]:
        for line, shown in self._lines:
            file = self._folder / line.path
            if file.suffix.lower() in suffixes and file.is_file():
                yield line, shown, file.read_bytes()

    @cached_property
    def trust(self) -> TrustStore:
        """The set's material as anchors, what it judges as intermediates; self-signed ones of attackers left out."""
        honest = [item for item in self._readable if item.may_be_anchor]
        roots = [item for item in honest if "anchor" in item.words.lower()] or honest
        # Beside an authority, a certificate that somebody made for himself is a signer's, trusted by nobody.
        anchors = [item.der for item in roots if item.facts.is_authority] or [item.der for item in roots]
        spare = [item.der for item in self._readable if item.facts.is_authority and not item.facts.is_self_signed]
        return TrustStore.from_certificates(spare, anchors=anchors)

    @cached_property
    def revocation(self) -> RevocationSource | None:
        """What the set's own lists and answers tell, if it has any; only a revocation counts."""
        cache = RevocationCache()
        for data in self._list_files:
            cache.add_crl(data)
        answers = [data for _, _, data in self._files(_ANSWER_SUFFIXES)]
        for data in answers:
            cache.add_ocsp(data)
        return _OnlyRevoked(cache, self.judge) if self._list_files or answers else None

    @cached_property
    def _readable(self) -> list[_Held]:
        found: list[_Held] = []
        for line, shown, data in self._files(CERTIFICATE_SUFFIXES):
            try:
                held = [(one, read_certificate(one)) for one in certificates_in(data)]
            except TrustStoreUnreadable:
                continue
            words = f"{shown} {line.reason}"
            found.extend(_Held(one, facts, line.expected == "material", words) for one, facts in held)
        return found

    @cached_property
    def _list_files(self) -> list[bytes]:
        named = [data for _, _, data in self._files((".crl",))]
        return [*named, *(data for _, _, data in self._files(CERTIFICATE_SUFFIXES) if _PEM_LIST in data)]

    @cached_property
    def _lists(self) -> list[Any]:
        found = []
        for data in self._list_files:
            try:
                body = pem.unarmor(data)[2] if pem.detect(data) else data
                parsed = asn1_crl.CertificateList.load(body, strict=True)
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
        if leaf.is_self_signed:
            return "unsupported", "SELF_SIGNED", "trusted or not, no path of a set can say"
        try:
            return self._validate(leaf, at)
        except _STUMBLES as error:
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
        except (InsufficientRevinfoError, PathBuildingError, ExpiredError) as error:
            # Neither a pass nor a proof that something is wrong: an issuer or a list that the set does not bring, or a
            # certificate that was good in its time.
            return "unsupported", type(error).__name__, str(error)[:200]
        except (PathError, ValidationError) as error:
            return ("unsupported" if leaf.public_key is None else "invalid"), type(error).__name__, str(error)[:200]
        return "valid", "OK", ""


def _shared_folder(lines: Sequence[Line]) -> str:
    """The folder that all files lie in: what it is called says nothing of any one of them."""
    try:
        return os.path.commonpath([str(Path(line.path).parent) for line in lines])
    except ValueError:
        return ""  # none, or some given from the root of the disk


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
