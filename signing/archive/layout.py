"""What a ZIP archive says about itself, and that its parts tile the file without gap or overlap (Z1 to Z6).

Two readers must never see two different archives: central directory and local headers have to agree in every field
that matters, and every byte of the file has to belong to exactly one part.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Final

from signing.errors import ArchiveRefused

STORED: Final = 0
DEFLATED: Final = 8
_LOCAL: Final = struct.Struct("<IHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_END64: Final = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64: Final = struct.Struct("<IIQI")
_MAGIC: Final = {
    "local": 0x04034B50,
    "central": 0x02014B50,
    "end": 0x06054B50,
    "end64": 0x06064B50,
    "locator": 0x07064B50,
}
_DESCRIPTOR: Final = 0x08074B50
_MASK16: Final = 0xFFFF
_MASK32: Final = 0xFFFFFFFF
_ZIP64: Final = 0x0001
_UNICODE_NAME: Final = 0x7075
_UNICODE_COMMENT: Final = 0x6375
_COPY_HEAD: Final = 5  # version, and CRC of what it copies
# Time stamps and owners of the usual desktop programs; anything else could change what a reader sees.
_EXTRAS: Final = frozenset({_ZIP64, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0x7075, 0x6375, 0xCAFE, 0xA220})
_FLAGS_KNOWN: Final = 0x0002 | 0x0004 | 0x0008 | 0x0800
_DESCRIPTOR_FLAG: Final = 0x0008
_UTF8_FLAG: Final = 0x0800
_MAX_VERSION: Final = 63


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Upper bounds of one archive; sizes are of the inflated bytes."""

    max_bytes: int = 1024 * 1024 * 1024
    max_entries: int = 20_000
    max_entry: int = 64 * 1024 * 1024
    max_total: int = 2 * 1024 * 1024 * 1024
    max_ratio: int = 200
    ratio_from: int = 1024 * 1024
    max_directory: int = 32 * 1024 * 1024


