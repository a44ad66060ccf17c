"""Prepares a whole rehearsal: PKI on disk, the department's key in its place, endpoint, simulator, register.

Every step leaves alone what is already there, so running it twice is the same as once. It never writes a record.
"""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway import conf as gateway_conf
from portal.rehearsal.install import install, load_revocation_lists
from portal.rehearsal.keys import write_private
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import write_pki
from portal.rehearsal.province import Province
from portal.rehearsal.state import NotPrepared, State, load_state, new_state, save_state

MINISTRY_ACCOUNT = "sogddt"
_FRESH = timedelta(days=300)


@dataclass(frozen=True)
class Rehearsal:
    """A prepared rehearsal, ready to hand in."""

    folder: Path
    state: State
    province: Province
    pki: Pki


@dataclass(frozen=True)
class Wishes:
    """What a caller may choose; passwords come in because randomness does."""

    seed: str = "1"
    schools: int = 40
    communes: int = 8
    password: str = ""
    api_password: str = ""
    ministry_password: str = ""


@dataclass(frozen=True)
class Sites:
    """Where the files of one installation go, and the ports of the simulator."""

    var: Path
    endpoint_file: Path
    key_file: Path
    passphrase_file: Path
    trust_dir: Path
    simulator_port: int = 8766
    control_port: int = 8767

    @property
    def folder(self) -> Path:
        return self.var / "rehearsal"

    @property
    def simulator_file(self) -> Path:
        return self.var / "simulator" / "simulator.toml"


def prepare(sites: Sites, wishes: Wishes, *, now: datetime) -> Rehearsal:
    """Files first, then the register in one transaction, then the state: a broken run is simply run again."""
    state = _state(sites, wishes, now)
    province, pki = state.province(), state.pki(sites.folder)
    write_files(sites, state, pki, ministry_password=wishes.ministry_password, now=now)
    install(province, pki, password=state.password, api_password=state.api_password, now=now)
    load_revocation_lists(pki, schools=state.schools, now=now)
    save_state(state, sites.folder)
    return Rehearsal(sites.folder, state, province, pki)


def open_rehearsal(folder: Path) -> Rehearsal:
    """The rehearsal prepared in a folder. Raises NotPrepared."""
    state = load_state(folder)
    return Rehearsal(folder, state, state.province(), state.pki(folder))


def _state(sites: Sites, wishes: Wishes, now: datetime) -> State:
    try:
        return load_state(sites.folder)
    except NotPrepared:
        return new_state(
            seed=wishes.seed,
            schools=wishes.schools,
            communes=wishes.communes,
            password=wishes.password,
            api_password=wishes.api_password,
            now=now,
        )


def write_files(sites: Sites, state: State, pki: Pki, *, ministry_password: str, now: datetime) -> None:
    """PKI, key, anchors, endpoint and simulator: everything that is not in the database."""
    pki_folder = sites.folder / "pki"
    if not _is_fresh(pki_folder / "client.pem", now):
        write_pki(pki, pki_folder, schools=state.schools, now=now)
    _place(pki_folder / "department.p12", sites.key_file)
    _place(pki_folder / "department.pass", sites.passphrase_file)
    for anchor in sorted((pki_folder / "trust").glob("*.pem")):
        _place(anchor, sites.trust_dir / anchor.name)
    if sites.endpoint_file.exists() and sites.simulator_file.exists():
        return
    for path, text in (
        (sites.endpoint_file, endpoint_text(sites, unit_code=state.province().code, password=ministry_password)),
        (sites.simulator_file, simulator_text(sites, unit_code=state.province().code, password=ministry_password)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text.encode())


def _is_fresh(path: Path, now: datetime) -> bool:
    """Written so lately that neither the line's certificates nor the CRLs run out soon."""
    return path.exists() and now.timestamp() - path.stat().st_mtime < _FRESH.total_seconds()


def _place(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(target, source.read_bytes())


def endpoint_text(sites: Sites, *, unit_code: str, password: str) -> str:
    """The endpoint description: what the shipped one for the simulator does not know."""
    pki = sites.folder / "pki"
    return _toml(
        {
            "": {"extends": "simulator"},
            "endpoint": {"base_url": f"https://127.0.0.1:{sites.simulator_port}", "unit_code": unit_code},
            "login": {"user_name": MINISTRY_ACCOUNT, "password": password},
            "connection": {
                "ca": str(pki / "server-ca.pem"),
                "client_certificate": str(pki / "client.pem"),
                "client_key": str(pki / "client.key"),
                "source_address": "127.0.0.1",
                "registered_address": "127.0.0.1",
            },
        }
    )


def simulator_text(sites: Sites, *, unit_code: str, password: str) -> str:
    """The simulator's description; the services' paths are those of the shipped endpoint description."""
    pki = sites.folder / "pki"
    shipped = tomllib.loads((gateway_conf.SHIPPED / "simulator.toml").read_text(encoding="utf-8"))
    return _toml(
        {
            "": {
                "folder": str(sites.simulator_file.parent),
                "port": sites.simulator_port,
                "control_port": sites.control_port,
            },
            "tls": {
                "certificate": str(pki / "server.pem"),
                "key": str(pki / "server.key"),
                "client_ca": str(pki / "client-ca.pem"),
            },
            "judging": {"school_cas": str(pki / "school-cas.pem")},
            "paths": {name: service["path"] for name, service in shipped["services"].items()},
            "[accounts]": {"user_name": MINISTRY_ACCOUNT, "password_sha256": _sha256(password), "unit": unit_code},
            "[certificates]": {"unit": unit_code, "path": str(pki / "department.pem")},
        }
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _toml(tables: dict[str, dict[str, str | int]]) -> str:
    """TOML of flat tables; a basic string of TOML is written as JSON writes it."""
    parts = []
    for name, values in tables.items():
        head = f"[{name}]\n" if name else ""
        parts.append(
            head + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
        )
    return "\n".join(parts)
