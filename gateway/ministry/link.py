"""One HTTPS call to the Ministry: bytes out, status and bytes back, or an error whose class says what it proves.

Decides only what the *line* proves (did anything leave, was the line refused, is the answer complete and small enough);
what an answer says is `client`'s business. No redirects, no environment, one session per process, a deadline for all.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from gateway import failpoints
from gateway.conf import EndpointDescription
from gateway.ministry.errors import CAUSES, FateUnknown, LinkRefused, MinistryError, NotSent
from gateway.ministry.transport import Watch, open_session, watched

# Alerts with which a TLS peer refuses our certificate; under TLS 1.3 they arrive after our handshake is over.
_CERTIFICATE_ALERTS: Final = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNKNOWN_CA",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNSUPPORTED_CERTIFICATE",
    "ACCESS_DENIED",
    "ALERT_HANDSHAKE_FAILURE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
)
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, whatever it says."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    local_address: str

    @property
    def retry_after(self) -> str | None:
        return self.headers.get("retry-after")

    def clock_difference(self, our_epoch: float) -> float | None:
        """Seconds by which the other side's clock is ahead of ours, by its Date header."""
        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp() - our_epoch
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


class Link:
    """The line of one process. Safe for threads: each has its own session."""

    def __init__(self, description: EndpointDescription) -> None:
        self.description = description
        self._line = description.connection
        self._sessions = threading.local()
        self._base = description.endpoint.base_url.rstrip("/")

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        not_after: float | None = None,
    ) -> Answer:
        """One call, which does not begin after `not_after` (monotonic). Raises NotSent, FateUnknown or LinkRefused."""
        limit = max_bytes or self._line.max_answer_bytes
        sent = dict(headers or {}) | ({"Content-Type": "application/json; charset=utf-8"} if body is not None else {})
        with watched(self._line.total_timeout, not_after=not_after) as watch:
            try:
                with self._session().request(
                    method,
                    self._base + path,
                    data=body,
                    headers=sent,
                    timeout=(self._line.connect_timeout, self._line.read_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    content = _read(response, limit, watch)
                    answer = Answer(
                        response.status_code,
                        content,
                        {name.lower(): value for name, value in response.headers.items()},
                        watch.local_address,
                    )
            except MinistryError:
                self.forget_session()
                raise
            except (OSError, requests.RequestException, urllib3.exceptions.HTTPError) as problem:
                self.forget_session()
                raise _explain(problem, watch, self._base) from problem
        failpoints.reach("P14")
        return answer

    def forget_session(self) -> None:
        """Close this thread's connections; the next call opens new ones (and reads the certificate files anew)."""
        held = getattr(self._sessions, "held", None)
        if held is not None:
            held[1].close()
            self._sessions.held = None

    def _session(self) -> requests.Session:
        stamp = self._files_stamp()
        held: tuple[tuple[float, ...], requests.Session] | None = getattr(self._sessions, "held", None)
        if held is not None and held[0] == stamp:
            return held[1]
        self.forget_session()
        session = open_session(self._line)
        self._sessions.held = (stamp, session)
        return session

    def _files_stamp(self) -> tuple[float, ...]:
        """Changes when a certificate is rotated on disk; a file that cannot be read is the line's trouble."""
        paths = (self._line.client_certificate, self._line.client_key, self._line.ca)
        try:
            return tuple(Path(path).stat().st_mtime for path in paths if path)
        except OSError:
            raise LinkRefused("CLIENT_FILES", CAUSES["CLIENT_FILES"]) from None


def _read(response: requests.Response, limit: int, watch: Watch) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FateUnknown("ANSWER_ENCODED", "Câu trả lời bị nén dù ta không xin.", status=response.status_code)
    parts: list[bytes] = []
    size = 0
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        size += len(chunk)
        if size > limit:
            raise FateUnknown("ANSWER_TOO_BIG", f"Câu trả lời dài quá {limit} byte.", status=response.status_code)
        parts.append(chunk)
    if watch.expired:
        raise FateUnknown("TIMEOUT", "Câu trả lời tới chậm quá hạn chung.", status=response.status_code)
    return b"".join(parts)


def _explain(problem: Exception, watch: Watch, base: str) -> MinistryError:  # noqa: PLR0911 - one table
    """From an exception of the HTTP library to what it proves."""
    chain = list(_causes(problem))
    host = urlsplit(base).netloc
    refusal = _tls_refusal(chain)
    if refusal is not None:
        return refusal
    if watch.body_started:
        if watch.expired or any(isinstance(one, requests.Timeout | TimeoutError) for one in chain):
            return FateUnknown("TIMEOUT", "Quá hạn chờ trả lời; có thể Bộ đã nhận.")
        return FateUnknown("CONNECTION_CUT", "Kết nối bị cắt giữa chừng; có thể Bộ đã nhận.")
    if any(isinstance(one, urllib3.exceptions.NameResolutionError) for one in chain):
        return NotSent("DNS", f"Không phân giải được tên máy chủ {host}.")
    if any(isinstance(one, ssl.SSLError | urllib3.exceptions.SSLError) for one in chain):
        return NotSent("TLS", f"Bắt tay TLS với {host} không thành.")
    if watch.expired or any(isinstance(one, requests.Timeout | TimeoutError) for one in chain):
        return NotSent("CONNECT_TIMEOUT", f"Quá hạn nối tới {host}.")
    if any(isinstance(one, urllib3.exceptions.ProxyError | requests.exceptions.ProxyError) for one in chain):
        return NotSent("PROXY", "Máy chủ trung gian (proxy) không nối được tới Bộ.")
    if any(isinstance(one, OSError) and one.errno == 99 for one in chain):
        return NotSent("SOURCE_ADDRESS", "Máy này không có địa chỉ nguồn đã khai (source_address).")
    return NotSent("TCP", f"Không nối được tới {host}.")


def _tls_refusal(chain: list[BaseException]) -> LinkRefused | None:
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return LinkRefused("SERVER_CERTIFICATE", f"{CAUSES['SERVER_CERTIFICATE']} ({one.verify_message})")
        text = str(one).upper()
        # An authenticated alert: the peer broke off the handshake, so it cannot have taken the request.
        if isinstance(one, ssl.SSLError) and any(alert in text for alert in _CERTIFICATE_ALERTS):
            return LinkRefused("CERTIFICATE_REFUSED", CAUSES["CERTIFICATE_REFUSED"])
        if isinstance(one, ssl.SSLError) and (
            "KEY_VALUES_MISMATCH" in text or "PEM" in text or "NO_START_LINE" in text
        ):
            return LinkRefused("CLIENT_FILES", CAUSES["CLIENT_FILES"])
    return None


def _causes(problem: BaseException) -> list[BaseException]:
    """The exception with everything it wraps: urllib3 hides the reason in `reason`, `args` or `__context__`."""
    found: list[BaseException] = []
    waiting: list[object] = [problem]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or one in found or len(found) > 20:
            continue
        found.append(one)
        waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return found