ARCHIVE_LIMITS: Final = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as both of its headers say it; `data` is where its compressed bytes begin."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    made_by: int
    attributes: int
    stamp: int
    utf8: bytes
    data: int = 0

    @property
    def name(self) -> str:
        """For showing only: UTF-8 when it is, else the old code page of DOS."""
        try:
            return self.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            return self.raw_name.decode("cp437")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that some reader goes by: the raw one, and the UTF-8 copy beside it."""
        return (self.name, self.utf8[_COPY_HEAD:].decode("utf-8")) if self.utf8 else (self.name,)

    @property
    def is_misread(self) -> bool:
        """The name is said to be UTF-8, and is not."""
        try:
            self.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            return bool(self.flags & _UTF8_FLAG)
        return False


_ADVICE: Final = {
    "Z7_NESTED": "Hãy bỏ tệp nén bên trong, nén thẳng các tệp XML rồi gửi lại.",
    "Z7_EMPTY": "Hãy chọn đúng tệp rồi gửi lại.",
    **dict.fromkeys(
        ("Z7_TOO_LARGE", "Z7_TOO_MANY", "Z7_TOTAL", "Z7_ENTRY"),
        "Hãy chia thành nhiều tệp nhỏ hơn (theo lớp hoặc khối) rồi gửi lại.",
    ),
}


def refused(code: str, message: str, member: str | None = None) -> ArchiveRefused:
    """An archive that breaks a rule, and what to do about it."""
    advice = _ADVICE.get(code, "Hãy nén lại bằng trình nén thông thường (ZIP) rồi gửi lại.")
    return ArchiveRefused(code, f"{message} {advice}", member)


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / (1 << 20):.0f} MB" if size >= 1 << 20 else f"{size} byte"


def read_layout(file: BinaryIO, limits: ArchiveLimits) -> list[Entry]:
    """All entries in the order of the file. Raises `ArchiveRefused`."""
    file.seek(0, 2)
    length = file.tell()
    if length > limits.max_bytes:
        raise refused("Z7_TOO_LARGE", f"Tệp nén lớn {megabytes(length)}, vượt giới hạn {megabytes(limits.max_bytes)}.")
    end = _find_end(file, length)
    count, size, start, directory_end = _read_end(file, end)
    if count > limits.max_entries:
        raise refused("Z7_TOO_MANY", f"Tệp nén có {count} mục, vượt giới hạn {limits.max_entries}.")
    if start + size != directory_end or size > limits.max_directory:
        raise refused("Z3_GAP", "Mục lục của tệp nén không nằm đúng chỗ.")
    file.seek(start)
    entries = _read_directory(file.read(size), count)
    return _check_tiles(file, entries, start)


def _find_end(file: BinaryIO, length: int) -> int:
    """Z1: the end record with its comment ends exactly with the file, and only one place can be it."""
    back = min(length, _END.size + _MASK16)
    file.seek(length - back)
    tail = file.read(back)
    magic = struct.pack("<I", _MAGIC["end"])
    found = []
    trailing = False
    at = tail.rfind(magic)
    while at >= 0:
        if at + _END.size <= len(tail):
            comment = int.from_bytes(tail[at + 20 : at + 22], "little")
            if at + _END.size + comment == len(tail):
                found.append(length - back + at)
            trailing = trailing or at + _END.size + comment < len(tail)
        at = tail.rfind(magic, 0, at)
    if not found and trailing:
        raise refused("Z1_TRAILING", "Tệp nén có dữ liệu thừa ở cuối.")
    if not found:
        raise refused("Z1_NOT_ZIP", "Tệp không phải ZIP trọn vẹn.")
    if len(found) > 1:
        raise refused("Z1_AMBIGUOUS", "Tệp nén có hai mục lục.")
    return found[0]


def _read_end(file: BinaryIO, at: int) -> tuple[int, int, int, int]:
    file.seek(at)
    _, disk, start_disk, here, total, size, start, _ = _END.unpack(file.read(_END.size))
    wide = _read_end64(file, at)
    if wide is not None:
        count64, size64, start64, end64 = wide
        for narrow, value, mask in ((total, count64, _MASK16), (size, size64, _MASK32), (start, start64, _MASK32)):
            if narrow not in (mask, value):
                raise refused("Z4_END_DIFFERS", "Hai bản ghi cuối của tệp nén mâu thuẫn.")
        if disk not in (0, _MASK16) or start_disk not in (0, _MASK16) or here not in (_MASK16, count64):
            raise refused("Z2_DISKS", "Tệp nén chia thành nhiều phần.")
        return count64, size64, start64, end64
    if disk or start_disk or here != total:
        raise refused("Z2_DISKS", "Tệp nén chia thành nhiều phần.")
    return total, size, start, at


def _read_end64(file: BinaryIO, at: int) -> tuple[int, int, int, int] | None:
    if at < _LOCATOR64.size:
        return None
    file.seek(at - _LOCATOR64.size)
    magic, disk, offset, disks = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
    if magic != _MAGIC["locator"]:
        return None
    if disk or disks != 1 or offset + _END64.size + _LOCATOR64.size != at:
        raise refused("Z3_GAP", "Bản ghi ZIP64 của tệp nén không nằm đúng chỗ.")
    file.seek(offset)
    magic, length, _, needed, disk, start_disk, here, total, size, start = _END64.unpack(file.read(_END64.size))
    if (
        magic != _MAGIC["end64"]
        or length != _END64.size - 12
        or disk
        or start_disk
        or here != total
        or needed > _MAX_VERSION
    ):
        raise refused("Z2_DISKS", "Bản ghi ZIP64 của tệp nén sai.")
    return total, size, start, offset


def _read_directory(data: bytes, count: int) -> list[Entry]:
    entries = []
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            raise refused("Z3_DIRECTORY", "Mục lục của tệp nén bị cụt.")
        fields = _CENTRAL.unpack_from(data, at)
        (
            magic,
            made_by,
            needed,
            flags,
            method,
            clock,
            day,
            crc,
            compressed,
            size,
            n,
            e,
            c,
            disk,
            _,
            attributes,
            offset,
        ) = fields
        if magic != _MAGIC["central"] or at + _CENTRAL.size + n + e + c > len(data):
            raise refused("Z3_DIRECTORY", "Mục lục của tệp nén sai.")
        at += _CENTRAL.size
        name = data[at : at + n]
        extra = _extras(data[at + n : at + n + e])
        utf8 = _check_unicode(extra, name, data[at + n + e : at + n + e + c])
        at += n + e + c
        size, compressed, offset, disk = _widen(extra, (size, compressed, offset), disk)
        _check_header(needed, flags, method, disk)
        entries.append(
            Entry(name, flags, method, crc, compressed, size, offset, made_by, attributes, day << 16 | clock, utf8)
        )
    if at != len(data):
        raise refused("Z3_DIRECTORY", "Mục lục của tệp nén có dữ liệu thừa.")
    if not entries:
        raise refused("Z7_EMPTY", "Tệp nén rỗng.")
    return entries


def _check_header(needed: int, flags: int, method: int, disk: int) -> None:
    if disk:
        raise refused("Z2_DISKS", "Tệp nén chia thành nhiều phần.")
    if flags & ~_FLAGS_KNOWN or (needed & 0xFF) > _MAX_VERSION:
        raise refused("Z5_ENCRYPTED", "Tệp nén được mã hoá hoặc dùng tính năng lạ.")
    if method not in (STORED, DEFLATED):
        raise refused("Z5_METHOD", "Tệp nén dùng cách nén không được hỗ trợ.")


def _extras(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            # Some programs pad with up to three zero bytes.
            if data[at:].strip(b"\x00"):
                raise refused("Z2_EXTRA", "Trường phụ của tệp nén sai.")
            break
        kind, length = struct.unpack_from("<HH", data, at)
        if at + 4 + length > len(data) or kind in found:
            raise refused("Z2_EXTRA", "Trường phụ của tệp nén sai.")
        if kind not in _EXTRAS:
            raise refused("Z2_EXTRA", f"Tệp nén có trường phụ lạ (0x{kind:04x}).")
        found[kind] = data[at + 4 : at + 4 + length]
        at += 4 + length
    return found


def _check_unicode(extra: dict[int, bytes], name: bytes, comment: bytes | None) -> bytes:
    """Info-ZIP's UTF-8 copies of name and comment must belong to what they stand beside."""
    for kind, text in ((_UNICODE_NAME, name), (_UNICODE_COMMENT, comment)):
        copy = extra.get(kind)
        if copy is None or text is None:
            continue
        if len(copy) < _COPY_HEAD or copy[0] != 1 or int.from_bytes(copy[1:5], "little") != zlib.crc32(text):
            raise refused("Z4_UNICODE", "Tên UTF-8 kèm theo của một mục trong tệp nén mâu thuẫn.")
        try:
            copy[_COPY_HEAD:].decode("utf-8")
        except UnicodeDecodeError:
            raise refused("Z4_UNICODE", "Tên UTF-8 kèm theo của một mục trong tệp nén sai.") from None
    return extra.get(_UNICODE_NAME, b"")


