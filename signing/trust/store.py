"""The trust store: the anchors and intermediate certificates that the administrator loaded, nothing else.

A self-signed certificate in the given set is an anchor, any other authority certificate an intermediate; an operator
who wants an intermediate as an anchor says so. `digest` identifies the set and stands in stored evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.errors import TrustStoreUnreadable
from signing.trust.certificates import CertificateFacts, read_certificate

_SUFFIXES: Final = frozenset({".pem", ".crt", ".cer", ".der"})


@dataclass(frozen=True, slots=True, eq=False)
class TrustStore:
    """Immutable set of anchors and intermediates. Chain verdicts found with it are remembered with it."""

    anchors: tuple[CertificateFacts, ...]
    intermediates: tuple[CertificateFacts, ...] = ()
    digest: str = ""
    # what `chains` remembers for this store; dropped together with it
    remembered: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_certificates(cls, certificates: Iterable[bytes], *, anchors: Iterable[bytes] = ()) -> TrustStore:
        """A store from PEM or DER bytes (a PEM may hold several). `anchors` are trusted even if not self-signed."""
        forced = [read_certificate(item) for data in anchors for item in certificates_in(data)]
        facts = [read_certificate(item) for data in certificates for item in certificates_in(data)]
        roots = {item.sha256: item for item in [*forced, *(f for f in facts if f.is_self_signed)]}
        others = {item.sha256: item for item in facts if item.sha256 not in roots and item.is_authority}
        digest = hashlib.sha256("\n".join([*sorted(roots), "-", *sorted(others)]).encode()).hexdigest()
        return cls(tuple(roots.values()), tuple(others.values()), digest)

    @classmethod
    def from_directory(cls, path: str | Path) -> TrustStore:
        """All .pem, .crt, .cer, .der files of one folder.

        Raises `TrustStoreUnreadable` when the folder is missing, a file cannot be read, or no anchor is in it.
        """
        folder = Path(path)
        try:
            # (Desktops leave hidden files of their own beside what they copy.)
            files = sorted(
                file
                for file in folder.iterdir()
                if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".") and file.is_file()
            )
            contents = [file.read_bytes() for file in files]
        except OSError as error:
            raise TrustStoreUnreadable(
                "TRUST_UNREADABLE", f"Không đọc được thư mục chứng thư tin cậy {folder.name}: {error.strerror}."
            ) from None
        for file, content in zip(files, contents, strict=True):
            _check(file.name, content)
        store = cls.from_certificates(contents)
        if not store.anchors:
            raise TrustStoreUnreadable(
                "TRUST_EMPTY", f"Thư mục {folder.name} không có chứng thư gốc nào. Hãy chép chứng thư gốc (PEM) vào đó."
            )
        return store


def _check(name: str, data: bytes) -> None:
    """Whatever cannot be read is named: an administrator has many files."""
    try:
        for item in certificates_in(data):
            read_certificate(item)
    except TrustStoreUnreadable as error:
        raise TrustStoreUnreadable(error.code, f"{name}: {error.message}") from None


def certificates_in(data: bytes) -> list[bytes]:
    """Each certificate of a file (DER), whatever stands around it in a PEM file. Raises `TrustStoreUnreadable`."""
    if not data.lstrip().startswith(b"-----BEGIN") and b"-----BEGIN CERTIFICATE-----" not in data:
        return [data]
    try:
        return [item.public_bytes(Encoding.DER) for item in x509.load_pem_x509_certificates(data)]
    except ValueError:
        raise TrustStoreUnreadable(
            "CERTIFICATE_UNREADABLE", "Không đọc được chứng thư số. Hãy xuất lại tệp chứng thư (PEM hoặc DER)."
        ) from None
