"""The settings of this room as frozen values, and the department's sealing key.

The only place of `portal.records` that reads settings. Every value has a safe default; RECORDS in the settings of a
mode names what differs.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from gateway.conf import EndpointUnreadable, endpoint
from signing.errors import KeyUnavailable
from signing.keys.software import open_pkcs12
from signing.sealing import SealingKey, SealProfile

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Conf:
    """What an administrator may set."""

    # Doors
    max_upload_bytes: int = 2_000 * MEGABYTE
    max_exchange_bytes: int = 10 * MEGABYTE  # raw XML of one transaction (spec section 3)
    max_exchange_body_bytes: int = 15 * MEGABYTE  # the HTTP body around it
    min_free_bytes: int = 1_000 * MEGABYTE  # below this a hand-in is refused early, never half taken
    broken_off_after_hours: int = 24
    session_minutes: int = 60
    # Checking
    chunk_records: int = 200
    chunk_bytes: int = 16 * MEGABYTE
    lease_seconds: int = 120
    attempts_before_singles: int = 1  # after so many attempts in vain, one record at a time
    attempts_before_setting_aside: int = 3
    attempts_before_giving_up: int = 12
    recheck_seconds: int = 60
    browser_requires_list_seal: bool = False
    roster_is_binding: bool = False
    check_revocation: bool = True
    extra_profiles: tuple[Path, ...] = ()
    first_school_year: int = 2020  # the oldest year that a record may be of, by the calendar year it began in [W]
    department_code: str = ""  # MA_SO_GIAO_DUC; "endpoint": the unit that seals; empty: not asked
    # Dispatch
    linger_seconds: float = 60.0
    package_records: int = 2_000
    seal_reserve_bytes: int = 16_384
    on_behalf_of_schools: bool = False
    # Closing: day and month after which a school year's records change only by approved recall.
    closing_month: int = 6
    closing_day: int = 30


def conf() -> Conf:
    """The values in force; cheap, and never kept across tests."""
    given: dict[str, Any] = {"linger_seconds": 1.0} if getattr(settings, "MODE", "") != "production" else {}
    given |= getattr(settings, "RECORDS", {})
    known = {field.name for field in fields(Conf)}
    unknown = given.keys() - known
    if unknown:
        raise ValueError(f"unknown settings in RECORDS: {', '.join(sorted(unknown))}")
    return Conf(**given)


def spool_dir() -> Path | None:
    """Where a large hand-in is laid out while it is opened; the system's own place when none is set."""
    folder = getattr(settings, "FILE_UPLOAD_TEMP_DIR", None)
    return Path(folder) if folder and Path(folder).is_dir() else None


def storage_dir() -> Path:
    """The folder whose file system must not fill up."""
    folder = Path(settings.VAR)
    return folder if folder.is_dir() else Path("/")


def department_code() -> str | None:
    """The department's own code, which every record must name; None when nobody has said it."""
    said = conf().department_code
    return endpoint().unit_code if said == "endpoint" else said or None


def packing_limit() -> int:
    """The largest record that still fits into a package of its own."""
    try:
        largest = endpoint().max_document_bytes
    except EndpointUnreadable:
        # Schools are served whatever state our own line is in; the spec's limit stands in (section 3).
        largest = 10 * MEGABYTE
    return largest - conf().seal_reserve_bytes


def sealing_key() -> SealingKey:
    """The department's key, opened once per process and again when its file changes. Raises KeyUnavailable."""
    path, passphrase_path = Path(settings.SIGNING_KEY_FILE), Path(settings.SIGNING_KEY_PASSPHRASE_FILE)
    if not getattr(settings, "SIGNING_ALLOW_KEY_FILE", False):
        raise KeyUnavailable("KEY_FILE_NOT_ALLOWED", "Chế độ vận hành thật không cho dùng khóa nằm trong tệp.")
    try:
        stamp = path.stat().st_mtime_ns
        passphrase = passphrase_path.read_bytes().strip() if passphrase_path.exists() else b""
    except OSError:
        raise KeyUnavailable("KEY_FILE_UNREADABLE", "Không đọc được tệp khóa ký của Sở.") from None
    return _open(path, passphrase, stamp)


def seal_profile() -> SealProfile:
    """How the endpoint wants its seal spelt."""
    rules = endpoint().document
    return SealProfile(c14n=rules.c14n, reference="id" if rules.seal_reference else "whole")


@lru_cache(maxsize=2)
def _open(path: Path, passphrase: bytes, stamp: int) -> SealingKey:
    return open_pkcs12(path, passphrase)
