"""One connection from the first byte to the last: read, write down, act, answer, with faults where they strike.

Order that must never change: the request is in the journal before it takes effect, and its effect is on disk before
anything is answered.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import spoiling, wire
from .config import ADDRESS_PATH, SimulatorConfig
from .faults import Fault, FaultBoard, Phase
from .journal import Journal
from .services import Services, describe, receipt
from .store import write_through
from .wire import Reply, Request, json_reply


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: address and the SHA-256 of the client certificate."""

    address: str
    certificate_sha256: str


@dataclass(slots=True)
class Counter:
    """What every connection shares. `pause(seconds)` sleeps and tells True when the simulator is stopping."""

    config: SimulatorConfig
    services: Services
    board: FaultBoard
    journal: Journal
    clock: Callable[[], float]
    stopping: threading.Event = field(default_factory=threading.Event)
    earlier_receipt: bytes | None = None
    addresses: tuple[str, ...] = ()

    def pause(self, seconds: float) -> bool:
        return self.stopping.wait(seconds)

    def service_at(self, path: str) -> str:
        plain = path.partition("?")[0]
        if plain == ADDRESS_PATH:
            return "address"
        return next((name for name, known in self.config.paths.items() if known == plain), "")

    def allows(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in ipaddress.ip_network(known, strict=False) for known in self.addresses)


def serve(connection: ssl.SSLSocket, counter: Counter) -> None:
    """Answer requests on one connection until it ends."""
    der = connection.getpeercert(binary_form=True) or b""
    peer = Peer(connection.getpeername()[0], hashlib.sha256(der).hexdigest())
    while not counter.stopping.is_set():
        connection.settimeout(counter.config.idle_timeout_seconds)
        try:
            first = connection.recv(65536)
        except (TimeoutError, OSError):
            return
        if not first or not _serve_one(connection, counter, peer, first):
            return


def _serve_one(connection: ssl.SSLSocket, counter: Counter, peer: Peer, first: bytes) -> bool:
    """One request; True when the connection may go on."""
    connection.settimeout(counter.config.read_timeout_seconds)
    fault = counter.board.take(Phase.OPEN)
    if fault is not None:
        _write_down(counter, peer, Request("", "", {}, first, complete=False), "", fault)
        wire.cut(connection)
        return False
    try:
        head, rest = wire.read_head(connection, first)
        service = counter.service_at(head.path)
        request, fault = _read_body(connection, counter, head, rest, service)
    except wire.Truncated:
        _write_down(counter, peer, Request("", "", {}, first, complete=False), "", None)
        return False
    except wire.Malformed as problem:
        number = _write_down(counter, peer, Request("", "", {}, first, complete=False), "", None)
        reply = spoiling.refusal(400, None, "REQUEST_UNREADABLE")
        connection.sendall(reply.head(close=True) + reply.body)
        counter.journal.answered(number, {"status": 400, "problem": str(problem)})
        return False
    number = _write_down(counter, peer, request, service, fault)
    if not request.complete and not request.too_large:
        wire.cut(connection)
        return False
    return _answer(connection, counter, number, _reply_to(counter, peer, request, service), request)


