"""A bad line between us and the Ministry: little bandwidth, split segments, late by moments, now and then a reset.

A relay on a port of its own, on loopback; the endpoint's description leads through it for some seconds. It carries
bytes and knows nothing of TLS or of what is said.
"""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from random import Random

from portal.rehearsal.campaign.kinds import Kind, Missed, Stage
from portal.rehearsal.campaign.site import Site

_LANE = "address"
BYTES_PER_SECOND = 64_000
_RESET_SHARE = 0.0025  # of the pieces: about every tenth package, one answer in a hundred
_LATE = (0.0, 0.02)
_RESET_NOW = struct.pack("ii", 1, 0)  # SO_LINGER 0: a reset instead of an end


def kinds() -> list[Kind]:
    return [Kind("line:slow", Stage.FORWARDING, _slow, _LANE)]


def _slow(site: Site, rng: Random) -> None:
    port = site.env.installation.simulator_port
    with Relay(port, rng) as relay:
        site.describe(base_url=f"https://127.0.0.1:{relay.port}")
        try:
            site.pause(rng.uniform(5, 8))
        finally:
            site.describe(base_url=f"https://127.0.0.1:{port}")
        if not relay.carried:
            raise Missed


@dataclass
class Relay:
    """Listens until the block ends; every line through it ends then as well."""

    target: int
    rng: Random
    reset_share: float = _RESET_SHARE
    carried: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)
    _lines: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> "Relay":
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(32)
        threading.Thread(target=self._accept, name="relay", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._lines):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                if self._listener.fileno() < 0:
                    return
                continue
            self._lines += [near, far]
            for source, sink in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                rng = Random(self.rng.random())
                threading.Thread(target=self._carry, args=(source, sink, rng), name="relay-line", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, rng: Random) -> None:
        """Small pieces, each as late as its size at this bandwidth makes it."""
        try:
            source.settimeout(30)
            while piece := source.recv(rng.choice((1, 7, 100, 536, 1400))):
                time.sleep(len(piece) / BYTES_PER_SECOND + rng.uniform(*_LATE) * (len(piece) > 100))
                if rng.random() < self.reset_share:
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_NOW)
                    break
                sink.sendall(piece)
                self.carried += len(piece)
        except OSError:
            return  # the line is gone, which is what lines do
        finally:
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
