"""What every test may use. Areas keep their own fixtures beside their tests."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _tables_may_be_emptied_between_tests() -> None:
    """The guards that refuse TRUNCATE (the journal's) stand in tests too, save for Django's own flush after a test."""
    import pgtrigger
    from django.db.backends.postgresql.operations import DatabaseOperations

    flush = DatabaseOperations.execute_sql_flush

    def unguarded(self: DatabaseOperations, sql_list: Sequence[str]) -> None:
        with pgtrigger.ignore():
            flush(self, sql_list)

    DatabaseOperations.execute_sql_flush = unguarded  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tables are made without migrations; the triggers that guard states and journals must be there all the same."""
    import pgtrigger
    from django.db import connection
    from django.db.backends.base.creation import TEST_DATABASE_PREFIX

    # Without a single collected test that asks for the database, pytest-django makes none: nothing to guard then.
    if not str(connection.settings_dict["NAME"]).startswith(TEST_DATABASE_PREFIX):
        return
    with django_db_blocker.unblock():
        pgtrigger.install()
