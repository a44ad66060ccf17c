"""Access of schools' software: keys that an administrator hands out, and the short-lived tokens they are exchanged for.

Only digests are stored. The exchange format sends SHA-256 of the password, so what is kept is SHA-256 of that: neither
a dump of the table nor a log line opens the door.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from portal.accounts.models import ApiSession, ApiToken
from portal.audit import journal
from portal.schools.models import School

# Compared against when the name is unknown, so that both answers take the same time.
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class AccessRefused(Exception):
    """Codes: LOGIN_REFUSED, TOKEN_INVALID, TOKEN_EXPIRED, ADDRESS_REFUSED. Says no more than the sender may know."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Issued:
    """A new key: the password is shown once and stored nowhere."""

    token: ApiToken
    password: str


@transaction.atomic
def create_token(
    *,
    school: School,
    created_by: Any | None,
    now: datetime,
    user_name: str = "",
    password: str = "",
    networks: list[str] | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Hand out access for one school's software."""
    secret = password or secrets.token_urlsafe(24)
    token = ApiToken.objects.create(
        school=school,
        vendor=school.vendor,
        user_name=user_name or f"{school.code}-{secrets.token_hex(3)}",
        secret_digest=_digest(password_hash(secret)),
        networks=[str(ipaddress.ip_network(network, strict=False)) for network in networks or []],
        expires_at=expires_at,
        created_at=now,
        created_by=created_by,
    )
    journal.record(
        action="api_token.created", now=now, actor=created_by, subject=("api_token", token.pk), school_id=school.pk,
        detail={"user_name": token.user_name},
    )  # fmt: skip
    return Issued(token, secret)


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Any, reason: str, now: datetime) -> None:
    """Close the door for good, open sessions included."""
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now)
    ApiSession.objects.filter(token=token).delete()
    journal.record(
        action="api_token.revoked", now=now, actor=actor, subject=("api_token", token.pk), school_id=token.school_id,
        reason=reason,
    )  # fmt: skip


def password_hash(password: str) -> str:
    """What the exchange format sends in `password`."""
    return hashlib.sha256(password.encode()).hexdigest()


def check_login(*, user_name: str, password: str, address: str | None, now: datetime) -> ApiToken:
    """The access that this name and password hash open. Raises AccessRefused."""
    token = ApiToken.objects.select_related("school").filter(user_name=user_name).first()
    expected = token.secret_digest if token is not None else _NOBODY
    matches = hmac.compare_digest(expected, _digest(password.strip().lower()))
    if token is None or not matches or not _in_force(token, now):
        raise AccessRefused("LOGIN_REFUSED", "Sai tên truy cập hoặc mật khẩu, hoặc quyền truy cập đã bị thu hồi.")
    _check_address(token, address)
    return token


def open_session(*, token: ApiToken, now: datetime, lifetime: timedelta) -> str:
    """A new short-lived token; the caller gets the only copy."""
    secret = secrets.token_urlsafe(32)
    ApiSession.objects.create(token=token, digest=_digest(secret), created_at=now, expires_at=now + lifetime)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return secret


def check_session(*, secret: str, address: str | None, now: datetime) -> ApiToken:
    """The access behind a short-lived token. Raises AccessRefused."""
    session = ApiSession.objects.select_related("token__school").filter(digest=_digest(secret)).first()
    if session is None or not _in_force(session.token, now):
        raise AccessRefused("TOKEN_INVALID", "Token không hợp lệ. Hãy xin token mới.")
    if session.expires_at <= now:
        raise AccessRefused("TOKEN_EXPIRED", "Token đã hết hạn. Hãy xin token mới.")
    _check_address(session.token, address)
    return session.token


def remove_expired_sessions(*, now: datetime) -> int:
    return ApiSession.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def _in_force(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def _check_address(token: ApiToken, address: str | None) -> None:
    if not token.networks:
        return
    own = ipaddress.ip_address(address) if address else None
    if own is None or not any(own in ipaddress.ip_network(network) for network in token.networks):
        raise AccessRefused("ADDRESS_REFUSED", "Địa chỉ mạng này không nằm trong danh sách được phép của trường.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
