"""Outside sources that answer a byte at a time: the call has an end, and what came by then is no answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from signing.errors import KeyUnavailable
from signing.online import Link, RemoteSigningService, SourceAway, fetch, post

IMPATIENT = Link(connect_seconds=2.0, read_seconds=2.0, total_seconds=0.8)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\n"


@pytest.fixture
def source() -> Iterator[Callable[[bytes, bytes], str]]:
    """Serve `at_once`, then `drip` for ever, a byte every tenth of a second; gives the address."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    said: list[bytes] = [b"", b""]

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(65_536)
                try:
                    line.sendall(said[0])
                    while said[1] and not over.wait(0.1):
                        line.sendall(said[1])
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def start(at_once: bytes, drip: bytes) -> str:
        said[:] = [at_once, drip]
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


SLOW = {
    "body without a length": (HEAD + b"\r\n" + b"x" * 100, b"y"),
    "body with a length": (HEAD + b"Content-Length: 100000\r\n\r\n", b"y"),
    "body in chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n"),
    "head": (HEAD, b"X"),
    "no end of lines": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_source_that_drips_is_left_at_the_deadline(source: Callable[[bytes, bytes], str], kind: str) -> None:
    address = source(*SLOW[kind])
    began = time.monotonic()
    for ask in (lambda: fetch(address, IMPATIENT), lambda: post(address, b"q", "application/ocsp-request", IMPATIENT)):
        with pytest.raises(SourceAway) as why:
            ask()
        assert why.value.code in {"SOURCE_SLOW", "SOURCE_AWAY"}
    assert time.monotonic() - began < 10, "it would have gone on for ever"


def test_a_remote_signing_service_that_drips_is_away(source: Callable[[bytes, bytes], str]) -> None:
    # Each byte is a blank: a reader that trusts a cut answer would take `{}` for a whole one.
    service = RemoteSigningService(source(HEAD + b"\r\n{}", b" "), "t", IMPATIENT)
    with pytest.raises(KeyUnavailable) as why:
        service.call("credentials/list", {})
    assert why.value.code == "REMOTE_AWAY"


def test_a_source_in_time_is_read_whole(source: Callable[[bytes, bytes], str]) -> None:
    assert fetch(source(HEAD + b"Content-Length: 3\r\n\r\nabc", b""), IMPATIENT) == b"abc"
    assert fetch(source(HEAD + b"\r\nabcd", b""), IMPATIENT) == b"abcd"


def test_a_redirect_is_a_refusal_wherever_it_leads(source: Callable[[bytes, bytes], str]) -> None:
    address = source(b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\n\r\n", b"y")
    with pytest.raises(SourceAway) as why:
        fetch(address, IMPATIENT)
    assert why.value.code == "SOURCE_STATUS"
