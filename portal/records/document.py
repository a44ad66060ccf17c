"""Reading one record: which profile judges it, whose it is, and its data as the official form.

`identify` is tolerant and tells only what a file claims, for finding its profile and for naming it in a refusal. Data
that counts is read by `read_data`, from the element that the signatures really cover and from nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from portal.records.profiles import Profile, Registry, registry, values
from portal.records.profiles.reading import Reading, Row

if TYPE_CHECKING:
    from signing.xml import Element


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose record it is. Everything as the file says, None where it does not (or says it twice)."""

    level: str | None = None
    version: str | None = None
    circular: str | None = None
    lookup_uuid: str | None = None  # lower case
    pupil_code: str | None = None
    cccd: str | None = None
    full_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    school_code: str | None = None
    school_year: str | None = None
    grade: str | None = None
    class_name: str | None = None


@dataclass(frozen=True, slots=True)
class RecordData:
    """The signed data of a record: who it is, and every value by group and tag, rows in the file's order."""

    identity: Identity
    groups: Mapping[str, tuple[Mapping[str, str], ...]]

    def value(self, group: str, tag: str) -> str | None:
        rows = self.groups.get(group)
        return rows[0].get(tag) if rows else None


@dataclass(frozen=True, slots=True)
class FormValue:
    tag: str
    title: str
    value: str  # as in the file
    shown: str  # for people: the word of a code, a date as dd/MM/yyyy


@dataclass(frozen=True, slots=True)
class FormSection:
    """One part of the official form: values one below the other, or a table."""

    key: str
    title: str
    is_table: bool
    columns: tuple[tuple[str, str], ...]  # (tag, title) of the columns that any row fills
    rows: tuple[tuple[FormValue, ...], ...]  # one row when it is no table


def identify(root: "Element", profiles: Registry | None = None) -> Identity:
    """What the record's general fields claim, wherever one of the known profiles keeps them."""
    found = Identity()
    for profile in profiles if profiles is not None else registry():
        general = _only(root, profile.groups["general"].path)
        if general is None:
            continue
        found = _identity(profile, _claimed(profile, general))
        if (found.level, found.version, found.circular) != (None, None, None) and _serves(profile, found, profiles):
            return found
    return found


def choose(root: "Element", profiles: Registry | None = None) -> Profile | None:
    """The profile that judges this record, None when no profile serves its three marks."""
    known = profiles if profiles is not None else registry()
    claimed = identify(root, known)
    return known.find(claimed.level, claimed.version, claimed.circular)


def read_data(profile: Profile, signed: "Element") -> RecordData:
    """The data of the element that the verifier says is covered; raises ValueError for any other element."""
    reading = profile.read(signed)
    general = reading.values("general")
    identity = _identity(profile, {key: general[tag] for key, tag in profile.identity.items() if general.get(tag)})
    return RecordData(identity, {key: tuple(row.values for row in rows) for key, rows in reading.rows.items()})


def form(profile: Profile, signed: "Element") -> tuple[FormSection, ...]:
    """The signed data in the order of the profile; what the file does not say is not on the form."""
    reading = profile.read(signed)
    return tuple(section for key in profile.groups if (section := _section(profile, key, reading)) is not None)


def _serves(profile: Profile, found: Identity, profiles: Registry | None) -> bool:
    known = profiles if profiles is not None else registry()
    return known.find(found.level, found.version, found.circular) is profile


def _only(root: "Element", path: str) -> "Element | None":
    """The element at an absolute path; None when a step is missing or there twice."""
    element = root
    for tag in path.split("/"):
        children = list(element.iterchildren(tag))
        if len(children) != 1:
            return None
        element = children[0]
    return element


def _claimed(profile: Profile, general: "Element") -> dict[str, str]:
    """The fields of the identity that stand exactly once and say something."""
    wanted, texts = frozenset(profile.identity.values()), dict[str, str]()
    for child in general:
        if (tag := child.tag) in wanted:
            texts[tag] = "" if tag in texts else (child.text or "").strip()
    return {key: text for key, tag in profile.identity.items() if (text := texts.get(tag))}


def _identity(profile: Profile, claimed: Mapping[str, str]) -> Identity:
    known = {key: value for key, value in claimed.items() if key in Identity.__dataclass_fields__}
    birth = values.day(known.pop("birth_date", None))
    if "lookup_uuid" in known:
        known["lookup_uuid"] = known["lookup_uuid"].lower()
    return Identity(**known, birth_date=birth)


def _section(profile: Profile, key: str, reading: Reading) -> FormSection | None:
    group, rows = profile.groups[key], reading.rows.get(key)
    if not group.signed or not rows:
        return None
    specs = [spec for spec in profile.fields if spec.group == key and any(row.values.get(spec.tag) for row in rows)]
    columns = tuple((spec.tag, spec.title) for spec in specs)
    if group.repeated:
        filled = tuple(tuple(_shown(profile, key, row, tag, title) for tag, title in columns) for row in rows)
    else:
        filled = (tuple(_shown(profile, key, rows[0], tag, title) for tag, title in columns),)
    return FormSection(key, group.title, group.repeated, columns, filled)


def _shown(profile: Profile, group: str, row: Row, tag: str, title: str) -> FormValue:
    value = row.values.get(tag, "")
    spec = profile.field(group, tag)
    shown = value
    if spec.type == "date" and (day := values.day(value)) is not None:
        shown = day.strftime("%d/%m/%Y")
    elif spec.type in {"code", "flag", "mark"} and spec.codes is not None:
        codes = profile.codes[spec.codes]
        shown = value if codes.shown_as_code else codes.title_of(value)
    return FormValue(tag, title, value, shown)
