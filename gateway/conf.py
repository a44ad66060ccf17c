"""The endpoint's description (one TOML file) as one frozen value: every [W] choice about the Ministry sits there.

A file may say `extends = "simulator"` (a shipped description) or `extends = "other.toml"` and then only state where it
differs. Relative paths are resolved against the folder of the file that wrote them. An unknown key is an
error: a misspelt limit must not silently keep its default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

SHIPPED: Final = Path(__file__).parent / "endpoints"
_PATHS: Final = {
    "login": ("password_file",),
    "connection": ("client_certificate", "client_key", "ca"),
}
# Longer than any span that makes sense, and short enough to be counted from today.
_LONGEST_SECONDS: Final = 10**9
_LONGEST_DAYS: Final = 36_500
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class EndpointUnreadable(Exception):
    """The description is missing or wrong. Code: ENDPOINT_FILE_MISSING, ENDPOINT_FILE_INVALID."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Identity(_Part):
    name: str = Field(min_length=1, max_length=40)
    title: str
    base_url: str = Field(pattern=r"^https://[^/?#\s]+(/[^?#\s]*)?$")
    unit_code: str = Field(min_length=1, max_length=20)
    contact: str = ""
    our_contact: str = ""


class Login(_Part):
    user_name: str
    password_file: str = ""
    password: str = Field(default="", repr=False)
    password_form: Literal["sha256-hex", "sha256-hex-upper", "sha256-base64"]
    token_life_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    token_margin_seconds: int = Field(ge=0, le=_LONGEST_SECONDS)
    token_field: str
    life_field: str
    token_header: str
    token_prefix: str

    def secret(self) -> str:
        """The password itself, read when it is needed and kept nowhere."""
        return Path(self.password_file).read_text("utf-8").strip() if self.password_file else self.password


class Service(_Part):
    method: Literal["GET", "POST", "PUT"]
    path: str = Field(pattern=r"^/")
    function: str = ""


class Services(_Part):
    token: Service
    signature_kinds: Service
    certificate_providers: Service
    register_certificate: Service
    query_certificate: Service
    submit: Service
    query: Service
    recall: Service
    query_recall: Service


class TimestampAuthority(_Part):
    """Who time-stamps seals of kind XADES_T; asked in the order of the list."""

    name: str
    url: str = Field(pattern=r"^https?://")
    roots: str  # file of the root certificates (PEM), absolute


class DocumentRules(_Part):
    escape: Literal["none", "backslash", "entity"]
    c14n: Literal["exclusive", "inclusive"]
    seal_kind: Literal["XMLDSIG", "XADES_B", "XADES_T"]
    seal_place: str
    seal_reference: Literal["#id", ""]
    timestamp_authorities: tuple[TimestampAuthority, ...] = ()
    max_document_bytes: int = Field(gt=0)
    max_body_bytes: int = Field(gt=0)


class Connection(_Part):
    source_address: str
    registered_address: str
    client_certificate: str
    client_key: str
    ca: str
    server_name: str
    proxy: str
    connect_timeout: float = Field(gt=0, le=_LONGEST_SECONDS)
    read_timeout: float = Field(gt=0, le=_LONGEST_SECONDS)
    total_timeout: float = Field(gt=0, le=_LONGEST_SECONDS)
    max_answer_bytes: int = Field(gt=0)
    max_result_bytes: int = Field(gt=0)
    probe_service: Literal["signature_kinds", "certificate_providers"]
    address_path: str


class Window(_Part):
    """Hours of certain days in which sending is allowed; `from` later than `to` runs over midnight."""

    days: str
    opens: time = Field(alias="from")
    closes: time = Field(alias="to")

    def weekdays(self) -> frozenset[int]:
        chosen: set[int] = set()
        for part in self.days.lower().replace(" ", "").split(","):
            first, _, last = part.partition("-")
            start, end = _DAYS.index(first), _DAYS.index(last or first)
            chosen.update(day % 7 for day in range(start, (end if end >= start else end + 7) + 1))
        return frozenset(chosen)

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        self.weekdays()
        if self.opens.tzinfo or self.closes.tzinfo:
            raise ValueError("giờ gửi là giờ của sending.timezone, không ghi múi giờ.")
        return self

    def allows(self, local: datetime) -> bool:
        clock = local.timetz().replace(tzinfo=None)
        if self.opens <= self.closes:
            return local.weekday() in self.weekdays() and self.opens <= clock < self.closes
        yesterday = (local.weekday() - 1) % 7
        late = local.weekday() in self.weekdays() and clock >= self.opens
        return late or (yesterday in self.weekdays() and clock < self.closes)