def _widen(extra: dict[int, bytes], values: tuple[int, int, int], disk: int = 0) -> tuple[int, int, int, int]:
    """Size, compressed size, offset and disk with their ZIP64 values where the narrow field says so."""
    if _ZIP64 not in extra:
        if _MASK32 in values:
            raise refused("Z2_EXTRA", "Tệp nén thiếu trường ZIP64.")
        return (*values, disk)
    data = extra[_ZIP64]
    wide = []
    for value in values:
        if value == _MASK32:
            if len(data) < 8:
                raise refused("Z2_EXTRA", "Trường ZIP64 của tệp nén sai.")
            value = int.from_bytes(data[:8], "little")  # noqa: PLW2901
            data = data[8:]
        wide.append(value)
    if disk == _MASK16 and len(data) == 4:
        disk, data = int.from_bytes(data, "little"), b""
    if data and len(extra[_ZIP64]) not in (16, 24, 28):
        raise refused("Z2_EXTRA", "Trường ZIP64 của tệp nén sai.")
    return wide[0], wide[1], wide[2], disk


def _check_tiles(file: BinaryIO, entries: list[Entry], directory: int) -> list[Entry]:
    """Z3 and Z4: local parts lie one after the other from byte 0 to the directory, and say the same."""
    ordered = sorted(entries, key=lambda entry: entry.offset)
    placed = []
    at = 0
    for number, entry in enumerate(ordered):
        if entry.offset != at:
            code = "Z1_PREFIX" if number == 0 else "Z3_GAP"
            raise refused(code, "Các phần của tệp nén có khe hở hoặc chồng lên nhau.", entry.name)
        following = ordered[number + 1].offset if number + 1 < len(ordered) else directory
        data = _check_local(file, entry)
        _check_descriptor(file, entry, data + entry.compressed, following)
        placed.append(_placed(entry, data))
        at = following
    if at != directory:
        raise refused("Z3_GAP", "Các phần của tệp nén có khe hở.")
    return placed


