"""One machine, one command: embedded servers on Unix sockets, HTTP on the loopback address only."""

import os
import secrets
from pathlib import Path

from portal.settings.base import *
from portal.settings.env import ENV


def _installation_secret(path: Path) -> str:
    """The secret of this installation, made once. Two processes starting together agree on the first one written."""
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other process was first: its secret counts
        finally:
            draft.unlink()
        return path.read_text()


SECRET_KEY = _installation_secret(ENV.places.secrets / "django")
# Before the first `up` a command should say that nothing runs, not which folder is missing.
ENV.places.uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", ENV.public_host]
# Plain HTTP on the loopback address: a Secure cookie would never come back.
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False

# The rehearsal files its own revocation lists, so the check is on here as in production.
RECORDS = {"check_revocation": True, "department_code": "endpoint"}
# The rehearsal's lists are filed by hand and hold for its whole life; there is no authority to ask for fresh ones.
TRUST = {"refresh_hours": 24 * 365, "fetch": False, "evidence_max_age_hours": 24 * 365}
