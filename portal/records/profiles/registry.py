"""All profiles the portal knows: those it ships and those of extra folders named in the settings.

A record is led to its profile by (level, version, circular); two profiles that claim the same three are refused at
load, for then a file could be judged by either.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.loading import load
from portal.records.profiles.profile import Profile

SHIPPED = Path(__file__).parent


class Registry:
    """The loaded profiles; immutable after loading."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.profiles: dict[str, Profile] = {}
        self._by_marks: dict[tuple[str, str, str], Profile] = {}
        for profile in profiles:
            self._add(profile)

    def _add(self, profile: Profile) -> None:
        if profile.name in self.profiles:
            raise ProfileBroken("profile.toml", "name", f"hai hồ sơ cùng tên “{profile.name}”")
        self.profiles[profile.name] = profile
        serves = profile.serves
        for marks in ((le, ve, ci) for le in serves.levels for ve in serves.versions for ci in serves.circulars):
            other = self._by_marks.setdefault(_folded(*marks), profile)
            if other is not profile:
                raise ProfileBroken(
                    "profile.toml", "serves", f"“{profile.name}” và “{other.name}” cùng nhận học bạ {', '.join(marks)}"
                )

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.profiles.values())

    def __getitem__(self, name: str) -> Profile:
        return self.profiles[name]

    def find(self, level: str | None, version: str | None, circular: str | None) -> Profile | None:
        """The profile that serves a record with these three marks; None when there is none, or a mark is missing."""
        if level is None or version is None or circular is None:
            return None
        return self._by_marks.get(_folded(level, version, circular))


def _folded(level: str, version: str, circular: str) -> tuple[str, str, str]:
    return level.strip(), version.strip().casefold(), " ".join(circular.casefold().split())


def folders(base: Path) -> list[Path]:
    return sorted(path.parent for path in base.glob("*/profile.toml"))


def load_all(extra: Sequence[Path] = ()) -> Registry:
    """The shipped profiles and those of every extra directory (a profile folder, or a directory of such folders)."""
    found = folders(SHIPPED)
    for directory in extra:
        inside = [directory] if (directory / "profile.toml").is_file() else folders(directory)
        if not inside:
            raise ProfileBroken(str(directory), "profile.toml", "thư mục không có hồ sơ quy định học bạ nào")
        found.extend(inside)
    return Registry(load(folder) for folder in found)


@lru_cache(maxsize=8)
def registry(extra: tuple[Path, ...] = ()) -> Registry:
    """Loaded once per process and set of extra directories."""
    return load_all(extra)
