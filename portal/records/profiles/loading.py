"""A profile folder made into a Profile. Everything wrong with the folder is found here, named by file and key.

Reads files only; a profile that loads has every field, code list, condition and parameter its rules name.
"""

import csv
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from portal.records.profiles import fields as field_checks
from portal.records.profiles.codes import Code, CodeList
from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.fields import FieldSpec, Leaf
from portal.records.profiles.findings import Severity
from portal.records.profiles.layout import Condition, GroupSpec, build, clause
from portal.records.profiles.profile import CheckText, Profile, Serves, covering_roles
from portal.records.profiles.rules import KINDS, Params, Ref, Rule

TEXTS = Path(__file__).with_name("texts.toml")
_COLUMNS = ("group", "tag", "name", "type", "required")
_CHECK_WORDS = frozenset({"title", "tag", "value", "limit", "place"})
_RULE_WORDS = frozenset({"title", "tag", "value", "place"})
_MARKS = ("level", "version", "circular")  # without these a record cannot find its profile


def load(folder: Path) -> Profile:
    """The profile of one folder; raises ProfileBroken."""
    main = _toml(folder / "profile.toml")
    policy = _toml(folder / "policy.toml")
    rules = _toml(folder / "rules.toml")
    where = str(folder / "profile.toml")
    codes = _codes(folder / "codes.toml")
    conditions = _conditions(where, main)
    data_path = _text(where, main, "data")
    groups = _groups(where, main, data_path, conditions)
    specs = _fields(folder / "fields.csv", groups, conditions)
    _check_policy(str(folder / "policy.toml"), policy)
    leaves = _leaves(folder / "fields.csv", specs, groups, codes, policy)
    places = [str(slot["place"]) for slot in policy["slots"] if "/" in str(slot["place"])]
    titles = {ref: leaf.spec.title for ref, leaf in leaves.items()}
    root_tag = _text(where, main, "root")
    return Profile(
        name=_text(where, main, "name"),
        title=_text(where, main, "title"),
        serves=_serves(where, main),
        root_tag=root_tag,
        data_path=data_path,
        signatures_path=_text(where, main, "signatures"),
        identity=_identity(where, main, leaves),
        groups=groups,
        fields=tuple(specs),
        codes=codes,
        conditions=conditions,
        rules=tuple(_rules(str(folder / "rules.toml"), rules, titles, codes, conditions)),
        texts=_texts(str(folder / "rules.toml"), rules),
        policy_data=policy,
        leaves=leaves,
        tree=build(root_tag, list(groups.values()), list(leaves.values()), places),
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileBroken(str(path), "-", f"không đọc được: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileBroken(str(path), "-", f"không phải TOML: {error}") from error


def _text(where: str, data: Mapping[str, Any], key: str, prefix: str = "") -> str:
    found = data.get(key)
    if not isinstance(found, str) or not found:
        raise ProfileBroken(where, f"{prefix}{key}", "thiếu, hoặc không phải chuỗi")
    return found


def _table(where: str, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    if not isinstance(found, Mapping):
        raise ProfileBroken(where, key, "thiếu bảng này")
    return found


def _serves(where: str, main: Mapping[str, Any]) -> Serves:
    table = _table(where, main, "serves")
    found = {}
    for key in ("levels", "versions", "circulars"):
        entries = table.get(key)
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
        found[key] = Condition(key, _text(where, data, "title", f"conditions.{key}."), clauses)
    return found


def _groups(
    where: str, main: Mapping[str, Any], data_path: str, conditions: Mapping[str, Condition]
) -> dict[str, GroupSpec]:
    found: dict[str, GroupSpec] = {}
    for number, entry in enumerate(main.get("groups", ()), start=1):
        key = _text(where, entry, "key", f"groups[{number}].")
        path = _text(where, entry, "path", f"groups.{key}.")
        when = entry.get("when")
        if when is not None and when not in conditions:
            raise ProfileBroken(where, f"groups.{key}.when", f"điều kiện “{when}” không có trong [conditions]")
        if key in found:
            raise ProfileBroken(where, f"groups.{key}", "khóa này đã dùng cho nhóm khác")
        found[key] = GroupSpec(
            key=key,
            title=_text(where, entry, "title", f"groups.{key}."),
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


def _identity(where: str, main: Mapping[str, Any], leaves: Mapping[Ref, Leaf]) -> dict[str, str]:
    table = _table(where, main, "identity")
    for key, tag in table.items():
        if Ref("general", str(tag)) not in leaves:
            raise ProfileBroken(where, f"identity.{key}", f"thẻ “{tag}” không có trong nhóm general của fields.csv")
    for key in (*_MARKS, "lookup_uuid"):
        if key not in table:
            raise ProfileBroken(where, f"identity.{key}", "thiếu")
    return {str(key): str(tag) for key, tag in table.items()}


def _codes(path: Path) -> dict[str, CodeList]:
    found = {}
    for key, data in _toml(path).items():
        entries = data.get("codes") if isinstance(data, Mapping) else None
        if not isinstance(entries, Mapping) or not entries:
            raise ProfileBroken(str(path), key, "thiếu bảng codes")
        codes = {}
        for code, entry in entries.items():
            title = _text(str(path), entry, "title", f"{key}.codes.{code}.")
            facts = {name: fact for name, fact in entry.items() if name not in {"title", "words"}}
            codes[code] = Code(code, title, tuple(entry.get("words", ())), facts)
        found[key] = CodeList(key, str(data.get("title", key)), codes)
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
    policy: Mapping[str, Any],
) -> dict[Ref, Leaf]:
    found: dict[Ref, Leaf] = {}
    for spec in specs:
        ref = Ref(spec.group, spec.tag)
        if ref in found:
            raise ProfileBroken(str(path), f"{spec.group}.{spec.tag}", "trường này có hai dòng")
        place = f"{groups[spec.group].path}/{spec.tag}"
        found[ref] = field_checks.leaf(spec, place, codes, covering_roles(policy, place), str(path))
    return found


def _check_policy(where: str, policy: Mapping[str, Any]) -> None:
    slots = policy.get("slots")
    if not isinstance(slots, list) or not slots:
        raise ProfileBroken(where, "slots", "thiếu danh sách chữ ký")
    for number, slot in enumerate(slots, start=1):
        for key in ("role", "place", "covers"):
            _text(where, slot, key, f"slots[{number}].")


def _texts(where: str, rules: Mapping[str, Any]) -> dict[str, CheckText]:
    base = _toml(TEXTS)
    changed = rules.get("checks", {})
    for code, severity in changed.items():
        if code not in base or severity not in set(Severity) or code == "RULE_CRASHED":
            raise ProfileBroken(where, f"checks.{code}", "mã kiểm tra hoặc mức độ (ERROR, WARNING) không đúng")
    found = {}
    for code, data in base.items():
        severity = Severity(changed.get(code, data["severity"]))
        for key in ("message", "advice"):
            _words(str(TEXTS), f"{code}.{key}", data[key], _CHECK_WORDS)
        found[code] = CheckText(code, data["title"], severity, data["message"], data["advice"])
    return found


def _words(where: str, key: str, sentence: str, known: frozenset[str]) -> None:
    """A sentence with a blank nobody fills would crash on a record: refuse it when it is loaded."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}
    except ValueError as error:
        raise ProfileBroken(where, key, f"câu có dấu ngoặc nhọn sai: {error}") from error
    if not names <= known:
        unknown = ", ".join(sorted(names - known))
        raise ProfileBroken(where, key, f"câu dùng ô trống không có: {unknown}")


def _rules(
    where: str,
    data: Mapping[str, Any],
    titles: Mapping[Ref, str],
    codes: Mapping[str, CodeList],
    conditions: Mapping[str, Condition],
) -> list[Rule]:
    found: dict[str, Rule] = {}
    for number, entry in enumerate(data.get("rules", ()), start=1):
        rule_id = _text(where, entry, "id", f"rules[{number}].")
        if rule_id in found:
            raise ProfileBroken(where, f"{rule_id}.id", "mã quy tắc này đã dùng")
        found[rule_id] = _rule(where, rule_id, entry, titles, codes, conditions)
    return list(found.values())


def _rule(
    where: str,
    rule_id: str,
    entry: Mapping[str, Any],
    titles: Mapping[Ref, str],
    codes: Mapping[str, CodeList],
    conditions: Mapping[str, Condition],
) -> Rule:
    texts = {key: _text(where, entry, key, f"{rule_id}.") for key in ("title", "code", "source", "message", "advice")}
    kind = KINDS.get(entry.get("kind", ""))
    if kind is None:
        raise ProfileBroken(where, f"{rule_id}.kind", f"loại quy tắc “{entry.get('kind')}” không có trong thư viện")
    if entry.get("severity") not in set(Severity):
        raise ProfileBroken(where, f"{rule_id}.severity", "phải là ERROR hoặc WARNING")
    when = entry.get("when")
    if when is not None and when not in conditions:
        raise ProfileBroken(where, f"{rule_id}.when", f"điều kiện “{when}” không có trong profile.toml")
    for key in ("message", "advice"):
        _words(where, f"{rule_id}.{key}", texts[key], _RULE_WORDS | kind.facts)
    params = Params(where, rule_id, entry.get("with", {}), titles, codes)
    try:
        check = kind.factory(params)
    except (TypeError, ValueError, KeyError) as error:
        raise ProfileBroken(where, f"{rule_id}.with", f"tham số sai: {error}") from error
    params.done()
    resign = tuple(entry["resign"]) if "resign" in entry else None
    return Rule(id=rule_id, severity=Severity(entry["severity"]), when=when, resign=resign, check=check, **texts)
