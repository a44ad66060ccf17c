"""A whole portal in a temporary folder on free ports: for rehearsals, fault campaigns and benchmarks.

The same programs in the same order as `up`. Killed children are started again by a watching thread. Leaves nothing
behind: the folder is removed at the end unless it was given.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from deploy.embedded.environment import BASE
from deploy.embedded.installation import Installation, free_ports
from deploy.embedded.launch import launch
from deploy.embedded.memory import Memory, family
from deploy.embedded.supervisor import LONGEST_WAIT, Supervisor

# Names: postgres, valkey, web, worker-records, worker-forwarding, beat, simulator.


class Environment:
    """Use as a context manager, or call `start` and `close`."""

    def __init__(
        self,
        *,
        folder: Path | None = None,
        prepare: Sequence[str] | None = (),
        durable: bool = True,
        record_processes: int = 2,
        forwarding_processes: int = 2,
        extra_env: Mapping[str, str] | None = None,
        longest_wait: float = LONGEST_WAIT,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._keep = folder is not None
        port, simulator_port = free_ports(2)
        self.installation = Installation(
            var=folder or Path(tempfile.mkdtemp(prefix="hocba-")),
            port=port,
            simulator_port=simulator_port,
            durable=durable,
            record_processes=record_processes,
            forwarding_processes=forwarding_processes,
            extra_env=extra_env or {},
        )
        self._prepare = prepare
        self._tell = tell
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self.supervisor = Supervisor(self.installation.places.log, tell=tell, longest_wait=longest_wait)
        self.memory = Memory()

    @property
    def var(self) -> Path:
        return self.installation.var

    @property
    def url(self) -> str:
        """The web's address, with the slash at its end."""
        return self.installation.url

    @property
    def control_url(self) -> str:
        """The simulator's control door."""
        return f"http://127.0.0.1:{self.installation.control_port}"

    @property
    def env(self) -> Mapping[str, str]:
        """For processes that shall see this environment's database and broker."""
        return self.installation.env

    def start(self) -> None:
        """Everything answers when this returns; a failure stops what was started. Call it from the main thread."""
        self.installation.make_folders()
        try:
            launch(self.installation, self.supervisor, prepare=self._prepare, tell=self._tell)
        except BaseException:
            self.close()
            raise
        self._watcher.start()

    def close(self) -> None:
        """End everything in reverse order and remove the folder."""
        self._over.set()
        self.supervisor.stop_all()
        if self._watcher.is_alive():
            self._watcher.join(10)
        if not self._keep:
            shutil.rmtree(self.var, ignore_errors=True)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, pool: bool = False) -> int:
        """Send a signal to a child, or with `pool` to the last process it forked; it comes back by itself."""
        pid = self.supervisor.children[name].pid
        if pid is None:
            raise ProcessLookupError(f"{name} is not running")
        if pool:
            pid = family(pid)[-1]
        os.kill(pid, number)
        return pid

    def change_env(self, name: str, more: Mapping[str, str]) -> None:
        """What a program's next process gets beside this environment's own; nothing puts it back."""
        with self.supervisor.lock:
            child = self.supervisor.children[name]
            child.program = replace(child.program, env={**self.installation.env, **more})

    def stop(self, name: str) -> None:
        """End one child politely; it stays down until `restart`."""
        self.supervisor.stop(name)

    def restart(self, name: str) -> None:
        """End it if it runs, start it, wait until it answers."""
        with self.supervisor.lock:
            child = self.supervisor.children[name]
            child.end()
            child.spawn()
        self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        self.supervisor.wait_ready(name)

    def flush_broker(self) -> None:
        self.installation.valkey().flush()

    def pids(self) -> dict[str, list[int]]:
        """Every child's process and all its descendants."""
        return {name: family(child.pid) for name, child in self.supervisor.children.items() if child.pid is not None}

    def restarts(self) -> dict[str, int]:
        return {name: child.restarts for name, child in self.supervisor.children.items()}

    def peak_memory(self) -> dict[str, int]:
        """Highest sum of proportional set sizes seen, in bytes, per child and as `total`; sampled every second."""
        return dict(self.memory.peaks)

    def manage(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a management command inside this environment."""
        return subprocess.run(
            [sys.executable, str(BASE / "manage.py"), *words],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def _watch(self) -> None:
        rounds = 0
        while not self._over.wait(0.1):
            self.supervisor.watch_once()
            rounds += 1
            if rounds % 10 == 0:
                self.memory.sample(self.pids())

    def __enter__(self) -> "Environment":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
