"""The third witness: an append-only file of every request, written and fsynced before the request takes effect.

Two lines a request: `RECEIVED` (fsynced, also for duplicates, refused and truncated ones) and `ANSWERED` (what went
back). It holds digests and identifiers only: never a token, a password or a child's data.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Journal:
    """One file, one writer; safe for many threads. The numbering goes on after a restart."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._next = _repair(path) + 1
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def received(self, facts: Mapping[str, Any]) -> int:
        """Write the request down for good and give it its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._write({"seq": number, "event": "RECEIVED", **facts})
        os.fdatasync(self._file)
        return number

    def answered(self, number: int, facts: Mapping[str, Any]) -> None:
        """Not fsynced: it says only what we tried to send, the next request's fsync carries it along."""
        with self._lock:
            self._write({"seq": number, "event": "ANSWERED", **facts})

    def noted(self, facts: Mapping[str, Any]) -> None:
        """Something that is no request: a handshake that failed, a start, a stop."""
        with self._lock:
            number = self._next
            self._next += 1
            self._write({"seq": number, "event": "NOTED", **facts})

    def close(self) -> None:
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)

    def _write(self, line: Mapping[str, Any]) -> None:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self._file, data) :]


def read(path: Path, *, after: int = 0) -> Iterator[dict[str, Any]]:
    """The lines whose number is above `after`; a half line at the end (a kill in mid-write) is passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            line = json.loads(raw)
            if line["seq"] > after:
                yield line


def _repair(path: Path) -> int:
    """Cut a half line left by a kill, and return the highest number used."""
    if not path.exists():
        return 0
    highest, whole = 0, 0
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            whole += len(raw)
            highest = max(highest, int(json.loads(raw)["seq"]))
    if whole != path.stat().st_size:
        os.truncate(path, whole)
    return highest
