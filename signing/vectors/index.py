"""Reads INDEX.tsv and finds the sets that it names; a set is a top folder with its certificates and lists.

Other people's tables differ in small things: a byte order mark, CRLF, more columns or another order, other words for
the same expectation. None of them may cost a verdict; a line that cannot be understood says so and stops no other.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_COLUMNS: Final = {
    "path": ("path", "file", "filename", "name"),
    "expected": ("expected", "expect", "expectation", "verdict", "result"),
    "reason": ("reason", "why", "comment", "note"),
}
_WORDS: Final = {
    "valid": ("valid", "pass", "passed", "passes", "accept", "accepted", "ok", "good", "true", "yes", "total_passed"),
    "invalid": (
        "invalid", "fail", "failed", "fails", "reject", "rejected", "refuse", "refused", "bad", "false", "no", "error",
        "broken", "forged", "attack", "hostile", "tampered", "malformed", "total_failed", "total-failed",
    ),
    "unsupported": ("unsupported", "outside", "out-of-scope", "not-supported", "indeterminate", "skip", "skipped"),
    "material": ("material", "helper", "input", "support", "side", "key", "certificate"),
}  # fmt: skip
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
KINDS: Final = ", ".join(_WORDS)
EXPECTATIONS: Final = {word: kind for kind, words in _WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Line:
    """One file of the index; `problem` says why it cannot be judged at all."""

    path: str
    expected: str
    reason: str
    problem: str = ""

    @property
    def understood(self) -> bool:
        """The expectation is one of the four that there are."""
        return self.expected in _WORDS

    @property
    def set(self) -> str:
        """The top folder; files beside the index are one set of their own."""
        folder, slash, _ = self.path.partition("/")
        return folder if slash else ""


def read_index(folder: Path) -> list[Line]:
    """Lines of INDEX.tsv in its order. Raises OSError, ValueError (the columns are missing)."""
    rows = [_cells(line) for line in _LINE_END.split(_text((folder / "INDEX.tsv").read_bytes())) if line.strip()]
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    root = folder.resolve()
    while rows and _is_remark(rows[0], root) and _places(rows[0]) is None:
        del rows[0]
    places = _places(rows[0]) if rows else None
    if places is None:
        raise ValueError("INDEX.tsv: dòng đầu phải nêu hai cột path và expected (ngăn bằng dấu tab).")
    lines = [_line(row, places, root) for row in rows[1:] if not _is_remark(row, root)]
    if not lines:
        raise ValueError("INDEX.tsv không nêu tệp nào.")
    return lines


def _places(row: list[str]) -> dict[str, int] | None:
    """Which column holds what, by the words of the head; None when it is no head."""
    head = [cell.strip().removeprefix("#").strip().lower() for cell in row]
    places = {name: next((head.index(word) for word in words if word in head), -1) for name, words in _COLUMNS.items()}
    return None if places["path"] < 0 or places["expected"] < 0 else places


def _is_remark(row: list[str], root: Path) -> bool:
    """A line that begins with `#` and names no file."""
    return row[0].lstrip().startswith("#") and bool(_problem(row[0].strip(), root))


def _text(data: bytes) -> str:
    """Names of files may be in any code page; they come back as they stood."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def _cells(line: str) -> list[str]:
    """Spreadsheets put quotes around some cells. (The csv module would stop at a long one.)"""
    cells = line.replace("\0", "\ufffd").split("\t")
    return [cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell for cell in cells]


def _line(row: list[str], places: dict[str, int], root: Path) -> Line:
    def cell(name: str) -> str:
        return row[places[name]].strip() if 0 <= places[name] < len(row) else ""

    path, said = cell("path"), cell("expected")
    if "\\" in path and _problem(path, root):
        path = path.replace("\\", "/")
    path = path.removeprefix("./")
    return Line(path, EXPECTATIONS.get(said.lower(), said), cell("reason"), _problem(path, root))


def _problem(path: str, root: Path) -> str:
    try:
        file = (root / path).resolve()
        if not path or not file.is_relative_to(root):
            return "INDEX.tsv: đường dẫn ra ngoài thư mục"
        return "" if file.is_file() else "không có tệp này"
    except (OSError, ValueError, RuntimeError):
        return "INDEX.tsv: đường dẫn không dùng được"
