"""The static address, for real: two network namespaces, a cable between them, a firewall and an address list.

The Ministry (the simulator) stands in one namespace, the department's host with three addresses in the other; the
gateway's worker is a process in it. Needs root, `ip` and `nft`; nothing leaves the two namespaces, whose names
carry our pid.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from gateway import outbox
from gateway.models import Attempt, Endpoint, EndpointEvent, Item, Submission
from gateway.outbox import NewItem
from tests.gateway.simulator.conftest import PASSWORD, Pki, record, sealed

MINISTRY, ALLOWED, OTHER, STRANGER = "10.99.7.1", "10.99.7.2", "10.99.7.3", "10.99.7.4"
PORT = 8766
CHECKOUT = Path(__file__).parents[2]


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root: it makes network namespaces"
    absent = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    if absent:
        return f"needs {' and '.join(absent)}"
    name = f"hocba{os.getpid()}t"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    table = ["ip", "netns", "exec", name, "nft", "add", "table", "inet", "probe"]
    filtered = subprocess.run(table, capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], check=True)
    return f"nft does not work here: {filtered.stderr.strip()}" if filtered.returncode else ""


WHY_NOT = _missing()
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "possible"),
]


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


@dataclass
class Land:
    """Two hosts and the cable; `host` is the department's, `ministry` the other end."""

    host: str
    ministry: str
    cable: str
    environment: dict[str, str]

    def leave_by(self, address: str) -> None:
        """The host's traffic to the Ministry now leaves by this address (another uplink, a fallen VPN)."""
        run("ip", "-n", self.host, "route", "replace", "10.99.7.0/24", "dev", self.cable, "src", address)

    def refused_by_firewall(self) -> int:
        listed = json.loads(run("ip", "netns", "exec", self.ministry, "nft", "-j", "list", "table", "inet", "ministry"))
        rules = [entry["rule"]["expr"] for entry in listed["nftables"] if "rule" in entry]
        return sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)

    def effects(self) -> dict[str, int]:
        """What the Ministry's own journal says, asked from inside its namespace."""
        program = (
            "import json; from gateway.simulator.control import SimulatorControl as C; "
            "print(json.dumps({r['uuid']: r['effects'] for r in C('http://127.0.0.1:8767').ledger()}))"
        )
        found = run("ip", "netns", "exec", self.ministry, sys.executable, "-c", program)
        return dict(json.loads(found))

    @contextmanager
    def worker(self, seconds: float = 60.0) -> Iterator[subprocess.Popen[bytes]]:
        """The gateway's worker on the department's host, until every package has its verdicts."""
        manage = [sys.executable, str(CHECKOUT / "manage.py"), "outbox", "drain", "--until-answered"]
        command = ["ip", "netns", "exec", self.host, *manage, "--seconds", str(seconds), "--json"]
        with subprocess.Popen(command, env=self.environment, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def line_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    pki = Pki(tmp_path_factory.mktemp("source-address-pki"))
    pki.server = pki.issue("server", issuer=pki.line_ca, address=MINISTRY)
    return pki


@pytest.fixture
def land(tmp_path: Path, line_pki: Pki, settings: pytest.FixtureRequest) -> Iterator[Land]:
    pid = os.getpid()
    host, ministry, cable, far = f"hocba{pid}a", f"hocba{pid}b", f"hb{pid}a", f"hb{pid}b"
    simulator: subprocess.Popen[bytes] | None = None
    try:
        _lay_cable(host, ministry, cable, far)
        _raise_firewall(ministry)
        simulator = _open_ministry(ministry, tmp_path, line_pki)
        endpoint = _describe(tmp_path, line_pki)
        settings.GATEWAY_ENDPOINT_FILE = endpoint
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "portal.settings.test",
            "HOCBA_PG_NAME": str(connection.settings_dict["NAME"]),
            "HOCBA_ENDPOINT_FILE": str(endpoint),
        }
        yield Land(host, ministry, cable, environment)
    finally:
        if simulator is not None:
            simulator.terminate()
            simulator.wait(timeout=20)
        for name in (host, ministry):  # the cable goes with its ends
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _lay_cable(host: str, ministry: str, cable: str, far: str) -> None:
    run("ip", "netns", "add", host)
    run("ip", "netns", "add", ministry)
    run("ip", "-n", host, "link", "add", cable, "type", "veth", "peer", "name", far, "netns", ministry)
    run("ip", "-n", ministry, "addr", "add", f"{MINISTRY}/24", "dev", far)
    for address in (ALLOWED, OTHER, STRANGER):
        run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", cable)
    for name, device in ((host, cable), (ministry, far)):
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "link", "set", device, "up")


def _raise_firewall(ministry: str) -> None:
    """The Ministry's firewall knows two addresses of ours; the list of its application only one of them."""
    rules = f"""
    table inet ministry {{
      chain input {{
        type filter hook input priority 0; policy accept;
        tcp dport {PORT} ip saddr != {{ {ALLOWED}, {OTHER} }} counter reject with tcp reset
      }}
    }}
    """
    command = ["ip", "netns", "exec", ministry, "nft", "-f", "-"]
    subprocess.run(command, input=rules, text=True, check=True, capture_output=True, timeout=30)


