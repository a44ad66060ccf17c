"""What gunicorn refuses before any page of ours runs: said in Vietnamese, repeating nothing of the request."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest


@pytest.fixture(scope="module")
def door() -> Iterator[int]:
    """A gunicorn with our worker in front of an application that answers `ok`."""
    with closing(socket.create_server(("127.0.0.1", 0))) as chosen:
        port = int(chosen.getsockname()[1])
    application = "wsgiref.simple_server:demo_app"
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    process = subprocess.Popen([*command, "--worker-class", "portal.door.Door", "--threads", "2"])
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("gunicorn did not come up")


def ask(port: int, request: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(request)
        line.settimeout(10)
        found = b""
        while piece := line.recv(65_536):
            found += piece
    return found.decode()


@pytest.mark.parametrize(
    ("request_bytes", "status", "words"),
    [
        (b"<script>alert(1)</script>\r\n\r\n", 400, "sai quy cách HTTP"),
        (b"GET /tra-cuu/?q=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "quá dài"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=" + b"x" * 60_000 + b"\r\n\r\n", 431, "cookie"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_in_plain_words(
    door: int, request_bytes: bytes, status: int, words: str
) -> None:
    answer = ask(door, request_bytes)
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert words in body
    assert "alert(1)" not in body
    assert "default-src 'none'" in head
    assert int(re.findall(r"Content-Length: (\d+)", head)[0]) == len(body.encode())


def test_every_other_request_goes_the_ordinary_way(door: int) -> None:
    assert "Hello world!" in ask(door, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
