"""HTTP sessions with a deadline over the whole call, for `signing.online`.

requests and urllib3 bound each single wait, not the call: a source that sends a byte now and then would hold a worker
for ever, and with it every seal or every list of revoked certificates behind it. Every connection therefore keeps a
second handle on its socket, and a timer shuts it down at the deadline.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """The deadline of the call that goes on in this thread."""

    def __init__(self) -> None:
        self.passed = False
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()

    def follow(self, handle: socket.socket) -> None:
        """Shut this connection too when the time is over. The handle is closed here at the end of the call."""
        with self._lock:
            self._handles.append(handle)
            if self.passed:
                _shut(handle)

    def pass_by(self) -> None:
        with self._lock:
            self.passed = True
            for handle in self._handles:
                _shut(handle)

    def release(self) -> None:
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


_current: Final = threading.local()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Everything that a `session` does in this thread ends after so many seconds; ask `passed` before trusting what
    came: a connection that was shut looks like one that had ended."""
    deadline = Deadline()
    timer = threading.Timer(seconds, deadline.pass_by)
    timer.daemon = True
    _current.deadline = deadline
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        _current.deadline = None
        deadline.release()


def _follow(plain: socket.socket) -> socket.socket:
    deadline = getattr(_current, "deadline", None)
    if deadline is not None:
        deadline.follow(plain.dup())
    return plain


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _follow(super()._new_conn())


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _follow(super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


class _StayingSession(requests.Session):
    """Never looks where a redirect leads: requests would read its whole body for it, without a bound and unpacked, and
    stumble over an address that is none."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def session() -> requests.Session:
    """A session whose connections obey `within`; it follows no redirect and reads nothing from the environment."""
    made = _StayingSession()
    made.trust_env = False
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made