class Maintenance(_Part):
    starts: AwareDatetime = Field(alias="from")
    ends: AwareDatetime = Field(alias="to")
    reason: str = ""


class Sending(_Part):
    parallelism: int = Field(gt=0, le=64)
    lease_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    first_delay_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)
    longest_delay_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)
    longest_retry_after_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)
    pause_after_failures: int = Field(gt=0)
    bisections_an_hour: int = Field(gt=0)
    refused_size_days: float = Field(default=30, gt=0, le=_LONGEST_DAYS)
    timezone: str
    windows: tuple[Window, ...]
    maintenance: tuple[Maintenance, ...]

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, ZoneInfoNotFoundError):
            raise ValueError("không có múi giờ tên như vậy; ví dụ Asia/Ho_Chi_Minh.") from None
        return name


class Polling(_Part):
    first_delays_seconds: tuple[float, ...]
    factor: float = Field(ge=1)
    longest_delay_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)
    overdue_after_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    ask_first_delay_seconds: float = Field(ge=0, le=_LONGEST_SECONDS)
    unknown_answers_needed: int = Field(gt=0)
    lost_after_unknown_answers: int = Field(gt=0)


class Probe(_Part):
    first_delay_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)
    longest_delay_seconds: float = Field(gt=0, le=_LONGEST_SECONDS)


class Answers(_Part):
    received: frozenset[str]
    finished: frozenset[str]
    unknown: frozenset[str]
    too_big: frozenset[str]
    package: frozenset[str]
    busy: frozenset[str]
    conflict: frozenset[str]
    held: frozenset[str] = frozenset()
    recalled: frozenset[str] = frozenset()
    link: Mapping[str, str]


class Verdicts(_Part):
    accepted: frozenset[int]
    rejected: frozenset[int]
    recall_waiting: frozenset[int]
    recall_accepted: frozenset[int]
    recall_rejected: frozenset[int]


class Schedule(_Part):
    reconcile_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    compare_retry_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    catalogues_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    certificates_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    watch_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    housekeeping_seconds: int = Field(gt=0, le=_LONGEST_SECONDS)
    keep_documents_days: int = Field(gt=0, le=_LONGEST_DAYS)
    certificate_warning_days: tuple[int, ...]


class EndpointDescription(_Part):
    """The central repository as we are configured to reach it."""

    endpoint: Identity
    login: Login
    services: Services
    document: DocumentRules
    connection: Connection
    sending: Sending
    polling: Polling
    probe: Probe
    answers: Answers
    verdicts: Verdicts
    schedule: Schedule

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def unit_code(self) -> str:
        return self.endpoint.unit_code

    @property
    def c14n(self) -> Literal["exclusive", "inclusive"]:
        return self.document.c14n

    @property
    def max_document_bytes(self) -> int:
        return self.document.max_document_bytes

    @property
    def max_body_bytes(self) -> int:
        return self.document.max_body_bytes

    @model_validator(mode="after")
    def _a_lease_outlives_a_call(self) -> Self:
        # The longest attempt: the call, a new token, the call again.
        if self.sending.lease_seconds <= 3 * self.connection.total_timeout:
            raise ValueError("sending.lease_seconds phải lớn hơn ba lần connection.total_timeout")
        return self

    def sending_allowed(self, now: datetime) -> bool:
        """Whether a new package may leave now (questions about old ones always may)."""
        if self.maintenance_at(now):
            return False
        windows = self.sending.windows
        local = now.astimezone(ZoneInfo(self.sending.timezone))
        return not windows or any(window.allows(local) for window in windows)

    def maintenance_at(self, now: datetime) -> Maintenance | None:
        """The announced maintenance that `now` falls into."""
        return next((one for one in self.sending.maintenance if one.starts <= now < one.ends), None)

    def lease(self) -> timedelta:
        return timedelta(seconds=self.sending.lease_seconds)


