"""What the line proves, over real TLS: nothing left, fate unknown, or refused."""

import gzip
import socket
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.conf import EndpointDescription
from gateway.ministry.errors import FateUnknown, LinkRefused, NotSent
from gateway.ministry.link import Link
from tests.gateway.peer import Peer, Pki, Reply

Line = Callable[..., EndpointDescription]


def call(description: EndpointDescription, body: bytes = b"{}") -> bytes:
    return Link(description).call("POST", "/x", body=body).body


def test_an_answer_comes_back_whole_and_the_connection_is_kept(peer: Peer, line: Line) -> None:
    peer.answer = lambda request: Reply(body=request.body * 2)
    link = Link(line())
    assert link.call("POST", "/x", body=b"ab").body == b"abab"
    assert link.call("POST", "/x", body=b"cd").body == b"cdcd"
    assert [request.headers["content-type"] for request in peer.requests] == ["application/json; charset=utf-8"] * 2


def test_the_source_address_is_the_one_we_are_told_to_use(peer: Peer, line: Line) -> None:
    peer.answer = lambda request: Reply(body=request.peer.encode())
    assert call(line(source_address="127.0.0.3")) == b"127.0.0.3"


def test_a_source_address_this_machine_does_not_have_is_named(line: Line) -> None:
    with pytest.raises(NotSent) as problem:
        call(line(source_address="192.0.2.77"))
    assert problem.value.code == "SOURCE_ADDRESS"


