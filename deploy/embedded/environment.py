"""The Python environment: a `.venv` beside manage.py with exactly what deploy/requirements.lock names.

Standard library only. Every file is installed by its hash, so nothing but what was locked can get in; the lock's
digest is written as a stamp, so a changed lock is seen at the next start.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded.failure import Trouble
from deploy.embedded.terminal import say

BASE = Path(__file__).resolve().parents[2]
LOCK = BASE / "deploy" / "requirements.lock"
INSTALLER_LOCK = BASE / "deploy" / "installer.lock"
VENV = BASE / ".venv"
STAMP = VENV / "hocba.stamp"
PYTHON = (3, 11)
NEEDED_BYTES = 1_200_000_000
_INSTALL_SECONDS = 1800


def in_venv() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def ensure(argv: Sequence[str], *, locked: bool) -> None:
    """Return only inside a standing environment; otherwise make it and start the same command in it.

    With `locked` the environment must also be exactly the lock's.
    """
    if in_venv() and not (locked and _stamp() != _wanted()):
        return
    if not _python_of_venv().exists() or _stamp() != _wanted():
        _set_up(argv)
    python = str(_python_of_venv())
    os.execv(python, [python, *argv])


def _set_up(argv: Sequence[str]) -> None:
    _right_python(argv)
    _enough_room()
    if not _python_of_venv().exists():
        _make_venv()
    say("cài đặt các gói trong deploy/requirements.lock (một lần, khoảng 20 giây đến 2 phút)…")
    _install_locked()
    STAMP.write_text(_wanted())
    say("môi trường Python đã sẵn sàng")


def _right_python(argv: Sequence[str]) -> None:
    if sys.version_info[:2] == PYTHON:
        return
    wanted = "python{}.{}".format(*PYTHON)
    if found := shutil.which(wanted):
        os.execv(found, [found, *argv])
    here = sys.version.split()[0]
    raise Trouble(
        f"Cần Python 3.11, máy này chạy {here}: cài {wanted} (Debian 12: apt-get install python3 python3-venv).",
        f"Python 3.11 is needed, this is {here}: install {wanted} (Debian 12: apt-get install python3 python3-venv).",
    )


def _enough_room() -> None:
    free = shutil.disk_usage(BASE).free
    if free < NEEDED_BYTES:
        raise Trouble(
            f"Ổ đĩa của {BASE} chỉ còn {free // 1_000_000} MB, cần {NEEDED_BYTES // 1_000_000} MB: hãy dọn bớt.",
            f"Only {free // 1_000_000} MB are free at {BASE}, {NEEDED_BYTES // 1_000_000} MB are needed: make room.",
        )


def _make_venv() -> None:
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise Trouble(
            "Thiếu mô-đun venv của Python: chạy `apt-get install python3-venv` bằng quyền root rồi thử lại.",
            "Python's venv module is missing: run `apt-get install python3-venv` as root and try again.",
        )
    say("tạo môi trường Python .venv…")
    done = _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise Trouble(
            f"Không tạo được {VENV}: {_last_line(done)}. Kiểm tra quyền ghi và gói python3-venv.",
            f"Could not make {VENV}: {_last_line(done)}. Check the right to write here and the package python3-venv.",
        )


def _install_locked() -> None:
    """uv is three times faster; plain pip installs the same files from the same hashes where uv cannot work."""
    pip = [str(_python_of_venv()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        _run([*pip, "-r", str(INSTALLER_LOCK)])
    if uv.exists():
        command = [str(uv), "pip", "install", "--quiet", "--require-hashes", "--python", str(_python_of_venv())]
        done = _run([*command, "-r", str(LOCK)])
        if done.returncode == 0:
            return
        say(f"uv không cài được ({_last_line(done).strip()}), thử lại bằng pip…")
    done = _run([*pip, "-r", str(LOCK)])
    if done.returncode != 0:
        raise Trouble(
            f"Không tải được các gói Python: {_last_line(done)}\n"
            "Kiểm tra mạng, proxy (HTTPS_PROXY) hoặc kho gói nội bộ (PIP_INDEX_URL), rồi chạy lại.",
            "Could not fetch the Python packages: check the network, the proxy (HTTPS_PROXY) or the package index "
            "(PIP_INDEX_URL), then run the same command again.",
        )


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PYTHONNOUSERSITE": "1"}
    env.setdefault("UV_LINK_MODE", "copy")
    env.setdefault("UV_SYSTEM_CERTS", "1")  # the machine's own authorities, as pip is told by its administrator
    home = Path(env.get("HOME") or "/nonexistent")
    if not os.access(home, os.W_OK):
        env["UV_NO_CACHE"] = "1"
    env.pop("VIRTUAL_ENV", None)
    return subprocess.run(
        list(command), capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False, cwd=BASE, env=env
    )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1][:300] if lines else f"exit {done.returncode}"


def _python_of_venv() -> Path:
    return VENV / "bin" / "python"


def _stamp() -> str:
    return STAMP.read_text() if STAMP.exists() else ""


def _wanted() -> str:
    digest = hashlib.sha256(LOCK.read_bytes())
    digest.update(INSTALLER_LOCK.read_bytes())
    return digest.hexdigest()
