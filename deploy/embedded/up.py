"""`manage.py up`: the whole portal on this machine, in the foreground, until Ctrl-C.

One supervisor per var/: the second is refused. Order: servers, then everything that needs only time to load while the
database is brought up to date, then the first batches, then the address.
"""

import argparse
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from deploy.embedded.environment import BASE
from deploy.embedded.failure import Trouble
from deploy.embedded.installation import NEEDED_BYTES, Installation
from deploy.embedded.launch import launch, run_once
from deploy.embedded.supervisor import Supervisor
from deploy.embedded.terminal import say
from portal.settings.places import default_var


class _Stop(Exception):
    """Somebody asked us to end."""


def main(words: Sequence[str]) -> int:
    chosen = _options(words)
    installation = Installation(
        var=Path(os.environ.get("HOCBA_VAR") or default_var()).absolute(),
        port=chosen.port,
        simulator_port=chosen.simulator_port,
    )
    _check_room(installation.var)
    installation.make_folders()
    with _lock(installation.var):
        installation.check_ports()
        return _run(installation, empty=chosen.empty)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py up", description="Chạy cả cổng trên máy này.")
    parser.add_argument("--empty", action="store_true", help="không tạo tỉnh mẫu / start bare")
    parser.add_argument("--port", type=int, default=int(os.environ.get("HOCBA_PORT", "8765")))
    parser.add_argument("--simulator-port", type=int, default=int(os.environ.get("HOCBA_SIMULATOR_PORT", "8766")))
    return parser.parse_args(words)


def _check_room(var: Path) -> None:
    folder = next(parent for parent in (var, *var.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    needed = NEEDED_BYTES // 1_000_000
    if free < NEEDED_BYTES:
        raise Trouble(
            f"Ổ đĩa chứa {var} chỉ còn {free // 1_000_000} MB, cần ít nhất {needed} MB: hãy dọn bớt.",
            f"Only {free // 1_000_000} MB are free at {var}, {needed} MB are needed: make room.",
        )
    if not os.access(folder, os.W_OK):
        raise Trouble(
            f"Không ghi được vào {folder}: chạy bằng chủ của thư mục, hoặc đặt HOCBA_VAR.",
            f"Cannot write to {folder}: run as its owner or set HOCBA_VAR.",
        )


def _lock(var: Path) -> IO[str]:
    """Held while we live; the kernel frees it however we end."""
    lock = (var / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        pid = lock.read().strip() or "?"
        lock.close()
        raise Trouble(
            f"Cổng đang chạy trong {var} (tiến trình {pid}): dừng bằng Ctrl-C ở đó trước, hoặc đặt HOCBA_VAR khác.",
            f"The portal is already running in {var} (process {pid}): stop it there first, or set another HOCBA_VAR.",
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _run(installation: Installation, *, empty: bool) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    supervisor = Supervisor(installation.places.log)
    try:
        _start(installation, supervisor, empty=empty)
        while True:
            supervisor.watch_once()
            time.sleep(0.2)
    except _Stop:
        say("đang dừng…")
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        supervisor.stop_all()
        say("đã dừng, dữ liệu còn nguyên trong " + str(installation.var))


def _on_signal(number: int, _frame: FrameType | None) -> None:
    raise _Stop


def _start(installation: Installation, supervisor: Supervisor, *, empty: bool) -> None:
    prepared = launch(installation, supervisor, prepare=None if empty else (), tell=say)
    if not empty and prepared:
        _hand_in_first(installation)
    say(f"Cổng tiếp nhận học bạ số: {installation.url}   (dừng: Ctrl-C)")


def _hand_in_first(installation: Installation) -> None:
    """Once in an installation's life; asked again if it was cut off, for the same batch gets its first answer."""
    mark = installation.var / "first-hand-in"
    if mark.exists():
        return
    if run_once(installation, "hand-in", [str(BASE / "manage.py"), "rehearsal", "hand-in"], tell=say) == 0:
        mark.touch()
    else:
        say(f"chưa nộp được lô mẫu; xem {installation.places.log / 'hand-in.log'}")
