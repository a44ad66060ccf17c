"""Accounts of people: made, closed and opened again by an administrator, every act kept in the journal.

A password given here is known for one showing and must be changed at the first sign-in. Closing an account throws its
password away, which ends every open session at once; nothing is ever deleted.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from portal.accounts.models import Membership, User
from portal.audit import journal
from portal.schools.models import School

# Read aloud over the telephone: without the signs that look alike.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _SIGNS_A_GROUP = 4, 4


class AccountRefused(Exception):
    """Codes: NAME_MALFORMED, NAME_TAKEN, NAME_MISSING, SCHOOL_MISSING, SCHOOL_NOT_WANTED, OWN_ACCOUNT, CLOSED,
    NOT_CLOSED, REASON_MISSING."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Given:
    """An account and the password to hand over: shown once, stored nowhere."""

    user: User
    password: str


@transaction.atomic
def create(
    *, user_name: str, full_name: str, role: str, school: School | None, by: User, now: datetime,
    address: str | None = None,
) -> Given:  # fmt: skip
    """A new account with one membership."""
    name = user_name.strip().lower()
    _check(name, full_name, role, school)
    password = one_time_password()
    user = User(username=name, full_name=full_name.strip(), must_change_password=True)
    user.set_password(password)
    user.save()
    Membership.objects.create(user=user, role=role, school=school)
    _journal("account.created", user, by, now, address, school=school, detail={"user_name": name, "role": role})
    return Given(user, password)


@transaction.atomic
def close(*, user: User, by: User, reason: str, now: datetime, address: str | None = None) -> None:
    """Nobody signs in with it any more, and whoever is signed in with it is not."""
    row = _locked(user, by)
    if not row.is_active:
        raise AccountRefused("CLOSED", "Tài khoản này đã bị khóa từ trước.")
    _require(reason)
    row.is_active = False
    row.set_unusable_password()
    row.save(update_fields=["is_active", "password"])
    _journal("account.closed", row, by, now, address, reason=reason)


@transaction.atomic
def reopen(*, user: User, by: User, reason: str, now: datetime, address: str | None = None) -> Given:
    """A closed account works again, with a new password; former sessions stay ended."""
    row = _locked(user, by)
    if row.is_active:
        raise AccountRefused("NOT_CLOSED", "Tài khoản này đang mở.")
    _require(reason)
    row.is_active = True
    return _given(row, "account.reopened", by, reason, now, address)


@transaction.atomic
def give_password(*, user: User, by: User, reason: str, now: datetime, address: str | None = None) -> Given:
    """A new password for somebody who forgot theirs; sessions under the old one end."""
    row = _locked(user, by)
    if not row.is_active:
        raise AccountRefused("CLOSED", "Tài khoản đang bị khóa. Hãy mở lại tài khoản.")
    _require(reason)
    return _given(row, "account.password_given", by, reason, now, address)


def one_time_password() -> str:
    """About 79 bits, in four groups."""
    return "-".join("".join(secrets.choice(_SIGNS) for _ in range(_SIGNS_A_GROUP)) for _ in range(_GROUPS))


def _given(row: User, action: str, by: User, reason: str, now: datetime, address: str | None) -> Given:  # noqa: PLR0917
    password = one_time_password()
    row.set_password(password)
    row.must_change_password = True
    row.save(update_fields=["is_active", "password", "must_change_password"])
    _journal(action, row, by, now, address, reason=reason)
    return Given(row, password)


def _check(name: str, full_name: str, role: str, school: School | None) -> None:
    try:
        User.username_validator(name)
    except ValidationError:
        message = "Tên đăng nhập chỉ gồm chữ, số và các dấu @ . + - _"
        raise AccountRefused("NAME_MALFORMED", message) from None
    if not full_name.strip():
        raise AccountRefused("NAME_MISSING", "Hãy ghi họ và tên người dùng.")
    if role in Membership.SCHOOL_ROLES and school is None:
        raise AccountRefused("SCHOOL_MISSING", "Vai trò của trường cần mã một trường đang hoạt động.")
    if role in Membership.DEPARTMENT_ROLES and school is not None:
        raise AccountRefused("SCHOOL_NOT_WANTED", "Vai trò của Sở không gắn với một trường.")
    if User.objects.filter(username__iexact=name).exists():
        raise AccountRefused("NAME_TAKEN", "Tên đăng nhập này đã có người dùng.")


def _locked(user: User, by: User) -> User:
    if user.pk == by.pk:
        raise AccountRefused("OWN_ACCOUNT", "Không tự khóa hay tự cấp mật khẩu cho tài khoản của chính mình.")
    return User.objects.select_for_update().get(pk=user.pk)


def _require(reason: str) -> None:
    if len(reason.strip()) < 5:
        raise AccountRefused("REASON_MISSING", "Hãy ghi lý do (ít nhất 5 ký tự).")


def _journal(
    action: str, row: User, by: User, now: datetime, address: str | None, *,
    school: School | None = None, reason: str = "", detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    journal.record(
        action=action, now=now, actor=by, subject=("user", row.pk), school_id=school.pk if school else None,
        reason=reason, detail=detail or {}, address=address,
    )  # fmt: skip