def _read_body(
    connection: ssl.SSLSocket, counter: Counter, head: Request, rest: bytes, service: str
) -> tuple[Request, Fault | None]:
    fault = counter.board.take(Phase.READ, service)
    stop_at = None
    if fault is not None:
        stop_at = int(fault.number("bytes", max(head.declared // 2, 1)))
    limit = counter.config.max_body_bytes
    return wire.read_body(connection, head, rest, limit=limit, stop_at=stop_at), fault


def _write_down(counter: Counter, peer: Peer, request: Request, service: str, fault: Fault | None) -> int:
    """Into the journal, for good; bytes of a request that is not whole are kept beside it."""
    digest = hashlib.sha256(request.body).hexdigest()
    if not request.complete and request.body:
        folder = counter.config.folder / "partial"
        folder.mkdir(exist_ok=True)
        write_through(folder / f"{digest}.bin", request.body)
    facts: dict[str, Any] = {
        "at": counter.clock(),
        "peer": peer.address,
        "client_certificate": peer.certificate_sha256,
        "method": request.method,
        "path": request.path,
        "service": service,
        "declared": request.declared,
        "length": len(request.body),
        "complete": request.complete,
        "body_sha256": digest,
    }
    if fault is not None:
        facts["fault"] = fault.kind
    return counter.journal.received({**facts, **(describe(request.body) if request.complete else {})})


@dataclass(slots=True)
class Outcome:
    """What is to go back: `lost` = a fault takes the reply away after the effect; `kinds` = the faults that struck."""

    reply: Reply
    kinds: list[str]
    lost: bool = False
    manner: Fault | None = None


def _answer(connection: ssl.SSLSocket, counter: Counter, number: int, outcome: Outcome, request: Request) -> bool:
    """Reply; what goes back is noted even when the line breaks while we write. True when the line may go on."""
    reply = outcome.reply
    digest = hashlib.sha256(reply.body).hexdigest()
    status = 0 if outcome.lost else reply.status
    counter.journal.answered(number, {"status": status, "faults": outcome.kinds, "reply_sha256": digest})
    close = request.too_large or not request.keep_alive or counter.stopping.is_set()
    try:
        if outcome.lost:
            wire.cut(connection)
            return False
        if outcome.manner is not None:
            spoiling.write_ill(connection, outcome.manner, reply, counter.pause)
            return False
        connection.sendall(reply.head(close=close) + reply.body)
    except (OSError, ssl.SSLError):
        return False  # the other side has gone; the journal says what we meant to send
    if request.too_large:
        wire.drain(connection, limit=min(request.declared, 64 << 20))
    return not close


def _reply_to(counter: Counter, peer: Peer, request: Request, service: str) -> Outcome:
    """Let the faults strike and the service act, in the order of a request's life."""
    board = counter.board
    kinds: list[str] = []
    delay = _noted(board.take(Phase.DELAY, service), kinds)
    if delay is not None:
        counter.pause(delay.number("seconds", 5))
    instead = _noted(board.take(Phase.INSTEAD, service), kinds)
    if instead is not None:
        return Outcome(spoiling.instead(instead, request, now=datetime.fromtimestamp(counter.clock(), UTC)), kinds)
    refused = _refused_at_the_door(counter, peer, request, service)
    if refused is not None:
        return Outcome(refused, kinds)
    effect = _noted(board.take(Phase.EFFECT, service), kinds)
    reply = counter.services.answer(service, request, spoiling.wishes(effect))
    after = _noted(board.take(Phase.AFTER, service), kinds)
    if after is not None and after.kind == "cut_after_processing":
        return Outcome(reply, kinds, lost=True)
    manner = _noted(board.take(Phase.REPLY, service), kinds)
    earlier = counter.earlier_receipt
    if service in ("submit", "recall") and reply.status == 200:
        counter.earlier_receipt = reply.body
    return Outcome(reply if after is None else spoiling.spoil(after, reply, earlier=earlier), kinds, manner=manner)


def _refused_at_the_door(counter: Counter, peer: Peer, request: Request, service: str) -> Reply | None:  # noqa: PLR0911 a list of checks
    if service == "address":
        return json_reply({"address": peer.address})
    if not counter.allows(peer.address):
        return _no(403, "ADDRESS_REFUSED", f"Địa chỉ {peer.address} chưa được phép kết nối")
    known = counter.config.client_fingerprints
    if known and peer.certificate_sha256 not in known:
        return _no(403, "CERTIFICATE_REFUSED", "Chứng thư số kết nối chưa được đăng ký")
    if not service:
        return _no(404, "SERVICE_UNKNOWN", "Không có dịch vụ này")
    if request.too_large:
        return _no(413, "PACKAGE_TOO_BIG", f"Giao dịch lớn quá {counter.config.max_body_bytes} byte")
    if request.method != "POST" and service not in ("signature_kinds", "certificate_providers"):
        return _no(405, "METHOD_REFUSED", "Dịch vụ này chỉ nhận POST")
    return None


def _no(status: int, code: str, text: str) -> Reply:
    return json_reply(receipt(None, error=code, description=text), status)


def _noted(fault: Fault | None, kinds: list[str]) -> Fault | None:
    if fault is not None:
        kinds.append(fault.kind)
    return fault
