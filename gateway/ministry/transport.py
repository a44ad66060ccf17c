"""The HTTPS transport below `link`: source-bound, pinned, with a deadline over the whole call.

requests and urllib3 limit each single wait, not the call: a peer that sends a byte a second would hold a worker for
ever. Every connection therefore keeps a second handle on its socket, and a timer shuts it down at the deadline.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util.retry import Retry

from gateway import failpoints
from gateway.conf import Connection
from gateway.ministry.errors import LeaseEnded


class Watch:
    """What is known of the call going on in this thread: whether bytes left, and how to cut it off."""

    def __init__(self, not_after: float | None = None) -> None:
        self.not_after = not_after
        self.connected = False
        self.body_started = False
        self.expired = False
        self.local_address = ""
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()

    def follow(self, handle: socket.socket | None) -> None:
        with self._lock:
            self._handle = handle
            if self.expired:
                self._shut()

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)


_current: Final = threading.local()


@contextlib.contextmanager
def watched(total_timeout: float, *, not_after: float | None = None) -> Iterator[Watch]:
    """Run one call under a deadline; `not_after`: the moment (monotonic) after which its body must not begin."""
    watch = Watch(not_after)
    _current.watch = watch
    timer = threading.Timer(total_timeout, watch.expire)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        watch.follow(None)
        _current.watch = None


class _WatchedConnection(HTTPSConnection):
    """A connection that tells the watch of its thread when the handshake is over and when the body starts."""

    _second_handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        plain: socket.socket = super()._new_conn()
        self._second_handle = plain.dup()
        watch = getattr(_current, "watch", None)
        if watch is not None:
            watch.local_address = plain.getsockname()[0]
            watch.follow(self._second_handle)
        return plain

    def connect(self) -> None:
        super().connect()
        watch = getattr(_current, "watch", None)
        if watch is not None:
            watch.connected = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        watch = getattr(_current, "watch", None)
        if watch is not None:
            watch.follow(self._second_handle)
            if self.sock is None:
                # Connect first, so that everything up to here provably left nothing behind.
                self.connect()
            failpoints.reach("P12")
            if watch.not_after is not None and time.monotonic() > watch.not_after:
                raise LeaseEnded
            watch.connected = True
            watch.body_started = True
        super().request(*args, **kwargs)
        failpoints.reach("P13")

    def close(self) -> None:
        super().close()
        if self._second_handle is not None:
            self._second_handle.close()
            self._second_handle = None


class _WatchedPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedConnection


class _BoundAdapter(HTTPAdapter):
    """Leaves from the registered address, never retries by itself, checks the name we were told to expect."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        super().__init__(max_retries=Retry(0, read=False), pool_connections=2, pool_maxsize=4)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self._line.source_address:
            options["source_address"] = (self._line.source_address, 0)
        if self._line.server_name:
            options["assert_hostname"] = self._line.server_name
            options["server_hostname"] = self._line.server_name
        return options

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **(pool_kwargs | self._options()))
        self._watch_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **(kwargs | self._options()))
        self._watch_pools(manager)
        return manager

    @staticmethod
    def _watch_pools(manager: Any) -> None:
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _WatchedPool}


class _StayingSession(requests.Session):
    """Never looks where a redirect leads: requests would read its whole body for it, without a bound and unpacked, and
    stumble over an address that is none."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def open_session(line: Connection) -> requests.Session:
    """One session per process: nothing from the environment, only the pinned CA, our client certificate."""
    session = _StayingSession()
    session.trust_env = False
    session.verify = line.ca or True
    if line.client_certificate:
        session.cert = (line.client_certificate, line.client_key)
    if line.proxy:
        session.proxies = {"https": line.proxy}
    session.headers.clear()
    session.headers.update(
        {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "cong-hoc-ba-so"}
    )
    session.mount("https://", _BoundAdapter(line))
    return session
