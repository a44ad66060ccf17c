"""All rules of all profiles as one page of Markdown, for schools and officers: `docs/quy-tac.md`.

Made from the same data the engine runs, so the page cannot say anything else than the portal does.
"""

from collections.abc import Iterable, Iterator

from portal.records.profiles.fields import FieldSpec, shown
from portal.records.profiles.findings import Severity
from portal.records.profiles.layout import GroupSpec
from portal.records.profiles.profile import Profile
from portal.records.profiles.registry import Registry, registry

_SEVERITY = {Severity.ERROR: "Lỗi", Severity.WARNING: "Cảnh báo"}
_TYPES = {
    "text": "chữ",
    "token": "mã, không có khoảng trắng",
    "decimal": "số",
    "mark": "điểm",
    "flag": "0 hoặc 1",
    "date": "ngày",
    "uuid4": "UUID phiên bản 4",
    "cccd": "12 chữ số",
    "year": "YYYY-YYYY",
    "code": "theo danh mục",
}
_INTRODUCTION = """# Quy tắc kiểm tra học bạ số

Trang này do chính dữ liệu của cổng sinh ra (`portal/records/profiles/`), không sửa tay.
**Lỗi**: học bạ bị từ chối, phải sửa rồi gửi lại. **Cảnh báo**: học bạ vẫn được nhận, trường được báo để kiểm tra.
Mọi lỗi của một học bạ được báo cùng một lúc."""


def rulebook(profiles: Registry | None = None) -> str:
    """Markdown in Vietnamese: checks of single fields, then every profile with its rules, fields, code lists."""
    known = list(profiles if profiles is not None else registry())
    return (
        "\n".join([_INTRODUCTION, *_checks(known[0]), *(line for profile in known for line in _profile(profile))])
        + "\n"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


class _Blank(dict[str, str]):
    """Fills the blanks of a sentence that only a record could fill."""

    def __missing__(self, key: str) -> str:
        return "…"


def _plain(sentence: str) -> str:
    return sentence.format_map(_Blank())


def _checks(profile: Profile) -> Iterator[str]:
    yield "\n## Kiểm tra từng trường (mọi loại học bạ)"
    rows = (
        (f"`{text.code}`", _SEVERITY[text.severity], text.title, _plain(text.advice)) for text in profile.texts.values()
    )
    yield from _table(("Mã", "Mức độ", "Nội dung", "Cách xử lý"), rows)


def _profile(profile: Profile) -> Iterator[str]:
    yield f"\n## {profile.title}"
    yield "\n### Quy tắc"
    rules = (
        (f"`{rule.id}`", f"`{rule.code}`", _SEVERITY[rule.severity], rule.title, rule.source, _plain(rule.advice))
        for rule in profile.rules
    )
    yield from _table(("Quy tắc", "Mã", "Mức độ", "Nội dung", "Căn cứ", "Cách xử lý"), rules)
    for group in profile.groups.values():
        specs = [spec for spec in profile.fields if spec.group == group.key]
        if specs:
            yield from _group(profile, group, specs)
    yield "\n### Danh mục mã"
    for codes in profile.codes.values():
        yield f"\n- **{codes.title}**: " + " · ".join(f"`{code.code}` {code.title}" for code in codes.codes.values())


def _group(profile: Profile, group: GroupSpec, specs: list[FieldSpec]) -> Iterator[str]:
    yield f"\n### {group.title} (`{group.path}`)"
    rows = ((f"`{spec.tag}`", spec.title, _kind(profile, spec), _need(profile, spec)) for spec in specs)
    yield from _table(("Thẻ", "Tên", "Giá trị", "Bắt buộc"), rows)


def _kind(profile: Profile, spec: FieldSpec) -> str:
    parts = [_TYPES[spec.type]]
    if spec.codes is not None and spec.type == "code":
        parts.append(f"“{profile.codes[spec.codes].title}”")
    if spec.minimum is not None or spec.maximum is not None:
        parts.append(f"{shown(spec.minimum)} đến {shown(spec.maximum)}")
    if spec.length is not None and spec.type in {"text", "token"}:
        parts.append(f"tối đa {spec.length} ký tự")
    if spec.usual_length is not None:
        parts.append(f"nên không quá {spec.usual_length}")
    return ", ".join(parts)


def _need(profile: Profile, spec: FieldSpec) -> str:
    if not spec.required:
        return "không"
    return "có" if spec.when is None else f"khi {profile.conditions[spec.when].title}"
