"""Reads INDEX.tsv and finds the sets that it names; a set is a top folder with its certificates and lists."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One file of the index."""

    path: str
    expected: str
    reason: str

    @property
    def set(self) -> str:
        return self.path.split("/", 1)[0]


def read_index(folder: Path) -> list[Line]:
    """Lines of INDEX.tsv that name a file inside the folder. Raises OSError, ValueError (columns are missing)."""
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"path", "expected"} <= set(table.fieldnames or ()):
            raise ValueError("INDEX.tsv: columns path and expected are needed")
        lines = [Line(row["path"], row["expected"].strip().lower(), row.get("reason") or "") for row in table]
    root = folder.resolve()
    for line in lines:
        if not (root / line.path).resolve().is_relative_to(root):
            raise ValueError(f"INDEX.tsv: {line.path} leaves the folder")
    return lines
