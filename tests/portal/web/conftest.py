"""Two schools with one batch each, a package on its way, and one person of every role."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import Client
from django.utils import timezone

from gateway.models import Submission
from portal.accounts.models import Membership, User
from portal.records import dispatch
from portal.records.models import Batch, Record
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.faults import make_faulty
from portal.rehearsal.install import certificate_columns
from portal.rehearsal.pki import Flaw
from portal.rehearsal.planting import of_code
from portal.schools.models import Certificate, School

PASSWORD = "mot-mat-khau-dai"
Role = Membership.Role


@pytest.fixture(autouse=True, scope="session")
def _no_session_outlives_the_tests(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A browser may leave a request behind whose thread holds a session; the test database must go all the same."""
    yield
    if not str(connection.settings_dict["NAME"]).startswith(TEST_DATABASE_PREFIX):
        return  # no test asked for the database, so there is none of ours
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def person(name: str, role: str, school: School | None = None) -> User:
    user = User.objects.create_user(name, password=PASSWORD, full_name=f"Người {name}")
    Membership.objects.create(user=user, role=role, school=school)
    return user


@pytest.fixture
def browser() -> Callable[..., Client]:
    """A browser in which somebody is signed in."""

    def open_(user: User, **more: Any) -> Client:
        client = Client(**more)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return open_


@dataclass(frozen=True)
class House:
    """Who lives here: school `ours` with its clerk, school `theirs` with its clerk, and the department's people."""

    ours: School
    theirs: School
    clerk: User
    other_clerk: User
    officer: User
    inspector: User
    administrator: User
    batch: Batch
    their_batch: Batch
    certificate: Certificate
    submission: Submission

    @property
    def refused(self) -> Record:
        return self.batch.records.get(state="REFUSED")

    @property
    def admitted(self) -> Record:
        return self.batch.records.exclude(state="REFUSED").order_by("position")[0]

    @property
    def their_record(self) -> Record:
        return self.their_batch.records.order_by("position")[0]


@pytest.fixture
def house(cast: Any, hand_in: Callable[..., Batch], province: Any, pki: Any) -> House:
    made, other = cast.made("02"), cast.made("03")
    wrong = make_faulty(province, pki, made, 50, of_code("missing-field"))
    batch = hand_in(made, unsigned_batch([*cast.records(made, 2), wrong]).data)
    their_batch = hand_in(other, unsigned_batch(cast.records(other, 1)).data)
    dispatch.dispatch_due(now=timezone.now() + timedelta(days=1), at_once=True)
    ours, theirs = cast.row(made), cast.row(other)
    # A second certificate of that school: the first one is already approved.
    another = pki.organisation(other, Flaw.REVOKED_LATER)
    waiting = Certificate.objects.create(school=theirs, **certificate_columns(another), requested_at=timezone.now())
    return House(
        ours=ours,
        theirs=theirs,
        clerk=person("van-thu-a", Role.CLERK, ours),
        other_clerk=person("van-thu-b", Role.CLERK, theirs),
        officer=person("chuyen-vien", Role.OFFICER),
        inspector=person("thanh-tra", Role.INSPECTOR),
        administrator=person("quan-tri", Role.ADMINISTRATOR),
        batch=batch,
        their_batch=their_batch,
        certificate=waiting,
        submission=Submission.objects.get(pk=_submission_of(batch)),
    )


def _submission_of(batch: Batch) -> UUID:
    found: UUID = batch.records.exclude(item=None).values_list("item__submission", flat=True)[0]
    return found
