"""The register of schools' organisation certificates: asked for by a school, decided by an officer, kept for ever.

Four eyes: whoever asked never decides; nothing is approved that no loaded authority vouches for. Every act leaves a row
in the journal in the same transaction.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from portal.audit import journal
from portal.schools.models import Certificate, School
from portal.schools.vetting import vet
from signing.errors import SigningError
from signing.trust import CertificateFacts, read_certificate


class RegisterRefused(Exception):
    """The act is not allowed as asked; `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@transaction.atomic
def request_certificate(
    *,
    school: School,
    data: bytes,
    now: datetime,
    requested_by: Any | None = None,
    requested_through: str = "",
    message_id: str = "",
    signature_kind: str = "",
    provider: str = "",
) -> Certificate:
    """Hand in a certificate (PEM or DER) for approval. The same one again from the same school is the same row."""
    facts = _read(data)
    known = Certificate.objects.select_for_update().filter(sha256=facts.sha256).first()
    if known is not None:
        return _again(known, school)
    if facts.not_after <= now:
        raise RegisterRefused("CERTIFICATE_EXPIRED", "Chứng thư số đã hết hạn. Hãy đăng ký chứng thư còn hiệu lực.")
    certificate = Certificate.objects.create(
        school=school,
        der=facts.der,
        sha256=facts.sha256,
        serial=facts.serial[:64],
        subject=facts.subject[:500],
        issuer=facts.issuer[:500],
        not_before=facts.not_before,
        not_after=facts.not_after,
        message_id=message_id,
        signature_kind=signature_kind,
        provider=provider,
        requested_by=requested_by,
        requested_at=now,
    )
    _journal("certificate.requested", certificate, requested_by, now, actor_name=requested_through)
    return certificate


@transaction.atomic
def approve(
    *,
    certificate: Certificate,
    decided_by: Any,
    now: datetime,
    approved_from: datetime | None = None,
    approved_until: datetime | None = None,
    reason: str = "",
) -> Certificate:
    """Let a school sign with it from `approved_from` (default: now). Refused unless the vetting finds nothing."""
    row = _to_decide(certificate, decided_by)
    found = vet(row, now=now)
    if found.code:
        raise RegisterRefused(found.code, found.message)
    row.state = Certificate.State.APPROVED
    row.approved_from = approved_from or now
    row.approved_until = approved_until
    return _decided(row, "certificate.approved", decided_by, reason, now)


@transaction.atomic
def decline(*, certificate: Certificate, decided_by: Any, reason: str, now: datetime) -> Certificate:
    row = _to_decide(certificate, decided_by)
    if not reason.strip():
        raise RegisterRefused("REASON_MISSING", "Hãy ghi lý do từ chối để trường biết cần làm gì.")
    row.state = Certificate.State.DECLINED
    return _decided(row, "certificate.declined", decided_by, reason, now)


@transaction.atomic
def withdraw(*, certificate: Certificate, decided_by: Any, reason: str, now: datetime) -> Certificate:
    """Stop a certificate (key lost, term over). What was received before stays as it was judged."""
    row = Certificate.objects.select_for_update().get(pk=certificate.pk)
    if row.state != Certificate.State.APPROVED:
        raise RegisterRefused("NOT_APPROVED", "Chỉ thu hồi được chứng thư đang được dùng.")
    if not reason.strip():
        raise RegisterRefused("REASON_MISSING", "Hãy ghi lý do thu hồi.")
    row.state = Certificate.State.WITHDRAWN
    if row.approved_from is not None and now > row.approved_from:
        row.approved_until = min(now, row.approved_until or now)
    return _decided(row, "certificate.withdrawn", decided_by, reason, now)


def _read(data: bytes) -> CertificateFacts:
    try:
        return read_certificate(data)
    except SigningError as problem:
        raise RegisterRefused(problem.code, problem.message) from None


def _again(known: Certificate, school: School) -> Certificate:
    if known.school_id != school.pk:
        raise RegisterRefused(
            "CERTIFICATE_OF_ANOTHER_SCHOOL", "Chứng thư số này đã được đơn vị khác đăng ký. Hãy kiểm tra lại tệp."
        )
    return known


def _to_decide(certificate: Certificate, decided_by: Any) -> Certificate:
    row = Certificate.objects.select_for_update().get(pk=certificate.pk)
    if row.state != Certificate.State.REQUESTED:
        raise RegisterRefused("ALREADY_DECIDED", "Chứng thư số này đã được quyết định trước đó.")
    if decided_by is None or row.requested_by_id == decided_by.pk:
        raise RegisterRefused("FOUR_EYES", "Người đề nghị không được tự duyệt. Hãy nhờ một cán bộ khác.")
    return row


def _decided(row: Certificate, action: str, decided_by: Any, reason: str, now: datetime) -> Certificate:
    row.decided_by, row.decided_at, row.reason = decided_by, now, reason[:500]
    row.save(update_fields=["state", "approved_from", "approved_until", "decided_by", "decided_at", "reason"])
    _journal(action, row, decided_by, now, reason=reason)
    return row


def _journal(
    action: str, row: Certificate, actor: Any | None, now: datetime, *, actor_name: str = "", reason: str = ""
) -> None:
    journal.record(
        action=action,
        now=now,
        actor=actor,
        actor_name=actor_name,
        subject=("certificate", row.pk),
        school_id=row.school_id,
        reason=reason,
        detail={"serial": row.serial, "sha256": row.sha256},
    )
