"""What the department registers with the Ministry: the printable sheet for the line, and sealing certificates (type 3).

The sheet holds facts only, no secret. A certificate goes through the same outbox as everything else, and its approval
(type 4) comes back as the verdict of its one item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction

from gateway import outbox
from gateway.conf import EndpointDescription
from gateway.models import Endpoint, Item
from gateway.states import SubmissionKind, Verdict
from signing.errors import SigningError
from signing.trust import read_certificate

_FIRST_MONTH: Final = 8


class RegistrationRefused(Exception):
    """This certificate is not sent. Code: CERTIFICATE_UNREADABLE, CERTIFICATE_EXPIRED, KIND_UNKNOWN, PROVIDER_UNKNOWN,
    ALREADY_REGISTERED."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed and signed."""

    made_at: datetime
    endpoint: str
    base_url: str
    unit_code: str
    source_address: str
    registered_address: str
    certificate_subject: str
    certificate_serial: str
    certificate_sha256: str
    certificate_until: datetime | None
    our_contact: str
    their_contact: str


def sheet(description: EndpointDescription, *, now: datetime) -> Sheet:
    """The sheet for this endpoint."""
    line, about = description.connection, description.endpoint
    path = Path(line.client_certificate) if line.client_certificate else None
    facts = read_certificate(path.read_bytes()) if path and path.is_file() else None
    return Sheet(
        made_at=now,
        endpoint=about.title,
        base_url=about.base_url,
        unit_code=about.unit_code,
        source_address=line.source_address,
        registered_address=line.registered_address or line.source_address,
        certificate_subject=str(facts.subject) if facts else "",
        certificate_serial=facts.serial if facts else "",
        certificate_sha256=facts.sha256 if facts else "",
        certificate_until=facts.not_after if facts else None,
        our_contact=about.our_contact,
        their_contact=about.contact,
    )


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
