"""The whole way in a throwaway portal, as a newcomer would try it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_rehearsal_loses_doubles_and_alters_nothing(checkout: Path) -> None:
    # The child must not see the servers of this test run.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    words = ["rehearse", "--records", "40", "--planted", "0.2", "--batch-size", "8", "--schools", "10", "--json"]
    done = subprocess.run(
        [sys.executable, str(checkout / "manage.py"), *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    result = json.loads(done.stdout)
    assert result["clean"] is True
    assert result["handed_in"] == 40 == result["accepted"] + result["refused"]
    for name in ("missing_at_simulator", "twice_at_simulator", "altered", "refused_unplanned", "planted_not_refused"):
        assert result[name] == 0, result["examples"]
    assert result["planted"] > 0
