"""The first witness: what schools handed in and what they were told, one fsynced line for each event.

Three-valued as in Jepsen: ACKNOWLEDGED, REFUSED, or nothing known (UNKNOWN); an UNKNOWN may turn out either way, never
both. Digests and identifiers only. Nothing here looks at the database.
"""

import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from portal.rehearsal.parcels import Parcel


class SchoolLedger:
    """One append-only file; safe for many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.records = 0
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def made(self, parcel: Parcel) -> None:
        """Before the first byte leaves: what is in the batch."""
        self.records += len(parcel.entries)
        self._write(
            "MADE", message_id=parcel.message_id, door=parcel.door, school=parcel.school.code,
            sha256=hashlib.sha256(parcel.data).hexdigest(),
            records=[[entry.lookup_uuid, entry.sha256] for entry in parcel.entries],
        )  # fmt: skip

    def acknowledged(self, parcel: Parcel, receipt: Mapping[str, Any] | None = None) -> None:
        self._write("ACKNOWLEDGED", message_id=parcel.message_id, receipt=receipt)

    def refused(self, parcel: Parcel, status: int, why: str) -> None:
        self._write("REFUSED", message_id=parcel.message_id, status=status, why=why[:300])

    def unknown(self, parcel: Parcel, why: str) -> None:
        self._write("UNKNOWN", message_id=parcel.message_id, why=why[:200])

    def told(self, message_id: str, lines: Sequence[tuple[str, int, str]]) -> None:
        """The answer of transaction 2: (lookup_uuid, trang_thai, error) a line."""
        self._write("TOLD", message_id=message_id, lines=lines)

    def recalled(self, lookup_uuid: str, replacement: str) -> None:
        self._write("RECALLED", lookup_uuid=lookup_uuid, replacement=replacement)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, event: str, **facts: Any) -> None:
        line = json.dumps({"at": time.time(), "event": event, **facts}, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self.counts[event] += 1
            os.write(self._file, line)
            os.fdatasync(self._file)
