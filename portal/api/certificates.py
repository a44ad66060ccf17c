"""Transactions 3 and 4: a school's software asks for approval of a certificate, and what became of it.

The answer to 3 says *received*; an officer decides on the department's page.
"""

import base64
import binascii
import re

from gateway.exchange.messages import CertificateAnswer, CertificateQuery, CertificateReceipt, CertificateRequest, Type
from portal.api.exchange import Caller, asking_school, authenticated, unknown_message
from portal.api.refusals import DoorRefused
from portal.schools.models import Certificate
from portal.schools.register import request_certificate
from signing.errors import SigningError
from signing.trust import read_certificate


def register(value: object, caller: Caller) -> dict[str, object]:
    """Type 3. `content` is the certificate: PEM, or Base64 of its DER."""
    asked = CertificateRequest.from_json(value)
    token = authenticated(asked.authentication, Type.REGISTER_CERTIFICATE, caller)
    message_id = asked.authentication.message_id
    data = _certificate(asked.content)
    _check_same(message_id, token.school_id, data)
    _check_serial(asked.serial_number, data)
    request_certificate(
        school=token.school,
        data=data,
        now=caller.now,
        requested_through=token.user_name,
        message_id=message_id,
        signature_kind=asked.signature_kind[:30],
        provider=asked.provider[:30],
    )
    return CertificateReceipt(message_id).to_json()


def query(value: object, caller: Caller) -> dict[str, object]:
    """Type 4: 1 approved, 0 refused or withdrawn, absent while nobody has decided."""
    asked = CertificateQuery.from_json(value)
    school = asking_school(caller, asked.unit_code)
    row = Certificate.objects.filter(school=school, message_id=asked.message_id).first()
    if row is None:
        raise unknown_message()
    approved = None if row.state == Certificate.State.REQUESTED else row.state == Certificate.State.APPROVED
    code = "" if approved is not False else f"CERTIFICATE_{row.state}"
    return CertificateAnswer(
        asked.message_id, school.code, row.serial, approved, error=code, error_description=row.reason if code else ""
    ).to_json()


def _certificate(content: str) -> bytes:
    if not content.strip():
        raise DoorRefused("CONTENT_MISSING", "Thiếu chứng thư số trong content (PEM, hoặc Base64 của DER).")
    if "-----BEGIN" in content:
        return content.encode()
    try:
        return base64.b64decode(re.sub(r"\s+", "", content), validate=True)
    except (binascii.Error, ValueError):
        raise DoorRefused("CONTENT_NOT_BASE64", "Trường content không phải Base64 hợp lệ.") from None


def _check_same(message_id: str, school_id: int, data: bytes) -> None:
    """The same id stands for the same certificate, for ever."""
    earlier = Certificate.objects.filter(school_id=school_id, message_id=message_id).first()
    if earlier is not None and earlier.sha256 != _facts_sha256(data):
        raise DoorRefused("MESSAGE_ID_REUSED", "Mã giao dịch này đã dùng cho một chứng thư khác.", 409)


def _check_serial(said: str, data: bytes) -> None:
    found = read_certificate(data).serial
    if _digits(said) not in {_digits(found), str(int(found, 16))}:
        raise DoorRefused("SERIAL_DIFFERS", "serial_number khác số sê-ri trong chứng thư. Hãy kiểm tra lại.")


def _digits(serial: str) -> str:
    return re.sub(r"[^0-9a-f]", "", serial.lower()).lstrip("0")


def _facts_sha256(data: bytes) -> str:
    try:
        return read_certificate(data).sha256
    except SigningError as problem:
        raise DoorRefused(problem.code, problem.message) from None
