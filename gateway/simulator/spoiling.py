"""Answers that a fault makes: instead of the service's, spoilt after the service has acted, or ill-written on the wire.

Pure as far as it goes: a fault and a request (or a good reply) in, a reply out. Writing ill is at the end of the file.
"""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from .faults import Fault
from .services import Wishes, describe, receipt
from .wire import Reply, Request, cut, json_reply

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
_OTHER = "00000000-0000-4000-8000-000000000000"


def html(status: int, title: str) -> Reply:
    return Reply(status, _PAGE.format(title).encode(), content_type="text/html; charset=utf-8")


_REFUSALS: dict[str, tuple[int, str]] = {
    "http_500": (500, "INTERNAL_ERROR"),
    "http_429": (429, "BUSY"),
    "http_503": (503, "UNAVAILABLE"),
    "http_413": (413, "PACKAGE_TOO_BIG"),
    "http_400": (400, "STRUCTURE_INVALID"),
    "http_409": (409, "MESSAGE_CONFLICT"),
    "token_refused": (401, "TOKEN_INVALID"),
    "address_refused": (403, "ADDRESS_REFUSED"),
    "status": (500, "INTERNAL_ERROR"),
}
_PAGES: dict[str, tuple[int, str]] = {
    "html_502": (502, "502 Bad Gateway"),
    "html_200": (200, "Hệ thống đang bảo trì"),
    "client_certificate_expired": (400, "400 The SSL certificate error"),
}


def instead(fault: Fault, request: Request, *, now: datetime) -> Reply:
    """The reply of a fault that lets nothing happen."""
    messageid = describe(request.body).get("messageid")
    if fault.kind in _PAGES:
        return html(*_PAGES[fault.kind])
    if fault.kind == "redirect":
        return Reply(302, b"", headers={"Location": str(fault.params.get("location", "https://127.0.0.1:9/"))})
    if fault.kind == "ack_without_effect":
        return json_reply(receipt(messageid, said="Đã nhận gói tin, chờ xử lý"))
    if fault.kind == "unknown_to_me":
        return json_reply({**receipt(messageid, error="MESSAGE_UNKNOWN"), "data": []})
    status, code = _REFUSALS[fault.kind]
    headers = retry_after(fault, now) if fault.kind in ("http_429", "http_503") else {}
    status = int(fault.number("status", status)) if fault.kind == "status" else status
    return refusal(status, messageid, str(fault.params.get("code", code)), headers)


def refusal(status: int, messageid: object, code: str, headers: dict[str, str] | None = None) -> Reply:
    name = messageid if isinstance(messageid, str) else None
    return json_reply(receipt(name, error=code, description="Lỗi theo kịch bản diễn tập"), status, headers)


def retry_after(fault: Fault, now: datetime) -> dict[str, str]:
    """`params.retry_after`: a number, "date" (with `seconds`), "absurd", or any text, which goes out as it is."""
    wish = fault.params.get("retry_after", 1)
    if wish == "none":
        return {}
    if wish == "date":
        at = now.astimezone(UTC) + timedelta(seconds=fault.number("seconds", 2))
        return {"Retry-After": format_datetime(at, usegmt=True)}
    return {"Retry-After": "99999999999" if wish == "absurd" else str(wish)}


def wishes(fault: Fault | None) -> Wishes:  # noqa: PLR0911 one line for each kind
    """What a fault of the EFFECT phase asks of the service."""
    if fault is None:
        return Wishes()
    params = fault.params
    match fault.kind:
        case "token_short_life":
            return Wishes(token_seconds=fault.number("seconds", 1))
        case "ack_then_silence":
            return Wishes(silent=True)
        case "late_verdicts":
            return Wishes(extra_delay=fault.number("seconds", 30))
        case "reject_share":
            codes = tuple(params.get("codes", ("TEST_REJECTED",)))
            return Wishes(reject_share=fault.number("share", 0.5), reject_codes=codes)
        case "refuse_package":
            return Wishes(
                refuse_code=str(params.get("code", "PACKAGE_INVALID")),
                refuse_uuids=tuple(str(uuid).lower() for uuid in params.get("uuids", ())),
                name_culprit=bool(params.get("named", False)),
            )
        case _:
            return Wishes(refuse_recall=True)


