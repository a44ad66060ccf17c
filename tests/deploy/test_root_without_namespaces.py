"""Root on a kernel that refuses user namespaces: PostgreSQL runs as another uid, everything else is the same."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import postgres, process

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another uid")


@pytest.fixture
def folder() -> Iterator[Path]:
    import shutil

    path = Path(tempfile.mkdtemp(prefix="hocba-uid-"))
    path.chmod(0o755)  # the other uid must be able to pass through
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_postgresql_starts_as_another_uid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "namespaces_allowed", lambda: False)
    server = postgres.Postgres(data=folder / "pgdata", run=folder / "run", durable=False)
    server.prepare()
    child = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not server.is_ready():
            assert child.poll() is None, "it ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert Path(f"/proc/{child.pid}").stat().st_uid == process.FALLBACK_UID
        server.create_database()
    finally:
        child.send_signal(postgres.STOP)
        child.wait(20)
