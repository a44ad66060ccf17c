"""The connection doctor: walks the line to the Ministry step by step and says what is wrong, why, and who to call.

Order: files → name → route and source address → TCP → TLS → client certificate → clock → address as the other side sees
it → token → harmless call. A step that needs an earlier one is not run after that one failed. Changes nothing, sends
no package; used by `manage.py endpoint check` and by the page.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.ministry.errors import CAUSES, LinkRefused, MinistryError

Outcome = Literal["OK", "WARNING", "FAILED", "NOT_RUN"]

_WE = "Quản trị hệ thống của Sở"
_NETWORK = "Bộ phận mạng của Sở hoặc nhà cung cấp đường truyền"
_MINISTRY = "Đầu mối kỹ thuật của Bộ"


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was looked at, what came out, the likely cause and who can remove it."""

    step: str
    title: str
    outcome: Outcome
    detail: str
    cause: str = ""
    call: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "step": self.step,
            "title": self.title,
            "outcome": self.outcome,
            "detail": self.detail,
            "cause": self.cause,
            "call": self.call,
        }


@dataclass
class _Visit:
    """What one examination knows so far."""

    description: EndpointDescription
    client: MinistryClient
    now: datetime
    host: str
    port: int
    addresses: list[str] = field(default_factory=list)


class _Trouble(Exception):
    def __init__(self, detail: str, cause: str, call: str) -> None:
        super().__init__(detail)
        self.detail, self.cause, self.call = detail, cause, call


class _Doubt(_Trouble):
    """Worth telling, but the line may still work."""


def examine(description: EndpointDescription, *, now: datetime, client: MinistryClient | None = None) -> list[Finding]:
    """All steps in order, each with its finding."""
    parts = urlsplit(description.endpoint.base_url)
    visit = _Visit(description, client or MinistryClient(description), now, parts.hostname or "", parts.port or 443)
    findings: list[Finding] = []
    blocked = False
    for step, title, look, essential in _STEPS:
        if blocked:
            findings.append(Finding(step, title, "NOT_RUN", "Chưa kiểm tra vì bước trước chưa đạt."))
            continue
        finding = _look(step, title, look, visit)
        findings.append(finding)
        blocked = essential and finding.outcome == "FAILED"
    return findings


def healthy(findings: list[Finding]) -> bool:
    """Whether every step passed, warnings apart."""
    return all(finding.outcome in ("OK", "WARNING") for finding in findings)


def _look(step: str, title: str, look: Callable[[_Visit], str], visit: _Visit) -> Finding:
    try:
        return Finding(step, title, "OK", look(visit))
    except _Doubt as doubt:
        return Finding(step, title, "WARNING", doubt.detail, doubt.cause, doubt.call)
    except _Trouble as trouble:
        return Finding(step, title, "FAILED", trouble.detail, trouble.cause, trouble.call)
    except MinistryError as problem:
        call = _MINISTRY if isinstance(problem, LinkRefused) else _NETWORK
        return Finding(step, title, "FAILED", problem.message, CAUSES.get(problem.code, problem.message), call)


def _files(visit: _Visit) -> str:
    line, login = visit.description.connection, visit.description.login
    named = [line.client_certificate, line.client_key, line.ca, login.password_file]
    missing = [path for path in named if path and not Path(path).is_file()]
    if missing:
        raise _Trouble(
            f"Không có tệp: {', '.join(missing)}.", "Tệp chưa được đặt vào máy hoặc đường dẫn trong tệp mô tả sai.", _WE
        )
    if not line.ca:
        raise _Doubt("Chưa ghim CA của Bộ (connection.ca).", "Bất kỳ CA công cộng nào cũng được tin.", _WE)
    return "Đủ các tệp đã khai."


