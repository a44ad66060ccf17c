"""Sessions in the database, as Django keeps them, but our own trouble is not told as the visitor's mistake.

Django takes every failure to write a session for one that somebody ended meanwhile, and answers 400. A full disk or a
database that is away is neither: the request breaks like any other then, with 500, and is worth another try.
"""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import InterfaceError, OperationalError


class SessionStore(db.SessionStore):
    """`SESSION_ENGINE` names the module."""

    def save(self, must_create: bool = False) -> None:
        """Write the session. Raises UpdateError only for a session that is gone, else what the database said."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError | InterfaceError):
                raise error.__context__ from None
            raise
