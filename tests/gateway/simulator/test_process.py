"""The simulator as a process of its own: TLS, restarts, kills, and one folder for one process."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.config import ConfigurationRefused, load
from gateway.simulator.control import SimulatorControl
from gateway.simulator.journal import Journal, read

ROOT = Path(__file__).resolve().parents[3]


class Child:
    """A simulator process made from a description file."""

    def __init__(self, description: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.simulator", "--config", str(description)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        words = [word for word in line.split() if word.startswith("http")]
        assert len(words) == 2, line
        self.port, self.control = int(words[0].rsplit(":", 1)[1]), SimulatorControl(words[1])

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


@pytest.fixture
def description(tmp_path: Path, pki: Any, helpers: Any) -> Path:
    config = helpers.config_for(tmp_path / "store", pki)
    path = tmp_path / "simulator.toml"
    path.write_text(
        f'folder = "store"\nport = 0\ncontrol_port = 0\n[tls]\ncertificate = "{config.tls.certificate}"\n'
        f'key = "{config.tls.key}"\nclient_ca = "{config.tls.client_ca}"\n'
        f'[[accounts]]\nuser_name = "so79"\nunit = "79"\npassword_sha256 = "{config.accounts[0].password_sha256}"\n'
        f'[[certificates]]\nunit = "79"\npath = "{config.certificates[0].path}"\n'
        "[judging]\ndelay_seconds = 0.2\nsignature_share = 0.0\n"
    )
    return path


@pytest.fixture
def children(description: Path) -> Iterator[Any]:
    started: list[Child] = []

    def begin() -> Child:
        started.append(Child(description))
        return started[-1]

    yield begin
    for child in started:
        if child.process.poll() is None:
            child.end(signal.SIGKILL)


def test_a_kill_loses_no_acknowledged_message_and_nothing_is_judged_twice(
    children: Any, start: Any, helpers: Any, pki: Any
) -> None:
    caller = dataclasses.replace(start().caller)
    acknowledged: dict[str, str] = {}
    for round_number in range(3):
        child = children()
        caller.port = child.port
        caller.log_in()
        stopper = threading.Timer(0.4 + 0.2 * round_number, child.process.kill)
        stopper.start()
        for number in range(10_000):
            record = helpers.record(pki.school, sign_it=False)
            messageid = f"m-{round_number}-{number}"
            try:
                status, _ = caller.submit(helpers.sealed([record], pki.department), messageid=messageid)
            except OSError:
                break  # killed: the fate of this one is open, all before it are acknowledged
            assert status == 200
            acknowledged[messageid] = hashlib.sha256(record).hexdigest()
        stopper.join()
        child.end(signal.SIGKILL)
    child = children()
    caller.port = child.port
    caller.log_in()
    child.control.judge_now()
    for messageid in acknowledged:
        caller.verdicts(messageid)
    entries = list(child.control.ledger())
    by_message = {entry["messageids"][0]: entry for entry in entries}
    assert acknowledged
    assert {m: by_message[m]["sha256"] for m in acknowledged} == acknowledged
    assert {entry["effects"] for entry in entries} == {1}
    assert all(len(entry["messageids"]) == 1 for entry in entries)
    seen = {line.get("messageid") for line in child.control.journal() if line["event"] == "RECEIVED"}
    assert set(acknowledged) <= seen


def test_an_orderly_stop_says_goodbye_and_the_next_start_goes_on(
    children: Any, start: Any, helpers: Any, pki: Any
) -> None:
    child, caller = children(), dataclasses.replace(start().caller)
    child.control.change(delay_seconds=3600)
    caller.port = child.port
    caller.log_in()
    caller.submit(helpers.sealed([helpers.record(pki.school)], pki.department), messageid="m-1")
    assert child.end(signal.SIGTERM) == 0
    child = children()
    caller.port = child.port
    assert caller.query("m-1")["ResponseCode"] == "1"  # the token lives on as well
    child.control.judge_now()
    assert caller.verdicts("m-1")["data"][0]["trang_thai"] == 1
    notes = [line["what"] for line in child.control.journal() if line["event"] == "NOTED"]
    assert notes[:3] == ["START", "STOP", "START"]


def test_one_folder_is_used_by_one_process(children: Any, description: Path) -> None:
    children()
    second = subprocess.run(
        [sys.executable, "-m", "gateway.simulator", "--config", str(description)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (second.returncode, "Đã có một kho mô phỏng" in second.stderr) == (2, True)


def test_without_a_client_certificate_no_request_is_heard(world: Any) -> None:
    context = ssl.create_default_context(cafile=str(world.pki.line_ca.path))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    connection = HTTPSConnection("127.0.0.1", world.caller.port, timeout=5, context=context)
    with pytest.raises(ssl.SSLError, match="certificate required"):
        _ask(connection)


@pytest.mark.parametrize("which", ["expired", "foreign"])
def test_a_bad_client_certificate_is_refused_by_name_of_the_trouble(world: Any, which: str) -> None:
    pki = world.pki
    expired = which == "expired"
    issuer, days = (pki.line_ca, (-30, -1)) if expired else (pki.school_ca, (-1, 30))
    identity = pki.issue(which, issuer=issuer, days=days)
    connection = world.caller.open(identity=identity)
    with pytest.raises(ssl.SSLError, match="expired" if expired else "unknown ca"):
        _ask(connection)


def _ask(connection: HTTPSConnection) -> None:
    connection.request("GET", "/api/dia-chi")
    connection.getresponse()


def test_an_address_outside_the_list_is_refused_and_heard_again_when_it_is_back(world: Any) -> None:
    world.control.change(addresses=["10.0.0.0/8"])
    assert world.caller.query("m-1")["Error"] == "ADDRESS_REFUSED"
    world.control.change(addresses=["127.0.0.1"])
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"


def test_a_client_certificate_that_is_not_registered_is_refused(world: Any) -> None:
    world.control.change(client_fingerprints=["00" * 32])
    assert world.caller.query("m-1")["Error"] == "CERTIFICATE_REFUSED"
    world.control.change(client_fingerprints=[hashlib.sha256(world.pki.client.der).hexdigest()])
    assert world.caller.query("m-1")["Error"] == "MESSAGE_UNKNOWN"


def test_wrong_password_wrong_token_wrong_unit_and_wrong_type_are_told_apart(world: Any) -> None:
    caller, document = world.caller, world.list_of(world.record())
    assert caller.call("/api/token", {"user_name": "so79", "password": "x"})[1]["Error"] == "LOGIN_REFUSED"
    message = caller.message(document)
    message["authenticationRequest"]["type"] = 5
    assert caller.call("/api/hoc-ba/gui", message)[1]["Error"] == "TYPE_INVALID"
    message = caller.message(document)
    message["authenticationRequest"]["token"] = "khong-phai-token"
    status, answer = caller.call("/api/hoc-ba/gui", message)
    assert (status, answer["Error"]) == (401, "TOKEN_INVALID")
    narrow = dataclasses.replace(caller, token="")
    narrow.token = narrow.call(
        "/api/token", {"user_name": "so01", "password": world.config.accounts[1].password_sha256}
    )[1]["token"]
    assert narrow.query("m-1")["Error"] == "UNIT_REFUSED"
    other = dataclasses.replace(caller)
    other.token = ""
    assert other.query("m-1")["Error"] == "TOKEN_INVALID"


def test_a_body_over_the_limit_is_refused_unread_and_the_answer_arrives(start: Any) -> None:
    world = start(max_body_bytes=10_000)
    response, body = world.caller.raw("/api/hoc-ba/gui", {"content": "x" * 3_000_000})
    assert (response.status, json.loads(body)["Error"]) == (413, "PACKAGE_TOO_BIG")


def test_a_document_that_inflates_over_the_limit_is_refused(start: Any) -> None:
    world = start(max_document_bytes=10_000)
    status, answer = world.caller.submit(b" " * 5_000_000)
    assert (status, answer["Error"]) == (413, "PACKAGE_TOO_BIG")


def test_content_that_cannot_be_read_is_refused_and_still_in_the_journal(world: Any) -> None:
    message = world.caller.message(b"x", messageid="m-1")
    for content in ("***", "AAAA", message["content"][:-8]):
        assert world.caller.call("/api/hoc-ba/gui", {**message, "content": content})[1]["Error"] == "CONTENT_UNREADABLE"
    journal = [line for line in world.control.journal() if line.get("messageid") == "m-1"]
    assert len(journal) == 3


def test_the_journal_holds_no_secret_and_no_child(world: Any) -> None:
    world.caller.submit(world.list_of(world.record(HO_VA_TEN="Nguyen Van Bi Mat")), messageid="m-1")
    world.caller.verdicts("m-1")
    text = (world.config.folder / "journal.jsonl").read_text() + json.dumps(list(world.control.ledger()))
    assert "Bi Mat" not in text
    assert world.caller.token not in text
    assert world.config.accounts[0].password_sha256 not in text
    assert "079215000001" not in text


def test_a_half_line_left_by_a_kill_is_cut_and_the_numbering_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.received({"a": 1})
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"seq":2,"ev')
    journal = Journal(path)
    assert journal.received({"a": 2}) == 2
    journal.close()
    assert [line["seq"] for line in read(path)] == [1, 2]


def test_a_description_that_cannot_be_used_is_a_sentence(tmp_path: Path, description: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="Không tìm thấy"):
        load(tmp_path / "none.toml")
    text = description.read_text()
    for change in (("folder", "folders"), ("delay_seconds", "delay"), ("[judging]", "[paths]\nnone = '/'\n[judging]")):
        path = tmp_path / "bad.toml"
        path.write_text(text.replace(*change))
        with pytest.raises(ConfigurationRefused):
            load(path)


def test_the_simulator_needs_neither_django_nor_the_portals_judgement() -> None:
    program = (
        "import sys, gateway.simulator.process, gateway.simulator.control;"
        "print([m for m in sys.modules if m.split('.')[0] in ('django', 'signing', 'portal', 'celery')])"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
