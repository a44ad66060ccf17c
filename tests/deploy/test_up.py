"""`manage.py up` as a person meets it: refusals that say what to do, and a start after everything was killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import environment, up
from deploy.embedded.failure import Trouble
from deploy.embedded.installation import Installation, free_ports, web_answers
from deploy.embedded.memory import family


@pytest.fixture
def var() -> Iterator[Path]:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="hocba-up-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _up(checkout: Path, var: Path, port: int, simulator_port: int) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    words = ["up", "--empty", f"--port={port}", f"--simulator-port={simulator_port}"]
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; from deploy.embedded import up; sys.exit(up.main(sys.argv[2:]))", *words],
        cwd=checkout,
        env={**kept, "HOCBA_VAR": str(var), "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _until_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "http://" in line:
            return seen
    raise AssertionError(f"up ended without an address:\n{seen}")


@pytest.mark.journey
@pytest.mark.slow
def test_after_everything_was_killed_the_next_start_goes_on_where_it_stood(checkout: Path, var: Path) -> None:
    port, simulator_port = free_ports(2)
    first = _up(checkout, var, port, simulator_port)
    assert "quantri" in _until_address(first)
    with pytest.raises(Trouble, match=f"process {first.pid}"):
        up._lock(var)

    everything = family(first.pid)
    for pid in everything:
        # A helper may have ended by itself since the list was made.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    first.wait(20)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in everything) and time.monotonic() < deadline:
        time.sleep(0.05)

    second = _up(checkout, var, port, simulator_port)
    # The account of the first start is still there: no second password is given out.
    assert "quantri" not in _until_address(second)
    assert web_answers(port)
    children = family(second.pid)
    second.send_signal(signal.SIGINT)
    assert second.wait(40) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.journey
@pytest.mark.slow
def test_when_only_the_supervisor_is_killed_the_kernel_ends_its_children(checkout: Path, var: Path) -> None:
    port, simulator_port = free_ports(2)
    process = _up(checkout, var, port, simulator_port)
    _until_address(process)
    children = family(process.pid)[1:]
    process.kill()
    process.wait(20)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "children outlived their supervisor"
        time.sleep(0.1)


def test_a_second_up_is_refused_with_the_reason(tmp_path: Path) -> None:
    with up._lock(tmp_path), pytest.raises(Trouble, match="đang chạy") as refusal:
        up._lock(tmp_path)
    assert str(os.getpid()) in str(refusal.value)


def test_the_lock_is_free_again_after_the_end(tmp_path: Path) -> None:
    up._lock(tmp_path).close()
    up._lock(tmp_path).close()


def test_a_taken_port_is_named_with_the_option_that_helps(tmp_path: Path) -> None:
    port, simulator_port = free_ports(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(Trouble, match=f"Cổng {port} đang bận.*--port"):
            Installation(var=tmp_path, port=port, simulator_port=simulator_port).check_ports()


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(Trouble, match="MB"):
        up._check_room(tmp_path / "var")


def test_a_missing_venv_module_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Trouble, match="apt-get install python3-venv"):
        environment._make_venv()


def test_a_wrong_python_names_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PYTHON", (3, 99))
    with pytest.raises(Trouble, match=r"python3\.99"):
        environment._right_python(["manage.py", "up"])


def test_no_network_says_what_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: Could not find a version\n")
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "_run", lambda command: failed)
    with pytest.raises(Trouble, match="HTTPS_PROXY"):
        environment._install_locked()


def test_a_long_path_gets_a_short_private_folder_for_its_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / "var"
    places = Installation(var=deep).places
    assert len(str(places.run)) < 60
    assert places.run != Installation(var=tmp_path / "var").places.run
