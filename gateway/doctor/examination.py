"""The examination itself: which steps in which order, and what becomes of a step's trouble. Knows no step's inside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from gateway.conf import EndpointDescription
from gateway.doctor import causes, conversation, line
from gateway.doctor.finding import Doubt, Finding, Trouble, Visit
from gateway.ministry.client import MinistryClient
from gateway.ministry.errors import MinistryError

# step, title, what to do, whether the later steps need it
_STEPS: tuple[tuple[str, str, Callable[[Visit], str], bool], ...] = (
    ("FILES", "Tệp cấu hình", line.files, True),
    ("CERTIFICATE", "Chứng thư kết nối của Sở", line.certificate, False),
    ("DNS", "Tên máy chủ", line.name, True),
    ("ROUTE", "Đường đi và địa chỉ nguồn", line.route, True),
    ("TCP", "Nối TCP", line.tcp, True),
    ("TLS", "TLS và chứng thư của Bộ", line.tls, True),
    ("CLOCK", "Đồng hồ", conversation.clock, False),
    ("ADDRESS", "Địa chỉ Bộ nhìn thấy", conversation.address, False),
    ("TOKEN", "Đăng nhập, mã phiên", conversation.token, True),
    ("CALL", "Gọi thử", conversation.call, True),
    ("QUESTION", "Hỏi thử", conversation.question, False),
)


def examine(description: EndpointDescription, *, now: datetime, client: MinistryClient | None = None) -> list[Finding]:
    """All steps in order, each with its finding."""
    server = urlsplit(description.endpoint.base_url)
    first = urlsplit(description.connection.proxy) if description.connection.proxy else server
    visit = Visit(
        description=description,
        client=client or MinistryClient(description),
        now=now,
        host=first.hostname or "",
        port=first.port or (443 if first is server else 3128),
        server=server.hostname or "",
        server_port=server.port or 443,
    )
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


def _look(step: str, title: str, look: Callable[[Visit], str], visit: Visit) -> Finding:
    try:
        return Finding(step, title, "OK", look(visit))
    except Doubt as doubt:
        return Finding(step, title, "WARNING", doubt.detail, doubt.cause, doubt.call)
    except Trouble as trouble:
        return Finding(step, title, "FAILED", trouble.detail, trouble.cause, trouble.call)
    except MinistryError as problem:
        detail, cause, call = causes.of_ministry(problem)
        return Finding(step, title, "FAILED", detail, cause, call)
