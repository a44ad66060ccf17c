"""How a server is started so that nothing outlives its parent and nothing runs as root that refuses to.

Standard library only. Changes nothing on the machine: no user is made, no permission is widened.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

# Any uid but 0 will do: it exists only inside the namespace.
_INSIDE_UID = "1000"
# Used only where the kernel refuses user namespaces.
FALLBACK_UID = 65534


def dying_with_parent(command: Sequence[str], stop: signal.Signals) -> list[str]:
    """The kernel sends `stop` when the supervisor is gone, however it went (Linux only)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or not sys.platform.startswith("linux"):
        return list(command)
    return [setpriv, "--pdeathsig", stop.name.removeprefix("SIG"), "--", *command]


@functools.cache
def namespaces_allowed() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    trial = [unshare, "--user", f"--map-user={_INSIDE_UID}", f"--map-group={_INSIDE_UID}", "true"]
    return subprocess.run(trial, capture_output=True, timeout=10, check=False).returncode == 0


def as_ordinary_user(command: Sequence[str], stop: signal.Signals | None = None) -> list[str]:
    """PostgreSQL refuses uid 0: root shows it another uid inside a user namespace, the files stay root's."""
    if os.geteuid() != 0:
        return dying_with_parent(command, stop) if stop else list(command)
    if namespaces_allowed():
        inner = dying_with_parent(command, stop) if stop else list(command)
        return ["unshare", "--user", f"--map-user={_INSIDE_UID}", f"--map-group={_INSIDE_UID}", *inner]
    uid = str(FALLBACK_UID)
    death = ["--pdeathsig", stop.name.removeprefix("SIG")] if stop else []
    return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", *death, "--", *command]


def needs_fallback_uid() -> bool:
    return os.geteuid() == 0 and not namespaces_allowed()
