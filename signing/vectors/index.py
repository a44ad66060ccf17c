"""Reads INDEX.tsv and finds the sets that it names; a set is a top folder with its certificates and lists.

Other people's tables differ in small things: a byte order mark, CRLF, more columns or another order, other words for
the same expectation. None of them may cost a verdict; a line that cannot be understood says so and stops no other.
"""

from __future__ import annotations

import csv
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
    # Names of files may be in any code page; they come back as they stood.
    with (folder / "INDEX.tsv").open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        table = csv.reader((row.replace("\0", "\ufffd") for row in file), delimiter="\t", quoting=csv.QUOTE_NONE)
        try:
            rows = [row for row in table if any(cell.strip() for cell in row)]
        except csv.Error as error:
            raise ValueError(f"INDEX.tsv không phải bảng ngăn bằng dấu tab: {error}.") from None
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    places = {name: next((head.index(word) for word in words if word in head), -1) for name, words in _COLUMNS.items()}
    if places["path"] < 0 or places["expected"] < 0:
        raise ValueError("INDEX.tsv: dòng đầu phải nêu hai cột path và expected (ngăn bằng dấu tab).")
    if len(rows) == 1:
        raise ValueError("INDEX.tsv không nêu tệp nào.")
    root = folder.resolve()
    return [_line(row, places, root) for row in rows[1:]]


def _line(row: list[str], places: dict[str, int], root: Path) -> Line:
    def cell(name: str) -> str:
        return row[places[name]].strip() if 0 <= places[name] < len(row) else ""

    path, said = cell("path"), cell("expected")
    if "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    path = path.removeprefix("./")
    return Line(path, EXPECTATIONS.get(said.lower(), said), cell("reason"), _problem(path, root))


def _problem(path: str, root: Path) -> str:
    try:
        file = (root / path).resolve()
    except (OSError, ValueError, RuntimeError):
        return "INDEX.tsv: đường dẫn không dùng được"
    if not path or not file.is_relative_to(root):
        return "INDEX.tsv: đường dẫn ra ngoài thư mục"
    if not file.is_file():
        return "không có tệp này"
    return ""
