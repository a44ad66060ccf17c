"""The control door: a plain HTTP port on the loopback address for tests, rehearsals and the fault campaign.

It is no part of the Ministry that is simulated. It must never be reachable from another machine, and it gives out no
pupil's data.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import certificates, ledger
from .connection import Counter
from .faults import KINDS, FaultRefused
from .journal import read as read_journal
from .judge import Judge
from .listener import Listener
from .store import Store

log = logging.getLogger(__name__)
_MAX_BODY = 1 << 20


@dataclass(slots=True)
class Parts:
    """What the door can reach."""

    counter: Counter
    store: Store
    judge: Judge
    listener: Listener

    def change(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change settings while running: any of [judging], token_seconds, addresses, client_fingerprints."""
        judging_names = {f.name for f in fields(self.judge.judging)} - {"school_cas"}
        own = {"token_seconds", "addresses", "client_fingerprints", "require_token_on_queries"}
        unknown = set(settings) - judging_names - own
        if unknown:
            raise FaultRefused(f"unknown settings: {sorted(unknown)}")
        judging = {name: settings[name] for name in settings if name in judging_names}
        simple: dict[str, Any] = {}
        for name in own & set(settings):
            value = settings[name]
            simple[name] = tuple(value) if isinstance(value, list) else value
        self.judge.judging = replace(self.judge.judging, **judging)
        config = replace(self.counter.config, judging=self.judge.judging, **simple)
        self.counter.config = self.counter.services.config = config
        self.counter.addresses = config.addresses
        return {"changed": sorted(settings)}

    def judge_now(self) -> dict[str, Any]:
        """Bring forward everything that waits; silent messages stay silent."""
        with self.store.transaction() as connection:
            sql = "UPDATE message SET due_at = ? WHERE due_at IS NOT NULL AND silent = 0"
            changed = connection.execute(sql, (self.counter.clock(),)).rowcount
        self.judge.wake()
        return {"brought_forward": changed}

    def end_silence(self) -> dict[str, Any]:
        """The repository remembers the messages that it had acknowledged and forgotten."""
        with self.store.transaction() as connection:
            changed = connection.execute("UPDATE message SET silent = 0 WHERE silent = 1").rowcount
        self.judge.wake()
        return {"woken": changed}

    def forget(self, messageid: str) -> dict[str, Any]:
        """Lose one message that is not judged yet, as if it had never come."""
        with self.store.transaction() as connection:
            sql = "DELETE FROM message WHERE messageid = ? AND stage = 1"
            return {"forgotten": connection.execute(sql, (messageid,)).rowcount}


class ControlDoor:
    """A small HTTP server on a thread; `port` is known after the making."""

    def __init__(self, parts: Parts) -> None:
        config = parts.counter.config
        handler = type("Handler", (_Handler,), {"parts": parts, "key": config.control_token})
        self._server = ThreadingHTTPServer((config.control_host, config.control_port), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """GET /health /ledger /totals /messages /journal /faults /kinds /certificates; POST and DELETE to change."""

    parts: Parts
    key: str
    timeout = 30
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        store = self.parts.store
        if not self._may_enter():
            return
        match address.path:
            case "/health":
                down = self.parts.counter.board.is_down()
                self._say({"ready": not down, "down": down, "port": self.parts.listener.port})
            case "/ledger":
                self._say_lines(ledger.entries(store, uuid=query.get("uuid", "")))
            case "/totals":
                self._say(ledger.totals(store))
            case "/messages":
                self._say_lines(ledger.messages(store))
            case "/journal":
                after = int(query.get("after", "0"))
                self._say_lines(read_journal(self.parts.counter.journal.path, after=after))
            case "/faults":
                self._say(self.parts.counter.board.listing())
            case "/kinds":
                self._say({kind: str(phase) for kind, phase in KINDS.items()})
            case "/certificates":
                self._say(json.loads(certificates.listing(store)))
            case _:
                self._say({"error": "unknown address"}, 404)

    def do_POST(self) -> None:
        if not self._may_enter():
            return
        try:
            value = json.loads(self.rfile.read(min(int(self.headers.get("Content-Length", "0")), _MAX_BODY)) or b"{}")
            match urlsplit(self.path).path:
                case "/faults":
                    self._say(self.parts.counter.board.add(value).as_json())
                case "/settings":
                    self._say(self.parts.change(value))
                case "/judge-now":
                    self._say(self.parts.judge_now())
                case "/end-silence":
                    self._say(self.parts.end_silence())
                case "/forget":
                    self._say(self.parts.forget(str(value["messageid"])))
                case "/renew-certificates":
                    self.parts.listener.renew_certificates()
                    self._say({"renewed": True})
                case _:
                    self._say({"error": "unknown address"}, 404)
        except (ValueError, KeyError, TypeError, FaultRefused, OSError) as problem:
            self._say({"error": str(problem)}, 400)

    def do_DELETE(self) -> None:
        if not self._may_enter():
            return
        path = urlsplit(self.path).path.rstrip("/")
        number = path.removeprefix("/faults").strip("/")
        if not path.startswith("/faults") or (number and not number.isdigit()):
            self._say({"error": "unknown address"}, 404)
            return
        self.parts.counter.board.clear(int(number) if number else None)
        self._say(self.parts.counter.board.listing())

    def _may_enter(self) -> bool:
        if self.key and self.headers.get("X-Control-Token") != self.key:
            self._say({"error": "control token"}, 403)
            return False
        return True

    def _say(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _say_lines(self, values: Iterable[Mapping[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        pending = bytearray()
        for value in values:
            pending += json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            if len(pending) > 1 << 16:
                self.wfile.write(pending)
                pending.clear()
        self.wfile.write(pending)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class calls it so
        log.debug(format, *args)
