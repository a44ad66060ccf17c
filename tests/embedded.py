"""Early pytest plugin: real PostgreSQL and a real broker for every test, in a temporary folder.

Runs before Django reads its settings. Under xdist only the controller starts servers; workers inherit its
environment.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

# pytest-randomly imports model_bakery, which enters Django by a side door: a circular import unless this came first.
import django.db.models  # noqa: F401
import pytest

from deploy.embedded.postgres import Postgres
from deploy.embedded.valkey import Valkey


class Servers:
    """The two servers of one test run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hocba-test-"))
        self.running: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    def start(self) -> None:
        run = self.folder / "run"
        postgres = Postgres(data=self.folder / "pgdata", run=run, durable=False)
        postgres.prepare()
        self._spawn("postgres", postgres.command(), signal.SIGINT)
        valkey = Valkey(data=self.folder / "valkey", socket_path=run / "valkey.sock", durable=False)
        valkey.prepare()
        self._spawn("valkey", valkey.command(), signal.SIGTERM)
        self._wait("PostgreSQL", postgres.is_ready)
        self._wait("Valkey", valkey.is_ready)
        postgres.create_database()
        os.environ.update(
            HOCBA_MODE="test",
            HOCBA_VAR=str(self.folder),
            HOCBA_PG_HOST=str(run),
            HOCBA_PG_USER="hocba",
            HOCBA_PG_NAME="hocba",
            HOCBA_BROKER_URL=f"redis+socket://{run}/valkey.sock?virtual_host=0",
        )

    def _spawn(self, name: str, command: list[str], stop: signal.Signals) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.running.append((child, stop))

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not ready():
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
                raise RuntimeError(f"{name} did not start:\n{logs}")
            time.sleep(0.02)

    def stop(self) -> None:
        for child, signal_number in reversed(self.running):
            child.send_signal(signal_number)
        for child, _ in reversed(self.running):
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


_servers: Servers | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    global _servers
    if "PYTEST_XDIST_WORKER" not in os.environ and _servers is None:
        _servers = Servers()
        _servers.start()
    yield


def pytest_unconfigure() -> None:
    global _servers
    if _servers is not None:
        _servers.stop()
        _servers = None
