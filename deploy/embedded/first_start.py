"""Brings the database up to date in one Django process: migrations, the administrator, the rehearsal's province.

Run as `python -m deploy.embedded.first_start`. Every step leaves alone what is there, so it runs at each start.
The administrator's password is printed once and stored nowhere but as a hash.
"""

import argparse
import secrets
import sys
import traceback

import django
from django.core.management import call_command

ADMINISTRATOR = "quantri"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--empty", action="store_true")
    chosen, for_rehearsal = parser.parse_known_args()
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    print("cơ sở dữ liệu: đã cập nhật", flush=True)
    _make_administrator()
    return 0 if chosen.empty else _prepare_rehearsal(for_rehearsal)


def _make_administrator() -> None:
    from django.db import transaction

    from portal.accounts.models import Membership, User

    if User.objects.filter(memberships__role=Membership.Role.ADMINISTRATOR).exists():
        return
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = User.objects.create_user(ADMINISTRATOR, password=password, full_name="Quản trị hệ thống")
        for role in (Membership.Role.ADMINISTRATOR, Membership.Role.OFFICER):
            Membership.objects.create(user=user, role=role)
    print(f"tài khoản quản trị: {ADMINISTRATOR} / {password}  (chỉ hiện một lần, hãy ghi lại)", flush=True)


def _prepare_rehearsal(words: list[str]) -> int:
    """A rehearsal that cannot be prepared leaves an empty portal, not none."""
    try:
        call_command("rehearsal", "prepare", *words)
    except Exception:
        traceback.print_exc()
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
