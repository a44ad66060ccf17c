"""The rules of a profile (rules.toml) and the sentences of the checks of single fields (texts.toml), checked at load.

A rule that loads has a kind, its parameters, and sentences whose every blank the kind fills.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from portal.records.profiles.codes import CodeList
from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.findings import Severity
from portal.records.profiles.layout import Condition
from portal.records.profiles.profile import CheckText
from portal.records.profiles.rules import KINDS, Params, Ref, Rule
from portal.records.profiles.tables import text, toml

TEXTS = Path(__file__).with_name("texts.toml")
_CHECK_WORDS = frozenset({"title", "tag", "value", "limit", "place"})
_RULE_WORDS = frozenset({"title", "tag", "value", "place"})


def check_texts(where: str, entries: Mapping[str, Any]) -> dict[str, CheckText]:
    base = toml(TEXTS)
    changed = entries.get("checks", {})
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


def rules(
    where: str,
    entries: Mapping[str, Any],
    titles: Mapping[Ref, str],
    codes: Mapping[str, CodeList],
    conditions: Mapping[str, Condition],
) -> list[Rule]:
    found: dict[str, Rule] = {}
    for number, entry in enumerate(entries.get("rules", ()), start=1):
        rule_id = text(where, entry, "id", f"rules[{number}].")
        if rule_id in found:
            raise ProfileBroken(where, f"{rule_id}.id", "mã quy tắc này đã dùng")
        found[rule_id] = _rule(where, rule_id, entry, titles=titles, codes=codes, conditions=conditions)
    return list(found.values())


def _rule(
    where: str,
    rule_id: str,
    entry: Mapping[str, Any],
    *,
    titles: Mapping[Ref, str],
    codes: Mapping[str, CodeList],
    conditions: Mapping[str, Condition],
) -> Rule:
    texts = {key: text(where, entry, key, f"{rule_id}.") for key in ("title", "code", "source", "message", "advice")}
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
