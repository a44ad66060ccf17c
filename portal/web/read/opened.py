"""A stored record opened for the form page: its profile found again, its file parsed through the one gate."""

from __future__ import annotations

from dataclasses import dataclass, field

from portal.records.conf import conf
from portal.records.content import ContentDamaged
from portal.records.models import Record
from portal.records.profiles import registry
from portal.records.queries import original_bytes
from portal.web.read.form import Cell, Part, read_parts
from signing.errors import SigningError
from signing.xml import parse


@dataclass(frozen=True)
class OpenedForm:
    """The form of one record, or why it cannot be shown."""

    title: str
    parts: list[Part] = field(default_factory=list)
    problem: str = ""

    def part(self, key: str) -> Part | None:
        return next((part for part in self.parts if part.key == key), None)

    @property
    def others(self) -> list[Part]:
        return [part for part in self.parts if part.key not in {"general"}]

    @property
    def names(self) -> dict[str, str]:
        """Values of the general part by tag, for the head of the form."""
        general = self.part("general")
        return {cell.tag: cell.value for cell in general.cells} if general else {}

    @property
    def general_cells(self) -> list[Cell]:
        general = self.part("general")
        return [cell for cell in general.cells if cell.tag not in _IN_THE_HEAD] if general else []


# Shown in the head of the form, not again in its list.
_IN_THE_HEAD = {
    "PHIEN_BAN", "THONG_TU", "MA_TRA_CUU_UUID", "TEN_SO_GD", "MA_SO_GIAO_DUC", "TEN_TRUONG", "MA_CAP_HOC",
    "TEN_NAM_HOC", "HO_VA_TEN", "NAM_HOC",
}  # fmt: skip


def open_form(record: Record) -> OpenedForm:
    profile = registry(conf().extra_profiles).profiles.get(record.profile)
    if profile is None:
        return OpenedForm(title="", problem="PROFILE_UNKNOWN")
    try:
        root = parse(original_bytes(record)).root
    except (SigningError, ContentDamaged):
        return OpenedForm(title=profile.title, problem="UNREADABLE")
    parts = read_parts(root, groups=profile.groups.values(), fields=profile.fields, codes=profile.codes)
    return OpenedForm(title=profile.title, parts=parts)
