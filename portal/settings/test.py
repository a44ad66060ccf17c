"""Tests: real PostgreSQL and a real broker (tests/embedded.py starts both), everything else as in embedded mode."""

import tempfile
from pathlib import Path

from portal.settings.base import *

SECRET_KEY = "a-secret-for-tests-only-which-protects-nothing-at-all"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
# The pool's threads outlive a test's database; plain connections do not.
DATABASES["default"]["OPTIONS"].pop("pool", None)
# Argon2 is slow on purpose; tests sign in hundreds of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests of the lock-out switch it on; the others sign in through the client without a request object.
AXES_ENABLED = False
FILE_UPLOAD_TEMP_DIR = tempfile.gettempdir()
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = False
VAR = Path(VAR)

# The synthetic province's lists bear the tests' fixed date, and some doors ask the real clock: only tests of freshness
# itself, which set their own bound, may depend on the day on which they run.
TRUST = {"evidence_max_age_hours": 24 * 365 * 20}
