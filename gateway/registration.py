"""What the department registers with the Ministry: the printable sheet for the line, and sealing certificates (type 3).

The sheet holds facts only, no secret. A certificate goes through the same outbox as everything else, and its approval
(type 4) comes back as the verdict of its one item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from gateway import outbox
from gateway.conf import EndpointDescription
from gateway.models import Endpoint, Item
from gateway.states import SubmissionKind, Verdict
from signing.errors import SigningError
from signing.trust import read_certificate

_FIRST_MONTH: Final = 8
_CONNECTION: Final = "Chứng thư kết nối của Sở"
_SEAL: Final = "Chứng thư ký số của Sở"
_CA: Final = "CA của Bộ đã ghim"


class RegistrationRefused(Exception):
    """This certificate is not sent. Code: CERTIFICATE_UNREADABLE, CERTIFICATE_EXPIRED, KIND_UNKNOWN, PROVIDER_UNKNOWN,
    ALREADY_REGISTERED."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class SheetCertificate:
    """One certificate on the sheet."""

    title: str
    subject: str
    issuer: str
    serial: str
    sha256: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed and signed."""

    made_at: datetime
    endpoint: str
    base_url: str
    unit_code: str
    user_name: str
    source_address: str
    registered_address: str
    proxy: str
    certificate_subject: str
    certificate_serial: str
    certificate_sha256: str
    certificate_until: datetime | None
    certificates: tuple[SheetCertificate, ...]  # the connection's, the department's seal, the Ministry's pinned CA
    missing: tuple[str, ...]  # titles of those that are declared and cannot be read
    our_contact: str
    their_contact: str


def sheet(description: EndpointDescription, *, now: datetime) -> Sheet:
    """The sheet for this endpoint."""
    line, about = description.connection, description.endpoint
    wanted: dict[str, Callable[[], bytes]] = {}
    if line.client_certificate:
        wanted[_CONNECTION] = Path(line.client_certificate).read_bytes
    if getattr(settings, "GATEWAY_SEAL_CERTIFICATE", ""):
        wanted[_SEAL] = import_string(settings.GATEWAY_SEAL_CERTIFICATE)
    if line.ca:
        wanted[_CA] = Path(line.ca).read_bytes
    found = {title: _on_sheet(title, read) for title, read in wanted.items()}
    own = found.get(_CONNECTION)
    return Sheet(
        made_at=now,
        endpoint=about.title,
        base_url=about.base_url,
        unit_code=about.unit_code,
        user_name=description.login.user_name,
        source_address=line.source_address,
        registered_address=line.registered_address or line.source_address,
        proxy=line.proxy,
        certificate_subject=own.subject if own else "",
        certificate_serial=own.serial if own else "",
        certificate_sha256=own.sha256 if own else "",
        certificate_until=own.until if own else None,
        certificates=tuple(one for one in found.values() if one is not None),
        missing=tuple(title for title, one in found.items() if one is None),
        our_contact=about.our_contact,
        their_contact=about.contact,
    )


def _on_sheet(title: str, read: Callable[[], bytes]) -> SheetCertificate | None:
    """One certificate; None when it cannot be read, which the sheet says by its title."""
    try:
        facts = read_certificate(read())
    except (OSError, SigningError):
        return None
    return SheetCertificate(
        title, str(facts.subject), str(facts.issuer), facts.serial, facts.sha256, facts.not_before, facts.not_after
    )


def sheet_rows(found: Sheet) -> list[tuple[str, str]]:
    """The sheet as labelled lines for a terminal, in Vietnamese."""
    zone = timezone.get_current_timezone()
    rows = [
        ("Phiếu lập lúc", f"{found.made_at.astimezone(zone):%d/%m/%Y %H:%M}"),
        ("Hệ thống", found.endpoint),
        ("Địa chỉ dịch vụ của Bộ", found.base_url),
        ("Mã đơn vị gửi", found.unit_code),
        ("Tên đăng nhập", found.user_name),
        ("Địa chỉ IP đi ra", found.source_address or "theo tuyến mặc định của máy"),
        ("Địa chỉ IP đăng ký với Bộ", found.registered_address or "CHƯA KHAI (connection.registered_address)"),
        ("Máy chủ trung gian", found.proxy or "không dùng"),
    ]
    for one in found.certificates:
        rows += [
            (one.title, one.subject),
            ("  Nơi cấp", one.issuer),
            ("  Số sê-ri", one.serial),
            ("  Hiệu lực", f"{one.since.astimezone(zone):%d/%m/%Y} – {one.until.astimezone(zone):%d/%m/%Y}"),
            ("  Dấu vết SHA-256", " ".join(one.sha256[i : i + 4].upper() for i in range(0, len(one.sha256), 4))),
        ]
    rows += [(title, "KHÔNG ĐỌC ĐƯỢC; chạy «endpoint check»") for title in found.missing]
    return [*rows, ("Đầu mối của Sở", found.our_contact), ("Đầu mối của Bộ", found.their_contact)]


def register_certificate(
    description: EndpointDescription,
    certificate: bytes,
    *,
    kind: str,
    provider: str,
    now: datetime,
    unit_code: str = "",
) -> UUID:
    """Put a sealing certificate on its way to the Ministry (type 3). Raises RegistrationRefused."""
    try:
        facts = read_certificate(certificate)
    except SigningError:
        raise RegistrationRefused("CERTIFICATE_UNREADABLE", "Tệp không phải chứng thư X.509 (PEM hoặc DER).") from None
    if facts.not_after <= now:
        raise RegistrationRefused("CERTIFICATE_EXPIRED", f"Chứng thư đã hết hạn ngày {facts.not_after:%d/%m/%Y}.")
    catalogues = Endpoint.objects.filter(name=description.name).values_list("catalogues", flat=True).first() or {}
    _known(catalogues, "signature_kinds", kind, "KIND_UNKNOWN", "kiểu chữ ký")
    _known(catalogues, "certificate_providers", provider, "PROVIDER_UNKNOWN", "nhà phát hành")
    unit, digest = unit_code or description.unit_code, hashlib.sha256(facts.der).digest()
    same = Item.objects.filter(
        submission__kind=SubmissionKind.CERTIFICATE, submission__unit_code=unit, key=facts.serial, digest=digest
    )
    if same.exclude(verdict=Verdict.REJECTED).exists():
        raise RegistrationRefused("ALREADY_REGISTERED", "Chứng thư này đã được gửi đăng ký; xem kết quả ở hàng đợi.")
    submission_id = uuid4()
    with transaction.atomic():
        outbox.enqueue(
            submission_id=submission_id,
            kind=SubmissionKind.CERTIFICATE,
            unit_code=unit,
            school_year=school_year_of(now),
            document=facts.der,
            items=[outbox.NewItem(facts.serial, digest)],
            now=now,
            details={
                "serial_number": facts.serial,
                "ngay_hieu_luc": facts.not_before.date().isoformat(),
                "ma_kieu_chu_ky": kind,
                "nha_phat_hanh": provider,
            },
        )
    return submission_id


def school_year_of(now: datetime) -> int:
    """The first year of the school year that a day lies in; it begins in August."""
    return now.year if now.month >= _FIRST_MONTH else now.year - 1


def _known(catalogues: Mapping[str, Any], name: str, code: str, refusal: str, what: str) -> None:
    """Held against the Ministry's own catalogue, once we have read it."""
    codes = [str(entry.get("ma", "")) for entry in catalogues.get(name, [])]
    if codes and code not in codes:
        raise RegistrationRefused(refusal, f"Mã {what} “{code}” không có trong danh mục của Bộ ({', '.join(codes)}).")
