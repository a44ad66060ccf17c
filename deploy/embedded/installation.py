"""One embedded installation: which programs run, with which environment, in which order.

`up` uses it on var/, the throwaway environment on a temporary folder. Nothing here is used in production.
"""

import http.client
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded import postgres, valkey
from deploy.embedded.environment import BASE
from deploy.embedded.failure import Trouble
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import dying_with_parent
from deploy.embedded.supervisor import Program
from deploy.embedded.valkey import Valkey
from portal.settings.places import Places

HOST = "127.0.0.1"
NEEDED_BYTES = 300_000_000


@dataclass(frozen=True)
class Installation:
    """Folder and ports; the simulator's control door is the port after the simulator's."""

    var: Path
    port: int = 8765
    simulator_port: int = 8766
    durable: bool = True
    record_processes: int = 2
    forwarding_processes: int = 2
    extra_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        return Places(self.var)

    @property
    def control_port(self) -> int:
        return self.simulator_port + 1

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"

    @property
    def env(self) -> dict[str, str]:
        """What every process of this installation is told."""
        places = self.places
        return {
            "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
            "HOCBA_MODE": "embedded",
            "HOCBA_VAR": str(self.var),
            "HOCBA_PORT": str(self.port),
            "HOCBA_SIMULATOR_PORT": str(self.simulator_port),
            "HOCBA_PG_HOST": str(places.run),
            "HOCBA_PG_NAME": postgres.DATABASE,
            "HOCBA_PG_USER": postgres.USER,
            "HOCBA_BROKER_URL": places.broker_url,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(BASE),
            **self.extra_env,
        }

    def make_folders(self) -> None:
        places = self.places
        for folder in (self.var, places.run, places.secrets, places.log, places.uploads):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if places.run.stat().st_uid not in {os.geteuid(), 65534}:
            raise Trouble(
                f"{places.run} thuộc người dùng khác: xoá thư mục đó hoặc dời bản cài vào đường dẫn ngắn hơn.",
                f"{places.run} belongs to somebody else: remove it or move the checkout to a shorter path.",
            )

    def check_ports(self) -> None:
        """A taken port is said before anything is started."""
        taken = {
            "--port": self.port,
            "--simulator-port": self.simulator_port,
            "--simulator-port (+1)": self.control_port,
        }
        for option, port in taken.items():
            if not port_is_free(port):
                raise Trouble(
                    f"Cổng {port} đang bận: dừng chương trình đang dùng nó, hoặc chọn cổng khác bằng {option}.",
                    f"Port {port} is used by another program: stop that program or choose another port with {option}.",
                )

    def postgres(self) -> Postgres:
        return Postgres(data=self.places.pgdata, run=self.places.run, durable=self.durable)

    def valkey(self) -> Valkey:
        return Valkey(data=self.places.valkey, socket_path=self.places.valkey_socket, durable=self.durable)

    def servers(self) -> tuple[Program, Program]:
        database, broker = self.postgres(), self.valkey()
        return (
            Program(
                "postgres",
                database.command(),
                database.is_ready,
                stop=postgres.STOP,
                prepare=database.prepare,
                foundation=True,
            ),
            Program(
                "valkey", broker.command(), broker.is_ready, stop=valkey.STOP, prepare=broker.prepare, foundation=True
            ),
        )

    def web(self) -> Program:
        command = [
            "gunicorn",
            "portal.wsgi:application",
            "--bind",
            f"{HOST}:{self.port}",
            "--preload",
            "--workers",
            "2",
        ]
        command += ["--worker-class", "portal.door.Door", "--threads", "8"]
        command += ["--timeout", "300", "--graceful-timeout", "8"]
        command += ["--no-control-socket", "--error-logfile", "-", "--log-level", "warning"]
        return self._python("web", command, answers=lambda: web_answers(self.port))

    def workers(self) -> tuple[Program, Program]:
        return (
            self._worker("records", self.record_processes),
            self._worker("forwarding", self.forwarding_processes),
        )

    def beat(self) -> Program:
        return self._python("beat", ["celery", "-A", "gateway.celery", "beat", "--pidfile="])

    def simulator(self) -> Program:
        """A process of its own without Django, as the Ministry's system is a system of its own."""
        config = str(self.simulator_file)
        return self._python(
            "simulator", ["gateway.simulator", "--config", config], answers=lambda: port_answers(self.control_port)
        )

    @property
    def simulator_file(self) -> Path:
        return self.places.simulator / "simulator.toml"

    def _worker(self, queue: str, processes: int) -> Program:
        command = ["celery", "-A", "gateway.celery", "worker", "-Q", queue, "-c", str(processes), "-n", f"{queue}@%h"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        return self._python(f"worker-{queue}", command, ready_word=" ready.")

    def _python(self, name: str, module: list[str], *, answers: object = None, ready_word: str = "") -> Program:
        command = dying_with_parent([sys.executable, "-m", *module], Program.stop)
        is_ready = answers if callable(answers) else _yes
        return Program(name, command, is_ready, ready_word=ready_word, env=self.env)


def _yes() -> bool:
    return True


def port_is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Ports that are free now, each with a free one after it."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as trial:
            trial.bind((HOST, 0))
            port = trial.getsockname()[1]
        if port < 65000 and port_is_free(port + 1) and all(abs(port - other) > 1 for other in ports):
            ports.append(port)
    return ports


def port_answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def web_answers(port: int) -> bool:
    """Any HTTP answer: what the page says is its own matter."""
    line = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        line.request("GET", "/")
        return line.getresponse().status < 600
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
