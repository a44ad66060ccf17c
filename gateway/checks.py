"""System checks of the gateway: a misconfigured line is found at start, each with a stable id and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from gateway import conf, failpoints


@register("gateway")
def endpoint_description(**_: Any) -> Sequence[CheckMessage]:
    """gateway.E001: the description cannot be read; E002: a file it names is missing; W003: no client certificate."""
    try:
        description = conf.endpoint()
    except conf.EndpointUnreadable as problem:
        if problem.code == "ENDPOINT_FILE_MISSING":
            return [Caution(problem.message, hint=_HINT_MISSING, id="gateway.W001")]
        return [Error(problem.message, hint="Sửa tệp mô tả điểm kết nối rồi khởi động lại.", id="gateway.E001")]
    return [*_missing_files(description), *_weak_line(description)]


@register("gateway")
def failpoints_are_not_armed(**_: Any) -> Sequence[CheckMessage]:
    """gateway.E004: a production process with an armed fail-point."""
    if failpoints.armed() and getattr(settings, "MODE", "") == "production":
        return [Error("Điểm gây lỗi diễn tập đang bật.", hint="Bỏ biến HOCBA_FAILPOINT.", id="gateway.E004")]
    return []


def _missing_files(description: conf.EndpointDescription) -> list[CheckMessage]:
    line, login = description.connection, description.login
    named = {
        "connection.client_certificate": line.client_certificate,
        "connection.client_key": line.client_key,
        "connection.ca": line.ca,
        "login.password_file": login.password_file,
    }
    return [
        Caution(
            f"Tệp {path} ({key}) không có.",
            hint="Điểm kết nối sẽ tạm dừng cho tới khi có tệp. Đặt tệp vào đúng chỗ hoặc sửa tệp mô tả.",
            id="gateway.W002",
        )
        for key, path in named.items()
        if path and not Path(path).is_file()
    ]


def _weak_line(description: conf.EndpointDescription) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if bool(description.connection.client_certificate) != bool(description.connection.client_key):
        found.append(
            Error(
                "Chứng thư và khoá của kết nối phải có cả hai hoặc không có cả hai.",
                hint="Ghi cả connection.client_certificate và connection.client_key.",
                id="gateway.E003",
            )
        )
    if getattr(settings, "MODE", "") == "production" and description.name == "simulator":
        found.append(
            Caution(
                "Cổng đang gửi tới kho mô phỏng, không phải kho của Bộ.",
                hint="Viết tệp mô tả theo gateway/endpoints/production.example.toml.",
                id="gateway.W004",
            )
        )
    return found


_HINT_MISSING = "Đặt HOCBA_ENDPOINT_FILE, hoặc chạy `manage.py up` để tạo tệp cho kho mô phỏng."
