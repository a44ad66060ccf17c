"""What the simulator is told at start: one TOML file becomes one frozen value.

Every value that the public texts leave open (addresses, limits, token life, delays) stands here and nowhere else in the
simulator. Reading the file must never create anything on disk.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SERVICES = (
    "token",
    "signature_kinds",
    "certificate_providers",
    "register_certificate",
    "query_certificate",
    "submit",
    "query",
    "recall",
    "query_recall",
)

DEFAULT_PATHS: Mapping[str, str] = {
    "token": "/api/token",
    "signature_kinds": "/api/danh-muc/kieu-chu-ky",
    "certificate_providers": "/api/danh-muc/nha-phat-hanh",
    "register_certificate": "/api/chung-thu-so/dang-ky",
    "query_certificate": "/api/chung-thu-so/trang-thai",
    "submit": "/api/hoc-ba/gui",
    "query": "/api/hoc-ba/ket-qua",
    "recall": "/api/thu-hoi/gui",
    "query_recall": "/api/thu-hoi/ket-qua",
}

ADDRESS_PATH = "/api/dia-chi"  # tells the caller which address we see; the connection doctor asks it


class ConfigurationRefused(Exception):
    """The description cannot be used; the message is a sentence for the person who starts the simulator."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may speak: `password_sha256` is the hex digest exactly as it travels; `units` may hold "*"."""

    user_name: str
    password_sha256: str
    unit: str
    units: tuple[str, ...] = ("*",)

    def may_speak_for(self, unit: str) -> bool:
        return unit == self.unit or "*" in self.units or unit in self.units


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """A sealing certificate that is registered and approved from the start."""

    unit: str
    path: Path


@dataclass(frozen=True, slots=True)
class Tls:
    certificate: Path
    key: Path
    client_ca: Path


@dataclass(frozen=True, slots=True)
class Judging:
    """How the repository judges; delays in seconds, share between 0 and 1."""

    delay_seconds: float = 1.0
    jitter_seconds: float = 0.0
    signature_share: float = 0.05
    recall_delay_seconds: float = 1.0
    certificate_delay_seconds: float = 0.0
    approve_certificates: bool = True
    refuse_held: bool = True
    school_cas: Path | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    folder: Path
    tls: Tls
    host: str = "127.0.0.1"
    port: int = 8766
    control_host: str = "127.0.0.1"
    control_port: int = 8767
    control_token: str = ""
    addresses: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    client_fingerprints: tuple[str, ...] = ()
    token_seconds: float = 1800.0
    require_token_on_queries: bool = True
    max_body_bytes: int = 10 * 1024 * 1024
    max_document_bytes: int = 10 * 1024 * 1024
    read_timeout_seconds: float = 60.0
    idle_timeout_seconds: float = 120.0
    accounts: tuple[Account, ...] = ()
    certificates: tuple[KnownCertificate, ...] = ()
    judging: Judging = field(default_factory=Judging)
    paths: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_PATHS))
    functions: Mapping[str, str] = field(default_factory=dict)


def load(path: Path, *, port: int | None = None, control_port: int | None = None) -> SimulatorConfig:
    """Read a description file; relative paths in it are relative to the file's own folder."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationRefused(f"Không tìm thấy tệp cấu hình của kho mô phỏng: {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigurationRefused(f"Tệp cấu hình {path} không đọc được: {problem}") from problem
    ports = {"port": port, "control_port": control_port}
    data |= {name: value for name, value in ports.items() if value is not None}
    return from_mapping(data, base=path.resolve().parent)


def from_mapping(data: Mapping[str, Any], *, base: Path) -> SimulatorConfig:
    """Turn a parsed description into a value; an unknown key is refused, not ignored."""
    rest = dict(data)
    try:
        tls = {name: _path(base, value) for name, value in dict(rest.pop("tls")).items()}
        judging = dict(rest.pop("judging", {}))
        if judging.get("school_cas"):
            judging["school_cas"] = _path(base, judging["school_cas"])
        paths = {**DEFAULT_PATHS, **rest.pop("paths", {})}
        unknown = set(paths) - set(SERVICES)
        if unknown:
            raise ConfigurationRefused(f"Dịch vụ không có trong kho mô phỏng: {', '.join(sorted(unknown))}")
        return SimulatorConfig(
            folder=_path(base, rest.pop("folder")),
            tls=Tls(**tls),
            judging=Judging(**judging),
            paths=paths,
            addresses=tuple(rest.pop("addresses", SimulatorConfig.__dataclass_fields__["addresses"].default)),
            client_fingerprints=tuple(rest.pop("client_fingerprints", ())),
            accounts=tuple(_account(item) for item in rest.pop("accounts", ())),
            certificates=tuple(
                KnownCertificate(unit=str(item["unit"]), path=_path(base, item["path"]))
                for item in rest.pop("certificates", ())
            ),
            **rest,
        )
    except (KeyError, TypeError) as problem:
        raise ConfigurationRefused(f"Cấu hình kho mô phỏng thiếu hoặc thừa mục: {problem}") from problem


def _account(item: Mapping[str, Any]) -> Account:
    values = dict(item)
    values["units"] = tuple(values.get("units", ("*",)))
    return Account(**values)


def _path(base: Path, value: object) -> Path:
    path = Path(str(value))
    return path if path.is_absolute() else base / path
