"""A session that cannot be written for a reason of ours is no mistake of the visitor."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(client: Client, settings) -> Client:
    """Somebody with a session that every request writes."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    client.raise_request_exception = False
    session = client.session
    session["language"] = "vi"
    session.save()
    return client


def test_a_full_disk_is_told_as_our_trouble(visitor, monkeypatch):
    def full(*_args: object, **_named: object) -> None:
        raise OperationalError("could not extend file: No space left on device")

    monkeypatch.setattr(Session, "save", full)
    assert visitor.get("/").status_code == 500


def test_a_session_that_somebody_ended_meanwhile_is_told_as_such(visitor, monkeypatch):
    write = Session.save

    def gone(self: Session, *args: object, **named: object) -> None:
        Session.objects.filter(pk=self.pk).delete()
        write(self, *args, **named)

    monkeypatch.setattr(Session, "save", gone)
    assert visitor.get("/").status_code == 400