def _dns(visit: _Visit) -> str:
    try:
        found = socket.getaddrinfo(visit.host, visit.port, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise _Trouble(
            f"Không phân giải được tên {visit.host}: {problem.strerror}.",
            "Máy chủ DNS không trả lời, hoặc tên máy chủ trong tệp mô tả sai.",
            _NETWORK,
        ) from None
    visit.addresses = sorted({str(entry[4][0]) for entry in found})
    return f"{visit.host} → {', '.join(visit.addresses)}"


def _route(visit: _Visit) -> str:
    wanted = visit.description.connection.source_address
    family = socket.AF_INET6 if ":" in visit.addresses[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            if wanted:
                probe.bind((wanted, 0))
            probe.connect((visit.addresses[0], visit.port))
        except OSError as problem:
            raise _Trouble(
                f"Không đi được từ địa chỉ {wanted or '(tự chọn)'}: {problem.strerror}.",
                "Máy không có địa chỉ nguồn đã khai, hoặc không có đường đi tới máy chủ của Bộ.",
                _NETWORK,
            ) from None
        source = str(probe.getsockname()[0])
    return f"Đi từ địa chỉ {source}" + (" (đúng địa chỉ đã khai)." if wanted else ".")


def _connected(visit: _Visit) -> socket.socket:
    line = visit.description.connection
    source = (line.source_address, 0) if line.source_address else None
    return socket.create_connection((visit.host, visit.port), line.connect_timeout, source_address=source)


def _tcp(visit: _Visit) -> str:
    if visit.description.connection.proxy:
        return f"Đi qua proxy {visit.description.connection.proxy}; không nối thẳng."
    try:
        _connected(visit).close()
    except OSError as problem:
        refused = isinstance(problem, ConnectionRefusedError)
        raise _Trouble(
            f"Không nối được TCP tới {visit.host}:{visit.port} ({problem}).",
            "Máy chủ của Bộ đang tắt dịch vụ hoặc chặn địa chỉ của ta."
            if refused
            else "Tường lửa chặn, hoặc địa chỉ IP của ta chưa được Bộ cho phép.",
            _MINISTRY if refused else f"{_NETWORK}; rồi {_MINISTRY.lower()}",
        ) from None
    return f"Nối được TCP tới {visit.host}:{visit.port}."


def _tls(visit: _Visit) -> str:
    line = visit.description.connection
    if line.proxy:
        return "Đi qua proxy; TLS được kiểm ở bước gọi thử."
    context = ssl.create_default_context(cafile=line.ca or None)
    if line.client_certificate:
        try:
            context.load_cert_chain(line.client_certificate, line.client_key)
        except (OSError, ssl.SSLError) as problem:
            cause = "Khoá không khớp chứng thư, hoặc tệp không phải PEM."
            raise _Trouble(f"Không dùng được chứng thư kết nối: {problem}.", cause, _WE) from None
    try:
        with (
            _connected(visit) as plain,
            context.wrap_socket(plain, server_hostname=line.server_name or visit.host) as tls,
        ):
            return f"TLS {tls.version()}, chứng thư máy chủ hợp lệ và đúng tên."
    except ssl.SSLCertVerificationError as problem:
        raise _Trouble(
            f"Chứng thư máy chủ không đạt: {problem.verify_message}.",
            "Bộ đã đổi chứng thư hoặc CA; hoặc có thiết bị chen giữa đường truyền.",
            _MINISTRY,
        ) from None
    except OSError as problem:
        raise _Trouble(
            f"Bắt tay TLS không thành: {problem}.",
            "Bộ từ chối chứng thư của ta, hoặc thiết bị giữa đường cắt.",
            _MINISTRY,
        ) from None


def _certificate(visit: _Visit) -> str:
    from signing.trust import read_certificate

    path = visit.description.connection.client_certificate
    if not path:
        raise _Doubt("Không dùng chứng thư kết nối (mTLS).", "Bộ có thể không đòi; nếu đòi thì phải khai.", _WE)
    facts = read_certificate(Path(path).read_bytes())
    left = (facts.not_after - visit.now).days
    text = f"{facts.subject}, còn {left} ngày (đến {facts.not_after:%d/%m/%Y}), dấu vết SHA-256 {facts.sha256}."
    if left < 0:
        raise _Trouble(text, "Chứng thư kết nối đã hết hạn.", f"{_WE}; đăng ký chứng thư mới với {_MINISTRY.lower()}")
    if left <= 30:
        raise _Doubt(text, "Chứng thư kết nối sắp hết hạn; xin gia hạn ngay.", _WE)
    return text


def _clock(visit: _Visit) -> str:
    answer = visit.client.link.call("GET", "/")
    difference = answer.clock_difference(time.time())
    if difference is None:
        raise _Doubt("Máy chủ của Bộ không cho biết giờ.", "Không so được đồng hồ.", _WE)
    text = f"Đồng hồ của Bộ lệch {difference:+.0f} giây so với máy này."
    if abs(difference) > 60:
        raise _Doubt(text, "Đồng hồ máy này (hoặc của Bộ) sai; bật đồng bộ giờ NTP.", _WE)
    return text


def _address(visit: _Visit) -> str:
    wanted = visit.description.connection.registered_address
    seen = visit.client.address_seen()
    if not seen:
        hint = "Bộ không có dịch vụ cho biết; nếu bước gọi thử đạt thì địa chỉ được chấp nhận."
        raise _Doubt("Không biết địa chỉ mà Bộ nhìn thấy.", hint, _MINISTRY)
    if wanted and seen != wanted:
        raise _Trouble(
            f"Bộ nhìn thấy ta từ {seen}, trong khi địa chỉ đã đăng ký là {wanted}.",
            "Đường truyền đi ra bằng địa chỉ khác (đổi nhà mạng, NAT, VPN rớt).",
            _NETWORK,
        )
    return f"Bộ nhìn thấy ta từ {seen}."


def _token(visit: _Visit) -> str:
    token = visit.client.fresh_token()
    left = int((token.expires_at - datetime.now(UTC)).total_seconds())
    return f"Đăng nhập được; mã phiên sống {left} giây."


def _call(visit: _Visit) -> str:
    started = time.monotonic()
    visit.client.probe()
    return f"Gọi thử dịch vụ danh mục đạt, {1000 * (time.monotonic() - started):.0f} ms."


# step, title, what to do, whether the later steps need it
_STEPS: tuple[tuple[str, str, Callable[[_Visit], str], bool], ...] = (
    ("FILES", "Tệp cấu hình", _files, True),
    ("DNS", "Tên máy chủ", _dns, True),
    ("ROUTE", "Đường đi và địa chỉ nguồn", _route, True),
    ("TCP", "Nối TCP", _tcp, True),
    ("TLS", "TLS và chứng thư của Bộ", _tls, True),
    ("CERTIFICATE", "Chứng thư kết nối của Sở", _certificate, False),
    ("CLOCK", "Đồng hồ", _clock, False),
    ("ADDRESS", "Địa chỉ Bộ nhìn thấy", _address, False),
    ("TOKEN", "Đăng nhập, mã phiên", _token, True),
    ("CALL", "Gọi thử", _call, True),
)