def test_the_environment_cannot_change_the_line(peer: Peer, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    peer.answer = lambda _: Reply(body=b"ok")
    assert call(line()) == b"ok"


def test_a_refused_connection_proves_that_nothing_left(peer: Peer, line: Line) -> None:
    description = line()
    peer.close()
    with pytest.raises(NotSent) as problem:
        call(description)
    assert problem.value.code == "TCP"


def test_an_unknown_name_proves_that_nothing_left(line: Line, description_file: Path) -> None:
    line()
    text = description_file.read_text().replace("127.0.0.1", "khong-co.invalid")
    description_file.write_text(text)
    from gateway import conf

    with pytest.raises(NotSent) as problem:
        call(conf.read_description(description_file))
    assert problem.value.code == "DNS"


def test_a_peer_that_never_shakes_hands_proves_that_nothing_left(line: Line, description_file: Path) -> None:
    from gateway import conf

    with socket.create_server(("127.0.0.1", 0)) as silent:
        line(connect_timeout=0.3)
        text = description_file.read_text()
        base = next(row for row in text.splitlines() if row.startswith("base_url"))
        description_file.write_text(text.replace(base, f'base_url = "https://127.0.0.1:{silent.getsockname()[1]}"'))
        with pytest.raises(NotSent):
            call(conf.read_description(description_file))


def test_a_server_certificate_of_another_authority_refuses_the_line(line: Line, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other").make("other")
    with pytest.raises(LinkRefused) as problem:
        call(line(ca=str(other.ca)))
    assert problem.value.code == "SERVER_CERTIFICATE"


@pytest.mark.parametrize("tls13", [True, False])
def test_a_client_certificate_the_ministry_does_not_know_is_named(
    pki: Pki, tmp_path: Path, line: Line, description_file: Path, tls13: bool
) -> None:
    from gateway import conf

    other = Pki(tmp_path / "other").make("other")
    strict = Peer(pki, client_ca=pki.ca, tls13=tls13)
    description = line(client_certificate=str(other.folder / "client.pem"), client_key=str(other.folder / "client.key"))
    text = description_file.read_text().replace(description.endpoint.base_url, strict.url)
    description_file.write_text(text)
    with pytest.raises((LinkRefused, FateUnknown)) as problem:
        call(conf.read_description(description_file))
    strict.close()
    # Under TLS 1.3 the alert may lose a race against the reset; then nothing is proved, which is safe.
    assert problem.value.code in ({"CERTIFICATE_REFUSED", "CONNECTION_CUT"} if tls13 else {"CERTIFICATE_REFUSED"})


def test_a_missing_certificate_file_is_the_lines_trouble(line: Line) -> None:
    with pytest.raises(LinkRefused) as problem:
        call(line(client_certificate="/nonexistent/c.pem"))
    assert problem.value.code == "CLIENT_FILES"


def test_a_cut_after_the_request_leaves_the_fate_unknown(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(reset=True)
    with pytest.raises(FateUnknown) as problem:
        call(line())
    assert problem.value.code == "CONNECTION_CUT"


def test_a_cut_in_the_answer_leaves_the_fate_unknown(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(body=b"x" * 1000, cut_after=200)
    with pytest.raises(FateUnknown):
        call(line())


def test_silence_leaves_the_fate_unknown(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(wait=3)
    with pytest.raises(FateUnknown) as problem:
        call(line(read_timeout=0.3))
    assert problem.value.code == "TIMEOUT"


@pytest.mark.parametrize("raw", [None, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 5000], ids=["body", "endless head"])
def test_an_answer_that_drips_is_cut_at_the_deadline(peer: Peer, line: Line, raw: bytes | None) -> None:
    peer.answer = lambda _: Reply(body=b"x" * 5000, raw=raw, drip=0.01)
    started = time.monotonic()
    with pytest.raises(FateUnknown) as problem:
        call(line(total_timeout=0.7))
    assert problem.value.code == "TIMEOUT"
    assert time.monotonic() - started < 5


def test_an_answer_without_end_is_cut_at_its_size(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)
    with pytest.raises(FateUnknown) as problem:
        call(line(max_answer_bytes=100_000))
    assert problem.value.code == "ANSWER_TOO_BIG"


def test_a_compressed_answer_is_not_unpacked(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(body=b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(FateUnknown) as problem:
        call(line())
    assert problem.value.code == "ANSWER_ENCODED"


def test_a_redirect_is_not_followed(peer: Peer, line: Line) -> None:
    peer.answer = lambda _: Reply(302, headers={"Location": "https://127.0.0.1:1/"})
    assert Link(line()).call("GET", "/x").status == 302
    assert len(peer.requests) == 1


@pytest.mark.parametrize("location", [b"/x\xff\xfe", b"http://[bad"], ids=["no-utf8", "no-address"])
def test_a_redirect_to_an_odd_place_is_an_answer_like_any_other(peer: Peer, line: Line, location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\nLocation: "
    peer.answer = lambda _: Reply(raw=head + location + b"\r\n\r\nab")
    assert Link(line()).call("GET", "/x").body == b"ab"


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [(gzip.compress(b"0" * (16 << 20)), "gzip", "ANSWER_ENCODED"), (b"0" * 20_000, "identity", "ANSWER_TOO_BIG")],
)
def test_the_body_of_a_redirect_is_neither_unpacked_nor_read_beyond_its_size(
    peer: Peer, line: Line, body: bytes, encoding: str, code: str
) -> None:
    peer.answer = lambda _: Reply(302, body, {"Location": "/elsewhere", "Content-Encoding": encoding})
    link = Link(line(max_answer_bytes=10_000))
    tracemalloc.start()
    try:
        with pytest.raises(FateUnknown) as problem:
            link.call("GET", "/")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert problem.value.code == code


def test_a_rotated_certificate_is_used_without_a_restart(pki: Pki, peer: Peer, line: Line, tmp_path: Path) -> None:
    for name in ("client.pem", "client.key"):
        (tmp_path / name).write_bytes((pki.folder / name).read_bytes())
    peer.answer = lambda _: Reply(body=b"ok")
    link = Link(line(client_certificate=str(tmp_path / "client.pem"), client_key=str(tmp_path / "client.key")))
    assert link.call("GET", "/x").body == b"ok"
    other = Pki(tmp_path / "other").make("other")
    for name in ("client.pem", "client.key"):
        (tmp_path / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises((LinkRefused, FateUnknown)):
        link.call("GET", "/x")
