"""The members of a checked archive, inflated under hard limits (Z6 to Z8).

All headers are checked before the first member is given out. Each member is inflated as a stream that stops at its
declared size; size and CRC must come out right. Folders and desktop litter come out as skipped, with the reason.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from signing.archive.layout import ARCHIVE_LIMITS, DEFLATED, ArchiveLimits, Entry, megabytes, read_layout, refused
from signing.archive.names import check_names, skip_reason

_CHUNK: Final = 256 * 1024
_ARCHIVES: Final = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"BZh",
    b"\xfd7zXZ\x00",
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member. `skipped` says why it is not to be read ("folder", "litter"); `name` is for showing only."""

    name: str
    size: int
    compressed_size: int
    skipped: str | None
    entry: Entry
    file: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """The inflated bytes, piece by piece; raises `ArchiveRefused` at the first that breaks Z7 or Z8."""
        return _inflate(self)

    def read(self) -> bytes:
        """All inflated bytes; bounded by the limits under which the archive was opened."""
        return b"".join(self.chunks())


def read_archive(source: str | Path | bytes | BinaryIO, limits: ArchiveLimits = ARCHIVE_LIMITS) -> Iterator[Member]:
    """Members in the order of the file. Checks all headers before it returns; raises `ArchiveRefused`.

    A path is opened here and stays open while the iterator lives; a file object must be seekable and is the caller's.
    """
    if isinstance(source, bytes):
        file: BinaryIO = io.BytesIO(source)
    elif isinstance(source, str | Path):
        file = Path(source).open("rb")  # noqa: SIM115 - lives as long as the members that read from it
    else:
        file = source
    entries = read_layout(file, limits)
    _check_sizes(entries, limits)
    check_names(entries)
    return (Member(e.name, e.size, e.compressed, skip_reason(e), e, file) for e in entries)


def _check_sizes(entries: list[Entry], limits: ArchiveLimits) -> None:
    if sum(entry.size for entry in entries) > limits.max_total:
        raise refused("Z7_TOTAL", f"Nội dung tệp nén vượt giới hạn {megabytes(limits.max_total)}.")
    for entry in entries:
        if entry.size > limits.max_entry:
            raise refused("Z7_ENTRY", f"Một tệp trong tệp nén vượt giới hạn {megabytes(limits.max_entry)}.", entry.name)
        if entry.size > limits.ratio_from and entry.size > limits.max_ratio * max(entry.compressed, 1):
            raise refused("Z7_RATIO", "Một tệp trong tệp nén có tỉ lệ nén bất thường.", entry.name)


def _inflate(member: Member) -> Iterator[bytes]:
    entry, file = member.entry, member.file
    engine = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None
    left, done, crc, at = entry.compressed, 0, 0, entry.data
    while left or (engine is not None and not engine.eof):
        file.seek(at)
        piece = file.read(min(_CHUNK, left))
        if left and not piece:
            raise refused("Z8_SIZE", "Tệp nén bị cụt.", member.name)
        at, left = at + len(piece), left - len(piece)
        for out in _inflated(engine, piece, entry, last=not left):
            if done == 0 and out.startswith(_ARCHIVES):
                raise refused("Z7_NESTED", "Tệp nén chứa tệp nén khác.", member.name)
            done, crc = done + len(out), zlib.crc32(out, crc)
            if done > entry.size:
                raise refused("Z8_SIZE", "Một tệp trong tệp nén lớn hơn khai báo.", member.name)
            yield out
        if engine is not None and (engine.unused_data or (engine.eof and left)):
            raise refused("Z8_SIZE", "Một tệp trong tệp nén có dữ liệu thừa.", member.name)
        if engine is not None and not left and not engine.eof:
            raise refused("Z8_SIZE", "Một tệp trong tệp nén bị cụt.", member.name)
    if done != entry.size or crc != entry.crc:
        raise refused("Z8_CRC", "Một tệp trong tệp nén bị hỏng.", member.name)


def _inflated(engine: object, piece: bytes, entry: Entry, *, last: bool) -> Iterator[bytes]:
    if engine is None:
        if piece:
            yield piece
        return
    data = piece
    while True:
        try:
            out = engine.decompress(data, _CHUNK)  # type: ignore[attr-defined]
        except zlib.error:
            raise refused("Z8_DATA", "Một tệp trong tệp nén bị hỏng.", entry.name) from None
        data = engine.unconsumed_tail  # type: ignore[attr-defined]
        if out:
            yield out
        if not data and (len(out) < _CHUNK or not last):
            return
