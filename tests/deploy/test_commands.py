"""What a person at the keyboard reads when a command cannot reach what it needs."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_command_without_the_database_says_so_and_what_to_do(checkout: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOCBA_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "outbox", "status", "--json"],
        cwd=checkout,
        env={**kept, "HOCBA_VAR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Không nối được tới PostgreSQL" in done.stderr
    assert "python3 manage.py up" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
