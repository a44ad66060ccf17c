"""The simulator put together: store, journal, judge, listener and control door, started and stopped in order.

Start: journal and store first, then the judge (it resumes what was acknowledged and not judged), then the control
door, and the listener last. Stop is the other way round. One folder is used by one process only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
import time
from typing import IO

from . import certificates
from .config import ConfigurationRefused, SimulatorConfig
from .connection import Counter
from .control_door import ControlDoor, Parts
from .faults import FaultBoard
from .journal import Journal
from .judge import Judge
from .listener import Listener
from .services import Services
from .store import Store
from .tokens import Tokens

log = logging.getLogger(__name__)


class Simulator:
    """A running simulator; usable inside a test's own process as well."""

    def __init__(self, config: SimulatorConfig) -> None:
        _check_files(config)
        config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _only_one(config)
        self.store = Store(config.folder)
        self.journal = Journal(config.folder / "journal.jsonl")
        self.board = FaultBoard(monotonic=time.monotonic, seed=config.judging.seed)
        certificates.approve_from_start(self.store, config.certificates)
        largest = config.max_document_bytes
        self.judge = Judge(self.store, config.judging, max_bytes=largest, clock=time.time)
        tokens = Tokens(config.folder)
        services = Services(config, self.store, tokens, clock=time.time, wake=self.judge.wake)
        self.counter = Counter(config, services, self.board, self.journal, time.time, addresses=config.addresses)
        self.listener = Listener(self.counter)
        self.door = ControlDoor(Parts(self.counter, self.store, self.judge, self.listener))

    def start(self) -> None:
        self.journal.noted({"at": time.time(), "what": "START", "pid": os.getpid()})
        self.judge.start()
        self.door.start()
        self.listener.start()

    def stop(self) -> None:
        """Answer what is being answered, finish the judgement in hand, close the files."""
        self.listener.stop()
        self.door.stop()
        self.judge.stop()
        self.journal.noted({"at": time.time(), "what": "STOP"})
        self.journal.close()
        self.store.close()
        self._lock.close()


def run(config: SimulatorConfig) -> None:
    """Run until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        simulator = Simulator(config)
        simulator.start()
    except OSError as problem:
        raise ConfigurationRefused(f"Kho mô phỏng không khởi động được: {problem}") from problem
    address = f"https://{config.host}:{simulator.listener.port}"
    control = f"http://{config.control_host}:{simulator.door.port}"
    sys.stdout.write(f"Kho học bạ số mô phỏng: {address} · điều khiển: {control}\n")
    sys.stdout.flush()
    ended.wait()
    simulator.stop()


def _check_files(config: SimulatorConfig) -> None:
    wanted = [config.tls.certificate, config.tls.key, config.tls.client_ca, *(c.path for c in config.certificates)]
    if config.judging.school_cas is not None:
        wanted.append(config.judging.school_cas)
    missing = [str(path) for path in wanted if not path.is_file()]
    if missing:
        raise ConfigurationRefused(f"Kho mô phỏng thiếu tệp chứng thư số: {', '.join(missing)}")


def _only_one(config: SimulatorConfig) -> IO[str]:
    file = (config.folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigurationRefused(f"Đã có một kho mô phỏng khác dùng thư mục {config.folder}") from None
    return file
