"""The listening socket: mutual TLS, one thread a connection, and a door that can be shut as if nobody were at home.

A `down` fault closes the socket and every open connection; it is opened again on the same port when the fault is over.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import tempfile
import threading
from pathlib import Path

from . import impostor, wire
from .config import Tls
from .connection import Counter, serve
from .faults import Phase

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_BACKLOG = 128
_HANDSHAKE_SECONDS = 10.0


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer, client certificate required."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Listener:
    """Accepts on its own thread; `port` is known once `start` has returned (0 in the description = any free one)."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._tls = counter.config.tls
        self._context = server_context(self._tls)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.port = counter.config.port
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._socket = self._listen()
        self.port = self._socket.getsockname()[1]
        self._thread.start()

    def stop(self) -> None:
        """Let nobody in; requests that are being answered get a moment to end."""
        self._counter.stopping.set()
        self._thread.join(timeout=5)
        deadline = threading.Event()
        for _ in range(40):
            with self._lock:
                if not self._open:
                    return
            deadline.wait(_LOOK_SECONDS)
        self._cut_all()

    def renew_certificates(self) -> None:
        """Read the certificate files again; connections made from now on use them."""
        self._context = server_context(self._tls)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._counter.config.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self._counter.config.host, self.port))
        listening.listen(_BACKLOG)
        listening.settimeout(_LOOK_SECONDS)
        return listening

    def _run(self) -> None:
        while not self._counter.stopping.is_set():
            if self._counter.board.is_down():
                self._shut()
                self._counter.pause(_LOOK_SECONDS)
                continue
            if self._socket is None:
                self._socket = self._reopen()
                continue
            self._accept(self._socket)
        self._shut(keep_open=True)

    def _reopen(self) -> socket.socket | None:
        try:
            return self._listen()
        except OSError:
            log.warning("the port is taken by somebody else, trying again")
            self._counter.pause(0.5)
            return None

    def _accept(self, listening: socket.socket) -> None:
        try:
            plain, _ = listening.accept()
        except TimeoutError:
            return
        except OSError:
            log.exception("accept failed")
            self._counter.pause(0.2)
            return
        with self._lock:
            self._open.add(plain)
        threading.Thread(target=self._converse, args=(plain,), daemon=True).start()

    def _converse(self, plain: socket.socket) -> None:
        secured: ssl.SSLSocket | None = None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._handshake(plain)
            if secured is not None:
                with self._lock:
                    self._open.add(secured)
                serve(secured, self._counter)
        except OSError as problem:
            self._counter.journal.noted({"at": self._counter.clock(), "what": "LINE_BROKEN", "why": str(problem)})
        finally:
            with self._lock:
                self._open -= {plain} if secured is None else {plain, secured}
            with contextlib.suppress(OSError):
                (secured or plain).close()

    def _handshake(self, plain: socket.socket) -> ssl.SSLSocket | None:
        plain.settimeout(_HANDSHAKE_SECONDS)
        fault = self._counter.board.take(Phase.HANDSHAKE)
        context = self._context
        facts = {"at": self._counter.clock(), "peer": plain.getpeername()[0]}
        if fault is not None:
            self._counter.journal.noted({**facts, "what": "FAULT", "fault": fault.kind})
            if fault.kind == "handshake_silence":
                self._counter.pause(fault.number("seconds", 60))
                wire.cut(plain)
                return None
            context = self._spoilt_context(fault.kind)
        secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
        except OSError as problem:  # ssl.SSLError is one
            self._counter.journal.noted({**facts, "what": "HANDSHAKE_FAILED", "why": str(problem)})
            _let_the_alert_arrive(secured)
            return None
        return secured

    def _spoilt_context(self, kind: str) -> ssl.SSLContext:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = impostor.write(Path(folder), name="impostor.invalid")
            if kind == "wrong_server_certificate":
                return server_context(Tls(certificate, key, self._tls.client_ca))
            return server_context(Tls(self._tls.certificate, self._tls.key, client_ca=certificate))

    def _shut(self, *, keep_open: bool = False) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if not keep_open:
                self._cut_all()

    def _cut_all(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _let_the_alert_arrive(secured: ssl.SSLSocket) -> None:
    """Close gently: with unread bytes a close is a reset, and the other side would never learn which trouble it was."""
    with contextlib.suppress(OSError), secured:
        secured.settimeout(1.0)
        socket.socket.shutdown(secured, socket.SHUT_WR)
        while socket.socket.recv(secured, 65536):
            continue
