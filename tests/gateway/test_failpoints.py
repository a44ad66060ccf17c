"""Fail-points: nothing happens unless somebody armed one, and an order strikes once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import failpoints

_PASS = "from gateway import failpoints; failpoints.reach('P9'); failpoints.reach('P9'); print('passed')"


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PASS], env={"PYTHONPATH": "."} | environment, capture_output=True, text=True,
        timeout=60, check=False, cwd=Path(failpoints.__file__).parent.parent,
    )  # fmt: skip


def test_a_place_is_inert_when_nothing_is_armed() -> None:
    done = _run({})

    assert done.stdout.strip() == "passed"
    assert not failpoints.armed()


def test_an_order_laid_into_the_folder_kills_the_first_process_that_passes_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "P9").write_text("kill")

    first, second = (_run({"HOCBA_FAILPOINT_ORDERS": str(tmp_path)}) for _ in range(2))

    assert first.returncode == -signal.SIGKILL
    assert second.stdout.strip() == "passed"
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["P9.taken"]


def test_an_order_for_another_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "P10").write_text("kill")

    assert _run({"HOCBA_FAILPOINT_ORDERS": str(tmp_path)}).stdout.strip() == "passed"


def test_an_unknown_action_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="unknown failpoint action"):
        failpoints.arm("P9:dance")
