"""Which command needs what: `up` and `check-all` are ours, everything else is Django's.

Standard library only until `environment.ensure` has returned.
"""

import os
import sys
from collections.abc import Sequence

from deploy.embedded import environment
from deploy.embedded.failure import Trouble

_OURS = frozenset({"up", "check-all"})


def main(argv: Sequence[str]) -> int:
    """The exit status of `manage.py argv`."""
    words = list(argv)
    production = "--production" in words or os.environ.get("HOCBA_MODE") == "production"
    if production:
        words = [word for word in words if word != "--production"]
        os.environ["HOCBA_MODE"] = "production"
    command = words[1] if len(words) > 1 else "help"
    try:
        if production:
            return _production(command, words)
        environment.ensure(words, locked=command in _OURS)
        return _embedded(command, words)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1


def _embedded(command: str, words: list[str]) -> int:
    if command == "up":
        from deploy.embedded import up

        return up.main(words[2:])
    if command == "check-all":
        from deploy.embedded import check_all

        return check_all.main(words[2:])
    return _django(words, "portal.settings.embedded")


def _production(command: str, words: list[str]) -> int:
    """Production has its own environment and its own servers: nothing embedded is touched."""
    if command in _OURS:
        raise Trouble(
            f"`{command}` chỉ dùng ở chế độ nhúng; khi vận hành thật các tiến trình do systemd quản lý (xem deploy/).",
            f"`{command}` belongs to the embedded mode; in production systemd runs the processes (see deploy/).",
        )
    return _django(words, "portal.settings.production")


def _django(words: list[str], settings: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(words)
    except OperationalError as error:
        if not _is_away(error):
            raise
        raise _database_away() from None
    return 0


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached at all; what it answers has a code of its own."""
    from psycopg import OperationalError
    from psycopg_pool import PoolTimeout

    cause = error.__cause__
    lost = isinstance(cause, OperationalError) and (cause.sqlstate or "57P").startswith(("08", "57P"))
    return lost or isinstance(cause, PoolTimeout)


def _database_away() -> Trouble:
    from django.conf import settings

    found = settings.DATABASES["default"]
    place = ":".join(str(found[name]) for name in ("HOST", "PORT") if found.get(name))
    if os.environ.get("HOCBA_MODE") == "production":
        return Trouble(
            f"Không nối được tới PostgreSQL ({place}). Xem `systemctl status postgresql` và các biến HOCBA_PG_….",
            f"PostgreSQL cannot be reached ({place}). See `systemctl status postgresql` and HOCBA_PG_….",
        )
    return Trouble(
        f"Không nối được tới PostgreSQL ({place}): cổng chưa chạy.\n"
        "Chạy `python3 manage.py up` ở cửa sổ khác rồi gõ lại lệnh này.",
        f"PostgreSQL cannot be reached ({place}): the portal does not run.\n"
        "Run `python3 manage.py up` in another window, then this command again.",
    )