def _placed(entry: Entry, data: int) -> Entry:
    return Entry(
        entry.raw_name, entry.flags, entry.method, entry.crc, entry.compressed, entry.size, entry.offset, entry.made_by,
        entry.attributes, entry.stamp, entry.utf8, data,
    )  # fmt: skip


def _check_local(file: BinaryIO, entry: Entry) -> int:
    file.seek(entry.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise refused("Z4_LOCAL", "Tệp nén bị cụt.", entry.name)
    magic, needed, flags, method, clock, day, crc, compressed, size, n, e = _LOCAL.unpack(header)
    if magic != _MAGIC["local"]:
        raise refused("Z4_LOCAL", "Tệp nén có mục không đúng chỗ.", entry.name)
    name, extra = file.read(n), _extras(file.read(e))
    utf8 = _check_unicode(extra, name, None)
    size, compressed, _, _ = _widen(extra, (size, compressed, 0))
    _check_header(needed, flags, method, 0)
    later = bool(flags & _DESCRIPTOR_FLAG)
    same = (crc, compressed, size) == (entry.crc, entry.compressed, entry.size)
    if later and not same:
        same = all(
            mine in (0, theirs)
            for mine, theirs in ((crc, entry.crc), (compressed, entry.compressed), (size, entry.size))
        )
    if name != entry.raw_name or utf8 != entry.utf8:
        raise refused("Z4_NAME", "Hai tên của một mục trong tệp nén khác nhau.", entry.name)
    # Bits 1 and 2 only tell how hard the compressor tried.
    differing = (flags ^ entry.flags) & ~0x0006
    if differing & ~_UTF8_FLAG or method != entry.method or not same:
        raise refused("Z4_DIFFERS", "Mục lục và phần đầu của một mục trong tệp nén mâu thuẫn.", entry.name)
    # Careless programs differ in these; the content is the same.
    if differing or day << 16 | clock != entry.stamp:
        raise refused("Z4_HEADER", "Mục lục và phần đầu của một mục trong tệp nén mâu thuẫn.", entry.name)
    return entry.offset + _LOCAL.size + len(name) + int(e)


def _check_descriptor(file: BinaryIO, entry: Entry, at: int, following: int) -> None:
    gap = following - at
    if gap < 0:
        raise refused("Z3_OVERLAP", "Các phần của tệp nén chồng lên nhau.", entry.name)
    if not entry.flags & _DESCRIPTOR_FLAG:
        if gap:
            raise refused("Z3_GAP", "Các phần của tệp nén có khe hở.", entry.name)
        return
    file.seek(at)
    data = file.read(gap) if gap <= 24 else b""
    signed = gap in (16, 24) and int.from_bytes(data[:4], "little") == _DESCRIPTOR
    body = data[4:] if signed else data
    layout = {12: "<III", 20: "<IQQ"}.get(len(body))
    if layout is None or struct.unpack(layout, body) != (entry.crc, entry.compressed, entry.size):
        raise refused("Z4_DESCRIPTOR", "Phần mô tả của một mục trong tệp nén mâu thuẫn.", entry.name)
