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

# Heads and words as `_folded` leaves them; in each tuple the surest first.
_COLUMNS: Final = {
    "path": (
        "path", "file path", "filepath", "file", "file name", "filename", "name", "vector", "document", "test", "case",
        "test case", "id", "input",
    ),
    "expected": (
        "expected", "expect", "expectation", "expected result", "expected verdict", "expected outcome",
        "expected status", "should", "must", "verdict", "result", "outcome", "status",
    ),
    "reason": ("reason", "why", "comment", "comments", "note", "notes", "description", "remark"),
}  # fmt: skip
_WORDS: Final = {
    "valid": (
        "valid", "pass", "passed", "passes", "passing", "accept", "accepted", "ok", "good", "true", "yes", "1",
        "total passed", "should pass", "must pass", "should be valid", "must be valid", "should accept", "must accept",
        "positive", "success", "succeed", "succeeds", "trusted", "genuine",
    ),
    "invalid": (
        "invalid", "fail", "failed", "fails", "failing", "failure", "reject", "rejected", "refuse", "refused", "bad",
        "false", "no", "0", "error", "broken", "forged", "attack", "hostile", "tampered", "malformed", "total failed",
        "should fail", "must fail", "should be invalid", "must be invalid", "should reject", "must reject",
        "should not pass", "must not pass", "not valid", "negative", "revoked", "expired", "untrusted", "not trusted",
        "not yet valid", "corrupt", "corrupted",
    ),
    "unsupported": (
        "unsupported", "not supported", "outside", "out of scope", "out of policy", "indeterminate", "skip", "skipped",
        "n/a", "na", "not applicable",
    ),
    "material": (
        "material", "helper", "input", "support", "side", "key", "certificate", "anchor", "trust anchor", "crl",
        "root", "issuer", "intermediate",
    ),
}  # fmt: skip
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
KINDS: Final = ", ".join(_WORDS)
EXPECTATIONS: Final = {word: kind for kind, words in _WORDS.items() for word in words}
_BLANKS: Final = re.compile(r"[\s_-]+")
_WIDE_BLANK: Final = re.compile(r"\s{2,}")


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
    lines = [line for line in _LINE_END.split(_text((folder / "INDEX.tsv").read_bytes())) if line.strip()]
    root = folder.resolve()
    for split in (_cells, _comma_cells, _semicolon_cells, _column_cells):
        rows = [split(line) for line in lines]
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        while rows and _is_remark(rows[0], root) and _places(rows[0]) is None:
            del rows[0]
        places, first = _layout(rows, root)
        if places is not None:
            break
    else:
        raise ValueError("INDEX.tsv: dòng đầu phải nêu hai cột path và expected (ngăn bằng dấu tab).")
    found = [_line(row, places, root) for row in rows[first:] if not _is_remark(row, root)]
    if not found:
        raise ValueError("INDEX.tsv không nêu tệp nào.")
    return found


def _layout(rows: list[list[str]], root: Path) -> tuple[dict[str, int] | None, int]:
    """Which column holds what, and the first line of the table proper; a head of unknown words is told by the lines."""
    places = _places(rows[0]) if rows else None
    if places is not None:
        return places, 1
    for number, row in enumerate(rows[:2]):
        cells = [cell.strip() for cell in row]
        path = next((at for at, cell in enumerate(cells) if cell and not _problem(cell, root)), -1)
        expected = next((at for at, cell in enumerate(cells) if at != path and _expectation(cell) in _WORDS), -1)
        if path >= 0 and expected >= 0:
            return {"path": path, "expected": expected, "reason": max(path, expected) + 1}, number
    return None, 0


def _places(row: list[str]) -> dict[str, int] | None:
    """Which column holds what, by the words of the head; None when it is no head."""
    head = [_folded(cell.strip().removeprefix("#")) for cell in row]
    places = {name: next((head.index(word) for word in words if word in head), -1) for name, words in _COLUMNS.items()}
    return None if places["path"] < 0 or places["expected"] < 0 else places


def _folded(text: str) -> str:
    return _BLANKS.sub(" ", text.strip().lower()).strip(" !.*:?")


def _expectation(said: str) -> str:
    """One of the four kinds, or what was said. Of several, the strictest that all agree with."""
    known = EXPECTATIONS.get(_folded(said))
    if known is not None:
        return known
    kinds = {EXPECTATIONS.get(_folded(part), "") for part in re.split(r"[/|,]|\bor\b", said)}
    if kinds == {"unsupported", "invalid"}:
        return "unsupported"
    return "valid" if kinds == {"unsupported", "valid"} else said


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


def _comma_cells(line: str) -> list[str]:
    return _separated(line, ",")


def _semicolon_cells(line: str) -> list[str]:
    return _separated(line, ";")


def _separated(line: str, separator: str) -> list[str]:
    """A head may be separated otherwise than the lines below it."""
    if "\t" in line:
        return _cells(line)
    cells: list[str] = []
    for piece in line.split(separator):
        # A cell in quotes may hold the separator.
        if cells and cells[-1].count('"') % 2:
            cells[-1] += separator + piece
        else:
            cells.append(piece)
    return _cells("\t".join(cells))


def _column_cells(line: str) -> list[str]:
    return _cells(line if "\t" in line else _WIDE_BLANK.sub("\t", line.strip()))


def _line(row: list[str], places: dict[str, int], root: Path) -> Line:
    def cell(name: str) -> str:
        return row[places[name]].strip() if 0 <= places[name] < len(row) else ""

    path, said = cell("path"), cell("expected")
    if "\\" in path and _problem(path, root):
        path = path.replace("\\", "/")
    path = path.removeprefix("./")
    return Line(path, _expectation(said), cell("reason"), _problem(path, root))


def _problem(path: str, root: Path) -> str:
    try:
        file = (root / path).resolve()
        if not path or not file.is_relative_to(root):
            return "INDEX.tsv: đường dẫn ra ngoài thư mục"
        return "" if file.is_file() else "không có tệp này"
    except (OSError, ValueError, RuntimeError):
        return "INDEX.tsv: đường dẫn không dùng được"
