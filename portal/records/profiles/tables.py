"""Reading the TOML files of a profile folder: what is missing or of the wrong kind is named by file and key."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.records.profiles.errors import ProfileBroken


def toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileBroken(str(path), "-", f"không đọc được: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileBroken(str(path), "-", f"không phải TOML: {error}") from error


def text(where: str, data: Mapping[str, Any], key: str, prefix: str = "") -> str:
    found = data.get(key)
    if not isinstance(found, str) or not found:
        raise ProfileBroken(where, f"{prefix}{key}", "thiếu, hoặc không phải chuỗi")
    return found


def table(where: str, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    if not isinstance(found, Mapping):
        raise ProfileBroken(where, key, "thiếu bảng này")
    return found
