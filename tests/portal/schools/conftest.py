"""The synthetic province's lists of revocation, and a real HTTP server that gives out evidence or is away."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@dataclass
class EvidenceServer:
    """Answers by path; a path without an answer is 503. `asked` counts."""

    base: str = ""
    answers: dict[str, bytes | Callable[[bytes], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[EvidenceServer]:
    state = EvidenceServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            state.asked.append(self.path)
            found = state.answers.get(self.path)
            data = found(body) if callable(found) else found
            self.send_response(200 if data is not None else 503)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.base = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield state
        listening.shutdown()
        thread.join(5)


def fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
