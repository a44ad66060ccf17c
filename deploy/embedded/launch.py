"""The start of an installation, in order: servers, loading beside the migrations, then the simulator and beat.

`up` and the throwaway environment share it, so that what is rehearsed is what runs.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from deploy.embedded.failure import Trouble
from deploy.embedded.installation import Installation
from deploy.embedded.process import dying_with_parent
from deploy.embedded.supervisor import Program, Supervisor

_REHEARSAL_NOT_PREPARED = 3


def launch(
    installation: Installation, supervisor: Supervisor, *, prepare: Sequence[str] | None, tell: Callable[[str], None]
) -> bool:
    """Start everything and wait until it answers. `prepare`: words for `rehearsal prepare`, or None.

    Returns whether a rehearsal is prepared.
    """
    servers = installation.servers()
    supervisor.start(*servers)
    supervisor.wait_ready(*(program.name for program in servers))
    installation.postgres().create_database()
    # These only load while the database is brought up to date; beat, which gives the orders, comes after it.
    loading = (installation.web(), *installation.workers())
    supervisor.start(*loading)
    prepared = _bring_up_to_date(installation, prepare, tell)
    last: list[Program] = [installation.beat()]
    if installation.simulator_file.exists():
        last.insert(0, installation.simulator())
    supervisor.start(*last)
    supervisor.wait_ready(*(program.name for program in (*last, *loading)))
    return prepared


def _bring_up_to_date(installation: Installation, prepare: Sequence[str] | None, tell: Callable[[str], None]) -> bool:
    words = ["--empty"] if prepare is None else [*_rehearsal_ports(installation), *prepare]
    status = run_once(installation, "first-start", ["deploy.embedded.first_start", *words], tell=tell)
    log = installation.places.log / "first-start.log"
    if status not in {0, _REHEARSAL_NOT_PREPARED}:
        raise Trouble(
            f"Không cập nhật được cơ sở dữ liệu; xem {log}.",
            f"The database could not be brought up to date; see {log}.",
        )
    if status == _REHEARSAL_NOT_PREPARED:
        tell(f"chưa tạo được tỉnh mẫu; xem {log}")
    return prepare is not None and status == 0


def _rehearsal_ports(installation: Installation) -> list[str]:
    return [f"--simulator-port={installation.simulator_port}", f"--control-port={installation.control_port}"]


def run_once(installation: Installation, name: str, words: list[str], *, tell: Callable[[str], None]) -> int:
    """Run to the end; what it prints to stdout is told, its errors go to its log. Returns its exit status."""
    script = words[0].endswith(".py")
    command = dying_with_parent([sys.executable, *([] if script else ["-m"]), *words], signal.SIGTERM)
    env = {**os.environ, **installation.env}
    with (
        (installation.places.log / f"{name}.log").open("ab") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=env, text=True
        ) as child,
    ):
        assert child.stdout is not None
        try:
            for line in child.stdout:
                tell(line.rstrip())
            return child.wait()
        except BaseException:  # whatever ends us ends it too
            child.terminate()
            raise
