"""What the entries of an archive may be called (Z6): no way out of a folder, and no two that are one file on some disk.

An entry may carry a second name, Info-ZIP's UTF-8 copy; half of the readers go by it, so it is judged like the first.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from typing import Final

from signing.archive.layout import Entry, refused

_UNIX: Final = 3
_DARWIN: Final = 19
_LITTER: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".directory"})
_ARCHIVE_NAMES: Final = (".zip", ".rar", ".7z", ".gz", ".tgz", ".tar", ".xz", ".bz2", ".jar")
# Control characters, and those that turn the direction of what is shown. (The old code page of Vietnamese desktops may
# give any other character.)
_UNSEEN: Final = re.compile("[\x01-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_MAX_DEPTH: Final = 64
_Key = tuple[str, ...]


def check_names(entries: list[Entry]) -> None:
    """Raises `ArchiveRefused` for the first name that a reader might follow elsewhere or take for another's."""
    taken: set[_Key] = set()
    files: set[_Key] = set()
    for entry in entries:
        _check_kind(entry)
        keys = {_checked(entry, name) for name in entry.names}
        if not keys.isdisjoint(taken):
            raise refused("Z6_DUPLICATE", "Tệp nén có hai tệp trùng tên.", entry.name)
        taken |= keys
        if skip_reason(entry) != "folder":
            files |= keys
    above = {key[:depth] for key in taken for depth in range(1, len(key))}
    if not files.isdisjoint(above):
        raise refused("Z6_DUPLICATE", "Tệp nén có hai tệp trùng tên.")


def skip_reason(entry: Entry) -> str | None:
    """Why an entry is not to be read: a folder, or what desktops leave behind; only where all its names say so."""
    names = [name.replace("\\", "/") for name in entry.names]
    if names[0].endswith("/") or _kind(entry) == stat.S_IFDIR:
        return "folder"
    return "litter" if all(map(_is_litter, names)) else None


def _is_litter(name: str) -> bool:
    parts = name.casefold().split("/")
    return parts[0] == "__macosx" or parts[-1] in _LITTER or parts[-1].startswith("._")


def _check_kind(entry: Entry) -> None:
    if _kind(entry) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused("Z6_KIND", "Tệp nén chứa liên kết hoặc tệp đặc biệt.", entry.name)
    if skip_reason(entry) == "folder" and entry.size:
        raise refused("Z6_KIND", "Tệp nén có thư mục mang nội dung.", entry.name)


def _kind(entry: Entry) -> int:
    """Only Unix fills these bits in; a link is one to many readers whoever claims to have made the archive."""
    kind = stat.S_IFMT(entry.attributes >> 16)
    return kind if entry.made_by >> 8 in (_UNIX, _DARWIN) or kind == stat.S_IFLNK else 0


def _checked(entry: Entry, shown: str) -> _Key:
    """The name as the disks of this world compare it."""
    name = shown.replace("\\", "/")
    parts = name.rstrip("/").split("/")
    if not name.strip("/ ") or name.startswith("/") or ".." in parts or ":" in parts[0][1:2] or "\x00" in name:
        raise refused("Z6_PATH", "Tệp nén có tên đường dẫn không được phép.", entry.name)
    key = tuple(_folded(part) for part in parts if part not in ("", "."))
    is_folder = skip_reason(entry) == "folder"
    misread = entry.is_misread or (name.endswith("/") and not is_folder)
    if misread or _UNSEEN.search(name) or len(key) > _MAX_DEPTH or "" in key or not (key or is_folder):
        raise refused("Z6_NAME", "Tệp nén có tên đường dẫn không được phép.", entry.name)
    if skip_reason(entry) is None and key[-1].endswith(_ARCHIVE_NAMES):
        raise refused("Z7_NESTED", "Tệp nén chứa tệp nén khác.", entry.name)
    return key


def _folded(part: str) -> str:
    """Windows drops dots and blanks at the end and what names a stream; macOS composes letters; both ignore case."""
    bare = part.partition("::")[0].rstrip(". ")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", bare).casefold())
