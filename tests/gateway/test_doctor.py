"""The connection doctor over real TLS: each broken thing is found at its step, with a cause and somebody to call."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import conf, doctor
from gateway.conf import EndpointDescription
from tests.gateway.peer import Peer, Pki, Reply, Request, as_json

Line = Callable[..., EndpointDescription]


def healthy_ministry(request: Request) -> Reply:
    match request.path:
        case "/api/token":
            return as_json({"token": "T", "expires_in": 60})
        case "/dia-chi":
            return as_json({"address": request.peer})
        case "/":
            return Reply(404, headers={"Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")})
        case _:
            return as_json({"data": [{"ma": "USB_TOKEN"}]})


def examine(description: EndpointDescription) -> dict[str, doctor.Finding]:
    return {finding.step: finding for finding in doctor.examine(description, now=datetime.now(UTC))}


def test_a_sound_line_passes_every_step(peer: Peer, line: Line) -> None:
    peer.answer = healthy_ministry
    found = examine(line(address_path="/dia-chi", registered_address="127.0.0.1"))
    assert {step: finding.outcome for step, finding in found.items()} == dict.fromkeys(found, "OK")
    assert "127.0.0.1" in found["ADDRESS"].detail


def failed(found: dict[str, doctor.Finding]) -> str:
    (step,) = [step for step, finding in found.items() if finding.outcome == "FAILED"]
    assert found[step].cause
    assert found[step].call
    return step


def test_an_address_other_than_the_registered_one_is_found(peer: Peer, line: Line) -> None:
    peer.answer = healthy_ministry
    found = examine(line(address_path="/dia-chi", registered_address="203.0.113.10", source_address="127.0.0.5"))
    assert failed(found) == "ADDRESS"
    assert "127.0.0.5" in found["ADDRESS"].detail


def test_a_closed_port_is_found_and_later_steps_are_not_run(peer: Peer, line: Line) -> None:
    description = line()
    peer.close()
    found = examine(description)
    assert failed(found) == "TCP"
    assert found["CALL"].outcome == "NOT_RUN"


def test_a_missing_file_is_found_first(line: Line) -> None:
    assert failed(examine(line(client_key="/nonexistent/key"))) == "FILES"


def test_a_wrong_name_is_found(line: Line, description_file: Path) -> None:
    line()
    description_file.write_text(description_file.read_text().replace("127.0.0.1", "khong-co.invalid"))
    assert failed(examine(conf.read_description(description_file))) == "DNS"


def test_a_source_address_this_machine_does_not_have_is_found(line: Line) -> None:
    assert failed(examine(line(source_address="192.0.2.9"))) == "ROUTE"


def test_a_foreign_server_certificate_is_found(line: Line, tmp_path: Path) -> None:
    assert failed(examine(line(ca=str(Pki(tmp_path / "o").make("o").ca)))) == "TLS"


@pytest.mark.parametrize(("days", "outcome"), [(-1, "FAILED"), (20, "WARNING"), (300, "OK")])
def test_the_days_left_of_our_certificate_are_told(peer: Peer, line: Line, pki: Pki, days: int, outcome: str) -> None:
    peer.answer = healthy_ministry
    certificate, key = pki.issue(f"client{days}", days)
    found = examine(line(client_certificate=str(certificate), client_key=str(key)))
    assert found["CERTIFICATE"].outcome == outcome


def test_a_clock_that_is_off_is_told(peer: Peer, line: Line) -> None:
    def late(request: Request) -> Reply:
        return (
            Reply(headers={"Date": "Mon, 01 Jun 2020 00:00:00 GMT"})
            if request.path == "/"
            else healthy_ministry(request)
        )

    peer.answer = late
    found = examine(line())
    assert found["CLOCK"].outcome == "WARNING"
    assert found["CALL"].outcome == "OK"


def test_a_refused_login_is_found_with_the_ministrys_cause(peer: Peer, line: Line) -> None:
    def refuse(request: Request) -> Reply:
        refused = as_json({"Error": "CREDENTIALS_REFUSED"}, 401)
        return refused if request.path == "/api/token" else healthy_ministry(request)

    peer.answer = refuse
    found = examine(line())
    assert failed(found) == "TOKEN"
    assert "mật khẩu" in found["TOKEN"].cause
