"""The connection doctor over real TLS: each broken thing is found at its step, with a cause and somebody to call."""

import socket
import threading
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
        case "/api/hoc-ba/ket-qua":
            return as_json({"MessageId": request.json["messageid"], "Error": "MESSAGE_UNKNOWN", "data": []}, 404)
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


def test_a_clock_beyond_all_dates_is_a_clock_not_told(peer: Peer, line: Line) -> None:
    beyond = {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}
    peer.answer = lambda request: Reply(headers=beyond) if request.path == "/" else healthy_ministry(request)
    found = examine(line())
    assert (found["CLOCK"].outcome, found["CALL"].outcome) == ("WARNING", "OK")


def test_a_refused_login_is_found_with_the_ministrys_cause(peer: Peer, line: Line) -> None:
    def refuse(request: Request) -> Reply:
        refused = as_json({"Error": "CREDENTIALS_REFUSED"}, 401)
        return refused if request.path == "/api/token" else healthy_ministry(request)

    peer.answer = refuse
    found = examine(line())
    assert failed(found) == "TOKEN"
    assert "mật khẩu" in found["TOKEN"].cause


def answering(path: str, reply: Reply) -> Callable[[Request], Reply]:
    return lambda request: reply if path in request.path else healthy_ministry(request)


PAGE = Reply(200, b"<html><head><title>Cong thong tin</title></head></html>", {"Content-Type": "text/html"})
EXPIRED = Reply(400, b"<html><head><title>400 The SSL certificate error</title></head></html>")


@pytest.mark.parametrize(
    ("path", "reply", "step", "seen", "cause", "call"),
    [
        ("/api/token", PAGE, "TOKEN", "trang web (HTML) mang tiêu đề “Cong thong tin”", "đường dẫn", "Quản trị"),
        ("/api/token", PAGE, "TOKEN", "trang web", "bảo trì", "Đầu mối kỹ thuật của Bộ; rồi"),
        ("/api/token", EXPIRED, "TOKEN", "SSL certificate error", "hết hạn", "Quản trị"),
        ("/api/token", Reply(403, b"<html>"), "TOKEN", "trang web", "IP đi ra", "Bộ phận mạng"),
        ("/api/token", Reply(502, b"bad gateway"), "TOKEN", "HTTP 502", "bảo trì", "Bộ"),
        ("/api/token", as_json({"ma": "x"}), "TOKEN", "token", "token_field", "Quản trị"),
        ("/api/token", Reply(302, headers={"Location": "https://x/"}), "TOKEN", "chuyển hướng", "base_url", "Quản trị"),
        ("/api/danh-muc", as_json({}, 404), "CALL", "không có dịch vụ ở đường dẫn đã khai", "Đường dẫn", "Quản trị"),
        ("/api/danh-muc", as_json({"Error": "TOKEN_INVALID"}, 401), "CALL", "token", "token_header", "Quản trị"),
        ("/api/danh-muc", as_json({"Error": "UNIT_REFUSED"}, 403), "CALL", "đơn vị", "unit_code", "Bộ"),
        ("/api/hoc-ba/ket-qua", PAGE, "QUESTION", "trang web (HTML)", "tường lửa", "Quản trị"),
        ("/api/hoc-ba/ket-qua", Reply(502, b"x"), "QUESTION", "HTTP 502", "bảo trì", "Bộ"),
        ("/api/danh-muc", Reply(reset=True), "CALL", "bị cắt", "tường lửa", "Bộ phận mạng"),
    ],
)
def test_an_answer_that_is_wrong_is_explained_with_its_cause_and_whom_to_call(
    peer: Peer, line: Line, path: str, reply: Reply, step: str, seen: str, cause: str, call: str
) -> None:
    peer.answer = answering(path, reply)
    found = examine(line(address_path=""))
    assert failed(found) == step
    assert seen in found[step].detail
    assert cause in found[step].cause
    assert call in found[step].call
    assert "có thể Bộ đã nhận" not in found[step].detail, "the doctor sends no package"


def replaced(description: EndpointDescription, base_url: str) -> EndpointDescription:
    return description.model_copy(update={"endpoint": description.endpoint.model_copy(update={"base_url": base_url})})


def test_a_server_certificate_is_blamed_for_what_is_wrong_with_it(
    pki: Pki, line: Line, tmp_path: Path, peer: Peer
) -> None:
    assert "không do CA đã ghim" in examine(line(ca=str(Pki(tmp_path / "o").make("o").ca)))["TLS"].detail
    assert "không mang đúng tên" in examine(line(server_name="hocbaso.example.gov.vn"))["TLS"].detail
    late = Pki(tmp_path / "late").make()
    late.issue("server", -1)
    stale = Peer(late)
    try:
        found = examine(replaced(line(ca=str(late.ca)), stale.url))
    finally:
        stale.close()
    assert "đã hết hạn" in found["TLS"].detail
    assert "đồng hồ máy này" in found["TLS"].cause


@pytest.mark.parametrize("kind", ["foreign", "none"])
def test_a_certificate_the_ministry_refuses_is_found_at_the_handshake_under_tls_1_3(
    line: Line, tmp_path: Path, kind: str
) -> None:
    other = Pki(tmp_path / "o").make("o")
    files = {"foreign": (other.folder / "client.pem", other.folder / "client.key"), "none": ("", "")}[kind]
    found = examine(line(client_certificate=str(files[0]), client_key=str(files[1])))
    assert failed(found) == "TLS"
    assert found["TLS"].detail.startswith("Bộ từ chối chứng thư" if kind == "foreign" else "Bộ đòi chứng thư")


@pytest.mark.parametrize("broken", ["ca", "client_certificate"])
def test_a_file_that_is_no_certificate_is_a_finding_and_never_a_crash(line: Line, tmp_path: Path, broken: str) -> None:
    page = tmp_path / "page.pem"
    page.write_text("<html>not a certificate</html>")
    found = examine(line(**{broken: str(page)}))
    assert "FAILED" in {finding.outcome for finding in found.values()}


def test_a_certificate_without_its_key_is_found_before_anything_is_tried(line: Line) -> None:
    assert failed(examine(line(client_key=""))) == "FILES"


def test_a_proxy_that_is_down_is_named_and_not_the_ministry(line: Line) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found = examine(line(proxy=f"http://127.0.0.1:{port}"))
    assert failed(found) == "TCP"
    assert "proxy" in found["TCP"].detail
    assert "trung gian" in found["TCP"].cause


def test_a_proxy_that_forbids_the_way_is_told_by_its_own_words(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def forbid() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    if connection.recv(4096):
                        connection.sendall(b"HTTP/1.1 403 Forbidden by policy\r\n\r\n")

        thread = threading.Thread(target=forbid, daemon=True)
        thread.start()
        found = examine(line(proxy=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join(10)
    assert failed(found) == "TLS"
    assert "403 Forbidden by policy" in found["TLS"].detail


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"Error": "KHONG_TIM_THAY", "MessageId": "other"}, 404),
        as_json({"MessageId": "", "Error": "", "ResponseCode": "00", "data": []}),
        as_json([]),
    ],
)
def test_a_ministry_that_does_not_say_unknown_in_the_described_code_is_a_warning(
    peer: Peer, line: Line, reply: Reply
) -> None:
    peer.answer = answering("/api/hoc-ba/ket-qua", reply)
    found = examine(line(address_path=""))
    assert found["QUESTION"].outcome == "WARNING"
    assert found["QUESTION"].cause


def test_the_shipped_simulator_tells_its_clock() -> None:
    from gateway.simulator.wire import json_reply

    assert b"\r\nDate: " in json_reply({}).head(close=False)
