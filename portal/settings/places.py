"""Where things lie on disk under VAR.

Standard library only: the supervisor reads it before the environment stands, the settings read it afterwards,
so both always speak of the same folders. Creates nothing by being imported.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]

# A Unix socket's path may hold 107 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock" to the folder.
_LONGEST_RUN_DIR = 107 - len("/.s.PGSQL.5432.lock")


@dataclass(frozen=True)
class Places:
    """Every folder of one installation; `var` is the only free choice."""

    var: Path

    @property
    def pgdata(self) -> Path:
        return self.var / "pgdata"

    @property
    def valkey(self) -> Path:
        return self.var / "valkey"

    @property
    def secrets(self) -> Path:
        return self.var / "secrets"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def simulator(self) -> Path:
        return self.var / "simulator"

    @property
    def rehearsal(self) -> Path:
        return self.var / "rehearsal"

    @property
    def uploads(self) -> Path:
        return self.var / "uploads"

    @property
    def endpoint_file(self) -> Path:
        return self.var / "endpoint.toml"

    @property
    def run(self) -> Path:
        """The folder of the sockets: short enough for the kernel, private to this user."""
        wished = self.var / "run"
        if len(os.fsencode(wished)) <= _LONGEST_RUN_DIR:
            return wished
        digest = hashlib.sha256(os.fsencode(self.var)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"hocba-{os.getuid()}-{digest}"

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.valkey_socket}?virtual_host=0"


def default_var() -> Path:
    return BASE_DIR / "var"
