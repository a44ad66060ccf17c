"""The environment, read once and typed: the only file of the house that looks at environment variables.

Every name carries the prefix HOCBA_. Secrets come from files (a secrets folder, or the credentials folder that
systemd gives a unit), so they stand in no unit file and in no process listing.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from portal.settings.places import Places, default_var


def _secrets_dir() -> Path | None:
    """systemd's credentials folder first, then HOCBA_SECRETS_DIR; files are called hocba_secret_key and so on."""
    for name in ("CREDENTIALS_DIRECTORY", "HOCBA_SECRETS_DIR"):
        folder = os.environ.get(name)
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None


class Environment(BaseSettings):
    """What may differ from one machine to the next."""

    model_config = SettingsConfigDict(env_prefix="HOCBA_", extra="ignore", case_sensitive=False)

    mode: Literal["embedded", "production", "test"] = "embedded"
    var: Path = Field(default_factory=default_var)

    pg_host: str = ""
    pg_port: int = 5432
    pg_name: str = "hocba"
    pg_user: str = "hocba"
    pg_password: SecretStr | None = None
    pg_pool: int = 4

    broker_url: str = ""

    secret_key: SecretStr | None = None
    public_host: str = "127.0.0.1"
    port: int = 8765
    simulator_port: int = 8766
    endpoint_file: Path | None = None
    unit_code: str = ""
    email_host: str = ""
    email_port: int = 587
    email_tls: bool = True
    email_user: str = ""
    email_password: SecretStr | None = None
    email_from: str = "cong-hoc-ba@localhost"
    officers_email: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Sealing: see portal/settings/signing.py.
    sealing: Literal["automatic", "attended"] = "automatic"
    four_eyes: bool = False
    key_kind: Literal["software", "hsm", "remote"] = "software"
    key_certificate: Path | None = None
    key_chain: tuple[Path, ...] = ()
    allow_key_file: bool = False
    hsm_module: str = ""
    hsm_token: str = ""
    hsm_key: str = ""
    pin_file: Path | None = None
    remote_url: str = ""
    remote_credential: str = ""
    remote_token_file: Path | None = None

    @property
    def places(self) -> Places:
        return Places(self.var)


def read_environment() -> Environment:
    return Environment(_secrets_dir=_secrets_dir())  # type: ignore[call-arg]  # the stubs do not know it


ENV = read_environment()
