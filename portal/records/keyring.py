"""The department's sealing key, wherever it lives: a file, a PKCS#11 token or module, a remote signing service.

Attended sealing: the key opens only with a PIN that an officer types, for one run, in the process of that run. The PIN
stands in no setting, row, log or message; `in_hand` lends the open key to the code that seals and takes it back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from signing.errors import KeyUnavailable, SigningError
from signing.keys.software import open_pkcs12
from signing.sealing import SealingKey
from signing.trust import read_certificate


@dataclass(frozen=True)
class SealingSetup:
    """How the department seals; the values come from portal/settings/signing.py."""

    mode: Literal["automatic", "attended"]
    kind: Literal["software", "hsm", "remote"]
    four_eyes: bool
    key_file: Path
    passphrase_file: Path
    allow_key_file: bool
    certificate_file: Path
    chain_files: tuple[Path, ...] = ()
    hsm_module: str = ""
    hsm_token: str = ""
    hsm_key: str = ""
    pin_file: Path | None = None
    remote_url: str = ""
    remote_credential: str = ""
    remote_token_file: Path | None = None

    @property
    def is_attended(self) -> bool:
        return self.mode == "attended"


_in_hand: ContextVar[SealingKey | None] = ContextVar("sealing_key_in_hand", default=None)


@contextmanager
def in_hand(setup: SealingSetup, pin: SecretStr) -> Iterator[SealingKey]:
    """The key, opened with this PIN and lent to whatever seals inside the block; closed and forgotten after it."""
    key = _open(setup, pin)
    token = _in_hand.set(key)
    try:
        yield key
    finally:
        _in_hand.reset(token)
        key.close()


def key_for(setup: SealingSetup) -> SealingKey:
    """The key in hand; in automatic mode the installation's own, opened once per process. Raises `KeyUnavailable`."""
    held = _in_hand.get()
    if held is not None:
        return held
    if setup.is_attended:
        raise KeyUnavailable(
            "SEALING_ATTENDED", "Gói học bạ chờ cán bộ nhập mã PIN để đóng dấu (trang Đóng dấu gói học bạ)."
        )
    return _kept(setup, _stamp(setup))


def may_seal(setup: SealingSetup) -> bool:
    """Whether sealing can be tried now without a person."""
    return not setup.is_attended or _in_hand.get() is not None


def _stamp(setup: SealingSetup) -> int:
    """Changes when the key's files change, so that a renewed key is taken up without a restart."""
    path = setup.key_file if setup.kind == "software" else setup.certificate_file
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=2)
def _kept(setup: SealingSetup, stamp: int) -> SealingKey:
    return _open(setup, None)


def _open(setup: SealingSetup, pin: SecretStr | None) -> SealingKey:
    match setup.kind:
        case "hsm":
            return _open_hsm(setup, pin)
        case "remote":
            return _open_remote(setup, pin)
        case _:
            return _open_file(setup, pin)


def _open_file(setup: SealingSetup, pin: SecretStr | None) -> SealingKey:
    if not setup.allow_key_file:
        raise KeyUnavailable("KEY_FILE_NOT_ALLOWED", "Chế độ vận hành thật không cho dùng khóa nằm trong tệp.")
    if not setup.key_file.is_file():
        raise KeyUnavailable("KEY_FILE_UNREADABLE", "Không đọc được tệp khóa ký của Sở.")
    if pin is not None:
        return open_pkcs12(setup.key_file, pin.get_secret_value().encode())
    file = setup.passphrase_file
    return open_pkcs12(setup.key_file, _secret(file).get_secret_value().encode() if file.exists() else b"")


def _open_hsm(setup: SealingSetup, pin: SecretStr | None) -> SealingKey:
    try:
        from signing.keys.hsm import HsmKey, HsmPlace
    except ImportError:
        raise KeyUnavailable("HSM_LIBRARY", "Chưa cài phần hỗ trợ PKCS#11 (gói python-pkcs11).") from None
    place = HsmPlace(setup.hsm_module, setup.hsm_token, setup.hsm_key)
    chain = tuple(_certificate(path) for path in setup.chain_files)
    return HsmKey(place, _certificate(setup.certificate_file), _asker(setup, pin), chain)


def _open_remote(setup: SealingSetup, pin: SecretStr | None) -> SealingKey:
    from signing.keys.remote import RemoteKey
    from signing.online import RemoteSigningService

    ask = _asker(setup, pin)
    token = _secret(setup.remote_token_file).get_secret_value() if setup.remote_token_file else ""

    def secrets() -> Sequence[dict[str, str]]:
        return ({"id": "PIN", "value": ask()},) if pin is not None or setup.pin_file else ()

    return RemoteKey(RemoteSigningService(setup.remote_url, token), setup.remote_credential, secrets)


def _asker(setup: SealingSetup, pin: SecretStr | None) -> Callable[[], str]:
    """Gives the PIN when a session opens: the one just typed, or the one in the operator's file."""

    def ask() -> str:
        if pin is not None:
            return pin.get_secret_value()
        return _secret(setup.pin_file).get_secret_value()

    return ask


def _secret(path: Path | None) -> SecretStr:
    try:
        return SecretStr(path.read_text("utf-8").strip() if path else "")
    except OSError:
        raise KeyUnavailable("SECRET_FILE_UNREADABLE", "Không đọc được tệp mã PIN của khóa ký.") from None


def _certificate(path: Path) -> bytes:
    try:
        return read_certificate(path.read_bytes()).der
    except (OSError, SigningError):
        raise KeyUnavailable(
            "KEY_CERTIFICATE_UNREADABLE", f"Không đọc được chứng thư của khóa ký ({path.name})."
        ) from None


def forget() -> None:
    """Drop the key this process keeps open: a person has put something right."""
    _kept.cache_clear()
