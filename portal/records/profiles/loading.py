"""A profile folder made into a Profile. Everything wrong with the folder is found here, named by file and key.

Reads files only; a profile that loads has every field, code list, condition and parameter its rules name.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.records.profiles import fields as field_checks
from portal.records.profiles.codes import Code, CodeList
from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.fields import FieldSpec, Leaf
from portal.records.profiles.layout import Condition, GroupSpec, build, clause
from portal.records.profiles.profile import Profile, Serves, covering_roles
from portal.records.profiles.rule_table import check_texts
from portal.records.profiles.rule_table import rules as rules_of
from portal.records.profiles.rules import Ref
from portal.records.profiles.tables import table, text, toml
from signing.errors import PolicyUnreadable
from signing.policy import SignaturePolicy, policy_from_mapping

_COLUMNS = ("group", "tag", "name", "type", "required")
_MARKS = ("level", "version", "circular")  # without these a record cannot find its profile


def load(folder: Path) -> Profile:
    """The profile of one folder; raises ProfileBroken."""
    main = toml(folder / "profile.toml")
    policy_data = toml(folder / "policy.toml")
    rule_entries = toml(folder / "rules.toml")
    where = str(folder / "profile.toml")
    codes = _codes(folder / "codes.toml")
    conditions = _conditions(where, main)
    data_path = text(where, main, "data")
    groups = _groups(where, main, data_path, conditions)
    specs = _fields(folder / "fields.csv", groups, conditions)
    policy = _policy(str(folder / "policy.toml"), policy_data)
    leaves = _leaves(folder / "fields.csv", specs, groups, codes, policy)
    places = [slot.place for slot in policy.slots if slot.steps]
    _check_tags(where, groups, conditions, leaves)
    titles = {ref: leaf.spec.title for ref, leaf in leaves.items()}
    root_tag = text(where, main, "root")
    return Profile(
        name=text(where, main, "name"),
        title=text(where, main, "title"),
        serves=_serves(where, main),
        root_tag=root_tag,
        data_path=data_path,
        signatures_path=text(where, main, "signatures"),
        identity=_identity(where, main, leaves),
        groups=groups,
        fields=tuple(specs),
        codes=codes,
        conditions=conditions,
        rules=tuple(rules_of(str(folder / "rules.toml"), rule_entries, titles, codes, conditions)),
        texts=check_texts(str(folder / "rules.toml"), rule_entries),
        policy=policy,
        leaves=leaves,
        tree=build(root_tag, list(groups.values()), list(leaves.values()), places),
    )


def _serves(where: str, main: Mapping[str, Any]) -> Serves:
    served = table(where, main, "serves")
    found = {}
    for key in ("levels", "versions", "circulars"):
        entries = served.get(key)
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
            raise ProfileBroken(where, f"serves.{key}", "phải là danh sách chuỗi không rỗng")
        found[key] = frozenset(entries)
    return Serves(**found)


def _conditions(where: str, main: Mapping[str, Any]) -> dict[str, Condition]:
    found = {}
    for key, data in main.get("conditions", {}).items():
        try:
            clauses = tuple(clause(entry) for entry in data["all"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileBroken(where, f"conditions.{key}.all", str(error)) from error
        found[key] = Condition(key, text(where, data, "title", f"conditions.{key}."), clauses)
    return found


def _groups(
    where: str, main: Mapping[str, Any], data_path: str, conditions: Mapping[str, Condition]
) -> dict[str, GroupSpec]:
    found: dict[str, GroupSpec] = {}
    for number, entry in enumerate(main.get("groups", ()), start=1):
        key = text(where, entry, "key", f"groups[{number}].")
        path = text(where, entry, "path", f"groups.{key}.")
        when = entry.get("when")
        if when is not None and when not in conditions:
            raise ProfileBroken(where, f"groups.{key}.when", f"điều kiện “{when}” không có trong [conditions]")
        if key in found:
            raise ProfileBroken(where, f"groups.{key}", "khóa này đã dùng cho nhóm khác")
        found[key] = GroupSpec(
            key=key,
            title=text(where, entry, "title", f"groups.{key}."),
            path=path,
            required=bool(entry.get("required", False)),
            repeated=bool(entry.get("repeated", False)),
            when=when,
            label=entry.get("label"),
            signed=f"{path}/".startswith(f"{data_path}/"),
        )
    if "general" not in found:
        raise ProfileBroken(where, "groups", "thiếu nhóm “general”, nơi học bạ nói nó là của ai")
    return found


def _check_tags(
    where: str, groups: Mapping[str, GroupSpec], conditions: Mapping[str, Condition], leaves: Mapping[Ref, Leaf]
) -> None:
    """Tags that groups and conditions name must be fields."""
    for group in groups.values():
        if group.label is not None and Ref(group.key, group.label) not in leaves:
            raise ProfileBroken(where, f"groups.{group.key}.label", f"thẻ “{group.label}” không có trong nhóm này")
    for condition in conditions.values():
        for asked in condition.clauses:
            if Ref("general", asked.tag) not in leaves:
                raise ProfileBroken(
                    where, f"conditions.{condition.key}.all", f"thẻ “{asked.tag}” không có trong nhóm general"
                )


def _identity(where: str, main: Mapping[str, Any], leaves: Mapping[Ref, Leaf]) -> dict[str, str]:
    tags = table(where, main, "identity")
    for key, tag in tags.items():
        if Ref("general", str(tag)) not in leaves:
            raise ProfileBroken(where, f"identity.{key}", f"thẻ “{tag}” không có trong nhóm general của fields.csv")
    for key in (*_MARKS, "lookup_uuid"):
        if key not in tags:
            raise ProfileBroken(where, f"identity.{key}", "thiếu")
    return {str(key): str(tag) for key, tag in tags.items()}


def _codes(path: Path) -> dict[str, CodeList]:
    found = {}
    for key, data in toml(path).items():
        entries = data.get("codes") if isinstance(data, Mapping) else None
        if not isinstance(entries, Mapping) or not entries:
            raise ProfileBroken(str(path), key, "thiếu bảng codes")
        codes = {}
        for code, entry in entries.items():
            title = text(str(path), entry, "title", f"{key}.codes.{code}.")
            facts = {name: fact for name, fact in entry.items() if name not in {"title", "words"}}
            codes[code] = Code(code, title, tuple(entry.get("words", ())), facts)
        ways = {way: bool(data.get(way, False)) for way in ("by_word", "shown_as_code")}
        found[key] = CodeList(key, str(data.get("title", key)), codes, **ways)
    return found


def _fields(path: Path, groups: Mapping[str, GroupSpec], conditions: Mapping[str, Condition]) -> list[FieldSpec]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProfileBroken(str(path), "-", f"không đọc được: {error}") from error
    if not lines or any(column not in lines[0] for column in _COLUMNS):
        raise ProfileBroken(str(path), "-", f"cần các cột {', '.join(_COLUMNS)} và ít nhất một dòng")
    return [_field(f"{path}:{number}", line, groups, conditions) for number, line in enumerate(lines, start=2)]


def _field(
    where: str, line: Mapping[str, str | None], groups: Mapping[str, GroupSpec], conditions: Mapping[str, Condition]
) -> FieldSpec:
    cells = {key: (value or "").strip() for key, value in line.items() if isinstance(key, str)}
    key = f"{cells['group']}.{cells['tag']}"
    if cells["group"] not in groups:
        raise ProfileBroken(where, key, f"nhóm “{cells['group']}” không có trong profile.toml")
    if cells["required"] not in {"yes", "no"}:
        raise ProfileBroken(where, key, "cột required phải là yes hoặc no")
    when = cells.get("when") or None
    if when is not None and when not in conditions:
        raise ProfileBroken(where, key, f"điều kiện “{when}” (cột when) không có trong profile.toml")
    if not cells["tag"] or not cells["name"]:
        raise ProfileBroken(where, key, "thiếu tag hoặc name")

    def bound(column: str) -> float | None:
        try:
            return float(cells[column]) if cells.get(column) else None
        except ValueError as error:
            raise ProfileBroken(where, key, f"cột {column} không phải là số") from error

    length, usual, decimals = bound("length"), bound("usual_length"), bound("decimals")
    return FieldSpec(
        group=cells["group"],
        tag=cells["tag"],
        title=cells["name"],
        type=cells["type"],
        required=cells["required"] == "yes",
        when=when,
        length=int(length) if length else None,
        usual_length=int(usual) if usual else None,
        minimum=bound("minimum"),
        maximum=bound("maximum"),
        decimals=int(decimals) if decimals is not None else 4,
        pattern=cells.get("pattern") or None,
        codes=cells.get("codes") or None,
        national=cells.get("national", ""),
    )


def _leaves(
    path: Path,
    specs: list[FieldSpec],
    groups: Mapping[str, GroupSpec],
    codes: Mapping[str, CodeList],
    policy: SignaturePolicy,
) -> dict[Ref, Leaf]:
    found: dict[Ref, Leaf] = {}
    for spec in specs:
        ref = Ref(spec.group, spec.tag)
        if ref in found:
            raise ProfileBroken(str(path), f"{spec.group}.{spec.tag}", "trường này có hai dòng")
        place = f"{groups[spec.group].path}/{spec.tag}"
        found[ref] = field_checks.leaf(spec, place, codes, covering_roles(policy, place), str(path))
    return found


def _policy(where: str, data: Mapping[str, Any]) -> SignaturePolicy:
    try:
        return policy_from_mapping(data)
    except PolicyUnreadable as error:
        raise ProfileBroken(where, error.code, str(error)) from error
