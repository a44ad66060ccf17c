"""The fault campaign in its short form: the command itself, as an operator runs it."""

import json
import os
import subprocess
import sys

import pytest

from deploy.embedded.environment import BASE
from portal.rehearsal.campaign.checker import VIOLATIONS

pytestmark = [pytest.mark.journey, pytest.mark.slow]


def test_a_short_campaign_leaves_the_three_witnesses_in_agreement() -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    words = ["campaign", "--faults", "24", "--seed", "7", "--minutes", "1", "--quiet", "40", "--json"]
    done = subprocess.run(
        [sys.executable, str(BASE / "manage.py"), *words],
        env=ours,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    report = json.loads(done.stdout)

    assert done.returncode == 0, json.dumps({name: report[name] for name in (*VIOLATIONS, "examples", "troubles")})
    assert {name: report[name] for name in VIOLATIONS} == dict.fromkeys(VIOLATIONS, 0)
    assert report["faults"] > 0
    assert report["records_in"] > 0
