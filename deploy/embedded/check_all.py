"""`manage.py check-all`: lint, types, contracts, then every test; ends on pytest's summary line.

An earlier step that fails is shown and remembered in the exit status, but does not hide what the tests have to say.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.embedded import system_programs
from deploy.embedded.environment import BASE
from deploy.embedded.terminal import say

_BIN = Path(sys.executable).parent
_STEP_SECONDS = 900
_LINT = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("import contracts", ["lint-imports"]),
)
_TYPES = (("mypy", ["mypy"]),)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py check-all", description="Kiểm tra toàn bộ.")
    parser.add_argument("--only", choices=["lint", "types", "tests"])
    parser.add_argument("--no-system", action="store_true", help="không cài chương trình hệ thống")
    chosen, for_pytest = parser.parse_known_args(words)
    steps = [*(_LINT if chosen.only in {None, "lint"} else ()), *(_TYPES if chosen.only in {None, "types"} else ())]
    with ThreadPoolExecutor(max_workers=2) as both_cores:
        passed = list(both_cores.map(_step, steps))
    status = 0 if all(passed) else 1
    if chosen.only in {None, "tests"}:
        if not chosen.no_system:
            system_programs.install_missing()
        status = _tests(for_pytest) or status
    return status


def _step(step: tuple[str, list[str]]) -> bool:
    name, command = step
    began = time.monotonic()
    done = subprocess.run(
        [str(_BIN / command[0]), *command[1:]],
        cwd=BASE,
        env=_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_STEP_SECONDS,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode == 0:
        say(f"{name}: đạt ({seconds:.1f} s)")
    else:
        say(f"{name}: KHÔNG ĐẠT ({seconds:.1f} s)\n{done.stdout.rstrip()}")
    return done.returncode == 0


def _tests(words: list[str]) -> int:
    # A file's tests stay together: fixtures that start processes are started once.
    command = [str(_BIN / "python"), "-m", "pytest", "-n", "2", "--dist", "loadfile", *words]
    return subprocess.run(command, cwd=BASE, env=_env(), check=False).returncode


def _env() -> dict[str, str]:
    """The tests bring their own servers and settings: nothing of a running installation reaches them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    return {**kept, "PYTHONPATH": str(BASE), "PATH": f"{_BIN}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
