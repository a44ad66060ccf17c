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

    execute_from_command_line(words)
    return 0
