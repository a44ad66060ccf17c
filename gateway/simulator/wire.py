"""Reading one HTTP/1.1 request from a socket and writing one reply, by hand.

By hand because a fault must be able to strike between any two bytes, and because a truncated request must reach the
journal with what was read of it.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

_MAX_HEAD = 64 * 1024
_PIECE = 256 * 1024


class Truncated(Exception):
    """The other side stopped, or took too long, in the middle of a request."""


class Malformed(Exception):
    """What came is not a request."""


@dataclass(frozen=True, slots=True)
class Request:
    """`body` is what was read; `complete` says whether that is all of it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    complete: bool
    too_large: bool = False

    @property
    def declared(self) -> int:
        try:
            return int(self.headers.get("content-length", "0"))
        except ValueError:
            return -1

    @property
    def keep_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it goes over the wire."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self, *, close: bool, length: int | None = None) -> bytes:
        phrase = HTTPStatus(self.status).phrase if self.status in HTTPStatus._value2member_map_ else "Status"
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"Content-Type: {self.content_type}"]
        lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        lines += [f"{name}: {value}" for name, value in {"Date": formatdate(usegmt=True), **self.headers}.items()]
        lines.append(f"Connection: {'close' if close else 'keep-alive'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def with_status(self, status: int) -> Reply:
        return replace(self, status=status)


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, headers=headers or {})


def read_head(connection: socket.socket, first: bytes) -> tuple[Request, bytes]:
    """Everything up to the empty line; `first` is what was read already. The rest that came along is given back."""
    data = bytearray(first)
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _MAX_HEAD:
            raise Malformed("head too long")
        piece = _receive(connection)
        if not piece:
            raise Truncated
        data += piece
    lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Malformed("no request line")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed("bad header")
        headers[name.strip().lower()] = value.strip()
    return Request(parts[0].upper(), parts[1], headers, b"", complete=False), bytes(data[end + 4 :])


def read_body(
    connection: socket.socket, request: Request, rest: bytes, *, limit: int, stop_at: int | None = None
) -> Request:
    """Read the declared body, at most `limit` bytes; with `stop_at`, stop there as if the line had been cut."""
    declared = request.declared
    if declared < 0 or "transfer-encoding" in request.headers:
        raise Malformed("length required")
    if declared > limit:
        return replace(request, body=rest, too_large=True)
    if request.headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    wanted = declared if stop_at is None else min(stop_at, declared)
    body = bytearray(rest)
    while len(body) < wanted:
        piece = _receive(connection, min(_PIECE, wanted - len(body)))
        if not piece:
            break
        body += piece
    return replace(request, body=bytes(body), complete=stop_at is None and len(body) == declared)


def drain(connection: socket.socket, *, limit: int) -> None:
    """Swallow a body we refused, up to a limit, so that the other side gets to read our answer."""
    connection.settimeout(2.0)
    try:
        while limit > 0:
            piece = connection.recv(_PIECE)
            if not piece:
                return
            limit -= len(piece)
    except OSError:
        return


def cut(connection: socket.socket) -> None:
    """End the connection with a reset: no farewell, nothing flushed."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        return  # already gone
    finally:
        connection.close()


def _receive(connection: socket.socket, size: int = _PIECE) -> bytes:
    try:
        return connection.recv(size)
    except (TimeoutError, ssl.SSLError, ConnectionError):
        return b""