def read_description(path: Path) -> EndpointDescription:
    """One description file, with everything it extends. Raises EndpointUnreadable."""
    try:
        return EndpointDescription.model_validate(_load(path, depth=0))
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        message = f"Tệp {path.name}: {place or 'nội dung'}: {_in_words(first['type'], first['msg'])}"
        raise EndpointUnreadable("ENDPOINT_FILE_INVALID", message) from None


# What is wrong with a value, by the validator's code; its own words otherwise.
_WRONG: Final = {
    "extra_forbidden": "không có dòng nào tên như vậy (viết sai tên?).",
    "missing": "thiếu dòng này.",
    "string_pattern_mismatch": "giá trị không đúng dạng",
    "string_type": "phải là chữ trong dấu nháy.",
    "int_parsing": "phải là số nguyên.",
    "int_type": "phải là số nguyên.",
    "float_parsing": "phải là số.",
    "float_type": "phải là số.",
    "bool_parsing": "phải là true hoặc false.",
    "list_type": "phải là danh sách trong [ ].",
    "tuple_type": "phải là danh sách trong [ ].",
    "literal_error": "không phải một trong các giá trị được phép",
    "greater_than": "số quá nhỏ",
    "greater_than_equal": "số quá nhỏ",
    "less_than_equal": "số quá lớn",
    "timezone_aware": "thiếu múi giờ; ví dụ 2026-07-01T22:00:00+07:00.",
}


def _in_words(kind: str, words: str) -> str:
    said = _WRONG.get(kind)
    if said is None:
        return words.removeprefix("Value error, ")
    return said if said.endswith(".") else f"{said} ({words})."


def endpoint() -> EndpointDescription:
    """The description named by settings.GATEWAY_ENDPOINT_FILE, read again whenever the file changes."""
    path = endpoint_file()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        raise EndpointUnreadable("ENDPOINT_FILE_MISSING", f"Không đọc được tệp mô tả điểm kết nối {path}.") from None
    return _cached(path, stamp)


def endpoint_file() -> Path:
    """Where the description lies; the shipped simulator's when nobody has said otherwise."""
    from django.conf import settings

    named = getattr(settings, "GATEWAY_ENDPOINT_FILE", None)
    return Path(named) if named else SHIPPED / "simulator.toml"


@lru_cache(maxsize=8)
def _cached(path: Path, _stamp: int) -> EndpointDescription:
    return read_description(path)


def _load(path: Path, depth: int) -> dict[str, Any]:
    if depth > 4:
        raise EndpointUnreadable("ENDPOINT_FILE_INVALID", f"Tệp {path.name}: kế thừa lẫn nhau quá sâu.")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError:
        raise EndpointUnreadable("ENDPOINT_FILE_MISSING", f"Không đọc được tệp {path}.") from None
    except tomllib.TOMLDecodeError as problem:
        text = f"Tệp {path.name} viết sai cú pháp TOML; sửa dòng được nêu ({problem})."
        raise EndpointUnreadable("ENDPOINT_FILE_INVALID", text) from None
    except UnicodeDecodeError:
        text = f"Tệp {path.name} không phải UTF-8; lưu lại bằng mã UTF-8."
        raise EndpointUnreadable("ENDPOINT_FILE_INVALID", text) from None
    base = data.pop("extends", None)
    _resolve_paths(data, path.parent)
    if base is None:
        return data
    return _merged(_load(_base_path(str(base), path.parent), depth + 1), data)


def _base_path(base: str, folder: Path) -> Path:
    return folder / base if base.endswith(".toml") else SHIPPED / f"{base}.toml"


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    for part, keys in _PATHS.items():
        section = data.get(part, {})
        for key in keys:
            if section.get(key):
                section[key] = str((folder / section[key]).resolve())


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        mine = merged.get(key)
        merged[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged
