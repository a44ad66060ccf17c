"""The shipped simulator over mutual TLS as the Ministry of a journey, and our description that leads to it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.simulator.config import Account, Judging, KnownCertificate, SimulatorConfig, Tls
from gateway.simulator.control import SimulatorControl
from gateway.simulator.process import Simulator

PASSWORD = "mat khau"


@contextmanager
def ministry_at(folder: Path, pki_folder: Path, *, more: str = "") -> Iterator[tuple[Path, SimulatorControl]]:
    """The description of the endpoint (with `more` TOML at its end) and the running simulator's own door."""
    config = SimulatorConfig(
        folder=folder / "simulator",
        tls=Tls(pki_folder / "server.pem", pki_folder / "server.key", pki_folder / "client-ca.pem"),
        port=0,
        control_port=0,
        accounts=(Account("so", hashlib.sha256(PASSWORD.encode()).hexdigest(), "99"),),
        certificates=(KnownCertificate("99", pki_folder / "department.pem"),),
        judging=Judging(delay_seconds=0, recall_delay_seconds=0, signature_share=0.0),
    )
    simulator = Simulator(config)
    simulator.start()
    files = {"client_certificate": "client.pem", "client_key": "client.key", "ca": "server-ca.pem"}
    connection = "\n".join(f"{key} = {json.dumps(str(pki_folder / name))}" for key, name in files.items())
    path = folder / "endpoint.toml"
    path.write_text(
        'extends = "simulator"\n[endpoint]\nname = "test"\nunit_code = "99"\n'
        f'base_url = "https://127.0.0.1:{simulator.listener.port}"\n'
        f'[login]\nuser_name = "so"\npassword = "{PASSWORD}"\n[connection]\n{connection}\n'
        "[polling]\nfirst_delays_seconds = [0.05, 0.1, 0.2]\nask_first_delay_seconds = 0.1\n" + more,
        "utf-8",
    )
    try:
        yield path, SimulatorControl(f"http://127.0.0.1:{simulator.door.port}")
    finally:
        simulator.stop()