def _open_ministry(ministry: str, folder: Path, pki: Pki) -> subprocess.Popen[bytes]:
    config = folder / "simulator.toml"
    config.write_text(
        f'folder = "{folder / "simulator"}"\nhost = "{MINISTRY}"\nport = {PORT}\ncontrol_port = 8767\n'
        f'addresses = ["{ALLOWED}/32"]\n'
        f'[tls]\ncertificate = "{pki.server.path}"\nkey = "{pki.server.key_path}"\nclient_ca = "{pki.line_ca.path}"\n'
        f'[judging]\ndelay_seconds = 0.0\nschool_cas = "{pki.school_ca.path}"\n'
        f'[[accounts]]\nuser_name = "so79"\npassword_sha256 = "{PASSWORD}"\nunit = "79"\n'
        f'[[certificates]]\nunit = "79"\npath = "{pki.department.path}"\n',
        "utf-8",
    )
    command = ["ip", "netns", "exec", ministry, sys.executable, "-m", "gateway.simulator", "--config", str(config)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=quiet, stderr=quiet)
    ready = (
        "from gateway.simulator.control import SimulatorControl as C; C('http://127.0.0.1:8767').wait_ready(seconds=20)"
    )
    run("ip", "netns", "exec", ministry, sys.executable, "-c", ready)
    return process


def _describe(folder: Path, pki: Pki) -> Path:
    path = folder / "endpoint.toml"
    path.write_text(
        f'extends = "simulator"\n[endpoint]\nname = "test"\nbase_url = "https://{MINISTRY}:{PORT}"\nunit_code = "79"\n'
        '[login]\nuser_name = "so79"\npassword = "mat khau"\n'
        f'[connection]\nclient_certificate = "{pki.client.path}"\nclient_key = "{pki.client.key_path}"\n'
        f'ca = "{pki.line_ca.path}"\nconnect_timeout = 2.0\nread_timeout = 4.0\ntotal_timeout = 5.0\n'
        "[probe]\nfirst_delay_seconds = 0.3\nlongest_delay_seconds = 0.6\n"
        "[polling]\nfirst_delays_seconds = [0.1, 0.2]\nask_first_delay_seconds = 0.2\nlongest_delay_seconds = 1.0\n"
        "[sending]\nfirst_delay_seconds = 0.2\nlongest_delay_seconds = 0.5\nlease_seconds = 30\n",
        "utf-8",
    )
    return path


@pytest.fixture
def hand_over(line_pki: Pki) -> Callable[[], tuple[UUID, str]]:
    """One package of one record in the outbox: (submission, record)."""

    def put() -> tuple[UUID, str]:
        key, submission = str(uuid4()), uuid4()
        with transaction.atomic():
            outbox.enqueue(
                submission_id=submission,
                kind="RECORDS",
                unit_code="79",
                school_year=2024,
                document=sealed([record(line_pki.school, uid=key, MA_KHOI="03")], line_pki.department),
                items=[NewItem(key, key.encode())],
                now=outbox.database_now(),
            )
        return submission, key

    return put


def until(true: Callable[[], bool], *, seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def history() -> list[tuple[str, str]]:
    return list(EndpointEvent.objects.order_by("pk").values_list("event", "cause"))


def test_the_allowed_address_delivers(land: Land, hand_over: Callable[[], tuple[UUID, str]]) -> None:
    land.leave_by(ALLOWED)
    _, key = hand_over()
    with land.worker() as worker:
        assert worker.wait(timeout=70) == 0
    assert Item.objects.get(key=key).verdict == "ACCEPTED"
    assert land.effects() == {key: 1}
    assert history() == []


@pytest.mark.parametrize(("address", "cause"), [(OTHER, "ADDRESS_REFUSED"), (STRANGER, "UNREACHABLE")])
def test_another_address_of_the_same_host_pauses_the_line_by_name_until_the_right_one_is_back(
    land: Land, hand_over: Callable[[], tuple[UUID, str]], address: str, cause: str
) -> None:
    land.leave_by(address)
    submission, key = hand_over()
    with land.worker() as worker:
        until(lambda: Endpoint.objects.filter(state="PAUSED", cause=cause).exists())
        until(lambda: Endpoint.objects.filter(probes_made__gte=2).exists())
        assert Submission.objects.get(pk=submission).state == "QUEUED"
        tried = Attempt.objects.filter(submission=submission).count()
        assert land.effects() == {}
        land.leave_by(ALLOWED)
        assert worker.wait(timeout=70) == 0
    assert Item.objects.get(key=key).verdict == "ACCEPTED"
    assert land.effects() == {key: 1}
    assert history() == [("PAUSED", cause), ("RESUMED", "")]
    assert tried <= 3, "the line was paused, not the package tried again and again"
    assert (land.refused_by_firewall() > 0) == (address == STRANGER)
