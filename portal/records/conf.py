"""The settings of this room as frozen values, and the department's sealing key.

The only place of `portal.records` that reads settings. Every value has a safe default; RECORDS in the settings of a
mode names what differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from django.conf import settings

from gateway.conf import EndpointUnreadable, endpoint
from portal.records.keyring import SealingSetup, key_for
from signing import online, timestamp
from signing.errors import SigningError, TimestampUnavailable
from signing.sealing import SealingKey, SealProfile, Stamper
from signing.trust import TrustStore

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
    # Then the suspect is tried alone, in a process of its own: only who kills that one, so often in a row, is guilty.
    attempts_before_trial: int = 3
    deaths_before_blame: int = 3
    trial_cpu_seconds: int = 60
    trial_bytes: int = 2 << 30
    trial_seconds: float = 600.0  # a trial that lasts longer proves nothing
    recheck_patience_seconds: float = 45.0  # so long an officer waits for a record that is checked again
    attempts_before_waiting: int = 6  # then with longer and longer pauses, so that the neighbours get their turn
    attempts_before_giving_up: int = 12  # for errors of ours that come again and again, never for deaths
    # Evidence that is away is looked for again after a pause that doubles between these two; what comes wakes at once.
    recheck_seconds: int = 60
    recheck_longest_seconds: int = 3600
    wake_at_once: int = 50  # hand-ins that wait; the others of thousands are woken as these are done
    browser_requires_list_seal: bool = False
    # Severities of the roster's rules where this province differs; names in admission.signers.ROSTER_SEVERITIES.
    roster: Mapping[str, str] = field(default_factory=dict)
    public_seal_issuers: tuple[str, ...] = ()  # issuers whose certificates public schools may seal with; empty: any
    check_revocation: bool = True
    second_engine_share: float = 0.01  # of the records, verified again by the second engine
    held_four_eyes: bool = True  # a held record is let through by two officers, not by one
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
    known = {one.name for one in fields(Conf)}
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


def sealing_setup() -> SealingSetup:
    """How the department seals, from portal/settings/signing.py."""

    def said(name: str, default: Any = "") -> Any:
        return getattr(settings, f"SIGNING_{name}", default)

    return SealingSetup(
        mode=said("SEALING", "automatic"),
        kind=said("KEY_KIND", "software"),
        four_eyes=said("FOUR_EYES", False),
        key_file=Path(settings.SIGNING_KEY_FILE),
        passphrase_file=Path(settings.SIGNING_KEY_PASSPHRASE_FILE),
        allow_key_file=said("ALLOW_KEY_FILE", False),
        certificate_file=Path(said("KEY_CERTIFICATE")),
        chain_files=tuple(Path(path) for path in said("KEY_CHAIN", ())),
        hsm_module=said("HSM_MODULE"),
        hsm_token=said("HSM_TOKEN"),
        hsm_key=said("HSM_KEY"),
        pin_file=Path(said("PIN_FILE")) if said("PIN_FILE") else None,
        remote_url=said("REMOTE_URL"),
        remote_credential=said("REMOTE_CREDENTIAL"),
        remote_token_file=Path(said("REMOTE_TOKEN_FILE")) if said("REMOTE_TOKEN_FILE") else None,
    )


def sealing_key() -> SealingKey:
    """The department's key: the one in an officer's hand, or the installation's own. Raises KeyUnavailable."""
    return key_for(sealing_setup())


def seal_profile() -> SealProfile:
    """How the endpoint wants its seal spelt."""
    rules = endpoint().document
    return SealProfile(kind=rules.seal_kind, c14n=rules.c14n, reference="id" if rules.seal_reference else "whole")


def stamper() -> Stamper | None:
    """Asks the endpoint's time-stamp authorities in order; None when its seals carry no time-stamp."""
    rules = endpoint().document
    if rules.seal_kind != "XADES_T":
        return None
    authorities = [_authority(one.name, one.url, Path(one.roots)) for one in rules.timestamp_authorities]

    def stamp(message: bytes) -> bytes:
        return timestamp.obtain(message, authorities, _post).der

    return stamp


def _authority(name: str, url: str, roots: Path) -> timestamp.Authority:
    try:
        store = TrustStore.from_certificates([roots.read_bytes()])
    except (OSError, SigningError):
        raise TimestampUnavailable("TSA_ROOTS_UNREADABLE", f"Không đọc được chứng thư gốc của {name}.") from None
    return timestamp.Authority(name=name, url=url, roots=tuple(one.der for one in store.anchors))


def _post(url: str, body: bytes, content_type: str) -> bytes:
    return online.post(url, body, content_type, limit=1 << 20)