def spoil(fault: Fault, reply: Reply, *, earlier: bytes | None) -> Reply:  # noqa: PLR0911 one line for each kind
    """A reply changed after the service has acted; `earlier` is a receipt given before, for the replay."""
    match fault.kind:
        case "right_receipt_500":
            return reply.with_status(500)
        case "error_500_with_effect":
            return refusal(500, None, "INTERNAL_ERROR")
        case "html_502_with_effect":
            return html(502, "502 Bad Gateway")
        case "receipt_unreadable":
            return Reply(reply.status, reply.body[: len(reply.body) // 2] + b'{"')
        case "receipt_empty":
            return Reply(reply.status, b"")
        case "receipt_replay":
            return reply if earlier is None else Reply(200, earlier)
        case "receipt_other_message":
            return _changed(reply, {"MessageId": _OTHER, "messageid": _OTHER})
        case "receipt_other_unit":
            return _changed(reply, {"ma_don_vi": "99-KHAC"}, add=True)
        case "receipt_wrong_counts":
            return _wrong_counts(reply, str(fault.params.get("how", "drop")))
        case _:
            return reply


def _changed(reply: Reply, members: dict[str, Any], *, add: bool = False) -> Reply:
    value = json.loads(reply.body)
    value.update({name: text for name, text in members.items() if add or name in value})
    return json_reply(value, reply.status)


def _wrong_counts(reply: Reply, how: str) -> Reply:
    """`drop` the last line, tell one `twice`, or add a `foreign` one."""
    value = json.loads(reply.body)
    lines = value.get("data")
    if not isinstance(lines, list) or not lines:
        return reply
    if how == "drop":
        lines.pop()
    else:
        lines.append({**lines[-1], "ma_tra_cuu_uuid": _OTHER} if how == "foreign" else dict(lines[-1]))
    return json_reply(value, reply.status)


def write_ill(connection: socket.socket, fault: Fault, reply: Reply, pause: Callable[[float], bool]) -> None:
    """Write a reply as no honest server would. `pause(seconds)` tells True when everything has to end."""
    seconds = fault.number("seconds", 120)
    end = time.monotonic() + seconds
    if fault.kind == "cut_mid_reply":
        head = reply.head(close=True)
        length = int(fault.number("bytes", len(head) + len(reply.body) // 2))
        connection.sendall((head + reply.body)[:length])
        cut(connection)
    elif fault.kind == "slow_reply":
        for byte in reply.head(close=True) + reply.body:
            connection.sendall(bytes([byte]))
            if time.monotonic() > end or pause(fault.number("interval", 1.0)):
                return
    elif fault.kind == "endless_head":
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        _pour(connection, b"X-Filler: " + b"a" * 200 + b"\r\n", end, pause, fault.number("interval", 0.05))
    elif fault.kind == "endless_reply":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{")
        _pour(connection, b" " * 1024, end, pause, fault.number("interval", 0.05))
    elif fault.kind == "huge_reply":
        length = int(fault.number("bytes", 1 << 30))
        connection.sendall(Reply(200, b"").head(close=True, length=length))
        _pour(connection, b" " * 65536, end, pause, 0.0, pieces=length // 65536)
    else:
        bomb = _gzip_zeros(int(fault.number("bytes", 1 << 30)))
        connection.sendall(Reply(200, bomb, headers={"Content-Encoding": "gzip"}).head(close=True) + bomb)


def _pour(
    connection: socket.socket,
    piece: bytes,
    end: float,
    pause: Callable[[float], bool],
    interval: float,
    *,
    pieces: int | None = None,
) -> None:
    while time.monotonic() < end and (pieces is None or pieces > 0):
        connection.sendall(piece)
        pieces = None if pieces is None else pieces - 1
        if pause(interval):
            return


def _gzip_zeros(length: int) -> bytes:
    """A small GZip stream that inflates to `length` zeros, made without holding them."""
    if length < 1 << 20:
        return gzip.compress(bytes(length))
    machine, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
    parts = [machine.compress(zeros) for _ in range(length >> 20)]
    return b"".join([*parts, machine.flush()])
