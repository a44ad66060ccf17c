"""Judges every file of an index by what it is: an archive, a certificate, a signed document, a plain document.

Each file is judged alone: a crash on one is its outcome (`error`) and never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from signing.archive import read_archive
from signing.errors import ArchiveRefused
from signing.vectors.certificates import CERTIFICATE_SUFFIXES, CertificateSet
from signing.vectors.documents import is_record, judge_document, judge_plain, looks_signed, plain_text
from signing.vectors.index import KINDS, Line, read_index

# A contradiction between the parts of an archive; every other refusal is a house rule stricter than the format.
_BROKEN: Final = frozenset(
    {
        "Z1_NOT_ZIP", "Z1_AMBIGUOUS", "Z3_OVERLAP", "Z3_DIRECTORY", "Z4_DIFFERS", "Z4_LOCAL", "Z4_DESCRIPTOR",
        "Z4_END_DIFFERS", "Z8_CRC", "Z8_DATA", "Z8_SIZE", "Z6_PATH",
    }
)  # fmt: skip
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# Folders of nothing but material that serve every set of the index.
_COMMON: Final = frozenset(
    {"keys", "certs", "certificates", "pki", "ca", "cas", "trust", "anchors", "roots", "material", "crls", "crl"}
)
_MAX_FILE: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was expected of a file, what it got, why, and whether that agrees."""

    path: str
    expected: str
    got: str
    code: str
    reason: str
    agrees: bool

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def run_vectors(folder: Path, *, at: datetime) -> Iterator[Outcome]:
    """Outcomes in the order of the index, material left out. Raises OSError, ValueError for the index itself."""
    lines = read_index(folder)
    shared = _helpers(lines)
    sets = {
        name: _Set(folder, [line for line in lines if line.set == name], shared.get(name, ()), at)
        for name in {line.set for line in lines}
    }
    for line in lines:
        if line.expected == "material":
            continue
        if line.problem:
            yield Outcome(line.path, line.expected, "error", "INDEX_LINE", line.problem, agrees=False)
            continue
        try:
            got, code, reason = sets[line.set].judge(line)
        except Exception as error:
            got, code, reason = "error", type(error).__name__, str(error)[:200]
        agrees = line.understood and _agrees(line.expected, got)
        if not line.understood:
            reason = f"INDEX.tsv: expected «{line.expected}» không thuộc: {KINDS}. {reason}"
        yield Outcome(line.path, line.expected, got, code, reason, agrees)


def _helpers(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Files of sets that hold nothing but material: `abc-keys` for its origin (`abc`, `abc-01`), `keys` for all."""
    judged = {line.set for line in lines if line.expected != "material"}
    helping = [line for line in lines if line.set not in judged and not line.problem and line.set]
    return {
        name: [
            line
            for line in helping
            if line.set.lower() in _COMMON or line.set.partition("-")[0] == name.partition("-")[0]
        ]
        for name in judged
    }


def _agrees(expected: str, got: str) -> bool:
    if got == "error":
        return False
    if expected == "valid":
        return got in ("valid", "unsupported")
    return got != "valid"


class _Set:
    """The files of one folder, judged with its certificates."""

    def __init__(self, folder: Path, lines: Sequence[Line], helpers: Sequence[Line], at: datetime) -> None:
        self.folder = folder
        self.at = at
        usable = [line for line in lines if not line.problem]
        self.certificates = CertificateSet(folder, usable, helpers)
        # Beside certificates, or a signed file whatever its name, a document without signature has lost its own.
        self.signed = not self.certificates.is_empty or any(self._looks_signed(line.path) for line in usable)

    def _looks_signed(self, path: str) -> bool:
        try:
            return looks_signed(plain_text(self._bytes(path)))
        except (OSError, ValueError):
            return False  # told where the file itself is judged

    def _bytes(self, path: str) -> bytes:
        file = self.folder / path
        if file.stat().st_size > _MAX_FILE:
            raise ValueError("file too large")
        return file.read_bytes()

    def judge(self, line: Line) -> tuple[str, str, str]:
        suffix = Path(line.path).suffix.lower()
        if (self.folder / line.path).stat().st_size > _MAX_FILE:
            return "unsupported", "TOO_LARGE", f"larger than {_MAX_FILE} bytes"
        data = self._bytes(line.path)
        if suffix == ".zip" or data.startswith(_ZIP):
            return _judge_archive(self.folder / line.path)
        if suffix in CERTIFICATE_SUFFIXES:
            return self.certificates.judge(data, self.at)
        signed = self.signed or looks_signed(plain_text(data))
        if is_record(data) or (signed and not self._is_canonical_form(line.path, data)):
            return judge_document(data, self.certificates.trust, self.at, self.certificates.revocation)
        if suffix != ".xml":
            return "unsupported", "NOT_A_DOCUMENT", "a file that only serves other files of its set"
        return judge_plain(data, self._expected_form(line.path))

    def _is_canonical_form(self, path: str, data: bytes) -> bool:
        """An unsigned file of a set for canonicalisation, where another file happens to carry a signature."""
        if looks_signed(plain_text(data)) or not self.certificates.is_empty:
            return False
        name = Path(path).name
        return name.endswith(("_c14n.xml", "_c14nized.xml", "_exclusive.xml")) or self._expected_form(path) is not None

    def _expected_form(self, path: str) -> tuple[bool, bytes] | None:
        """The canonical form that stands beside an input file, and whether it is the exclusive one."""
        name = Path(path)
        for ending, exclusive, replaced in (
            ("_c14n.xml", False, "_input.xml"),
            ("_c14nized_exclusive.xml", True, ".xml"),
            ("_c14nized.xml", False, ".xml"),
        ):  # fmt: skip
            if name.name.endswith(replaced) and not name.name.endswith(ending):
                other = self.folder / name.with_name(name.name.removesuffix(replaced) + ending)
                if other.is_file():
                    return exclusive, other.read_bytes()
        return None


def _judge_archive(path: Path) -> tuple[str, str, str]:
    try:
        with path.open("rb") as file:
            for member in read_archive(file):
                if member.skipped is None:
                    for _ in member.chunks():
                        pass
    except ArchiveRefused as error:
        return ("invalid" if error.code in _BROKEN else "unsupported"), error.code, error.message
    return "valid", "OK", ""
