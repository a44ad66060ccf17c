"""Who may do what: deny by default, a school's people reach their own school only, four kinds of access keys."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from portal.accounts import access, policy
from portal.accounts.models import ApiSession, ApiToken, Membership, User
from portal.accounts.policy import Permission
from portal.schools.models import Commune, School

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def schools() -> list[School]:
    commune = Commune.objects.create(code="1", name="Xã Mẫu")
    return [
        School.objects.create(code=code, name=f"Trường {code}", commune=commune, levels=["02"]) for code in ("A", "B")
    ]


def user(role: str, school: School | None = None) -> User:
    person = User.objects.create(username=f"{role}{school}")
    Membership.objects.create(user=person, role=role, school=school)
    return person


def test_nobody_and_a_person_without_membership_may_nothing(schools):
    for who in (AnonymousUser(), User.objects.create(username="x")):
        assert not any(policy.may(who, permission) for permission in Permission)
        assert list(policy.for_user(School.objects.all(), who, Permission.SEE_BATCHES, path="id")) == []


def test_a_clerk_reaches_the_own_school_and_no_other(schools):
    clerk = user("CLERK", schools[0])
    assert policy.may(clerk, Permission.HAND_IN, school=schools[0])
    assert not policy.may(clerk, Permission.HAND_IN, school=schools[1])
    assert list(policy.for_user(School.objects.all(), clerk, Permission.SEE_BATCHES, path="id")) == [schools[0]]
    assert not policy.may(clerk, Permission.DECIDE_RECALL)
    with pytest.raises(PermissionDenied):
        policy.require(clerk, Permission.SEE_OVERVIEW)


def test_an_officer_sees_every_school_and_hands_in_for_none(schools):
    officer = user("OFFICER")
    assert policy.reachable_schools(officer, Permission.SEE_RECORD) is None
    assert not policy.may(officer, Permission.HAND_IN, school=schools[0])


def test_who_runs_the_machine_sees_no_childs_data_and_decides_no_recall(schools):
    administrator = user("ADMINISTRATOR")
    for forbidden in (Permission.SEE_RECORD, Permission.SEE_BATCHES, Permission.DECIDE_RECALL, Permission.HAND_IN):
        assert not policy.may(administrator, forbidden)


def test_a_person_who_left_may_nothing_any_more(schools):
    clerk = user("CLERK", schools[0])
    clerk.is_active = False
    assert not policy.may(clerk, Permission.HAND_IN, school=schools[0])


def issue(school: School, **more: object) -> access.Issued:
    return access.create_token(school=school, created_by=None, now=NOW, **more)


def login(issued: access.Issued, address: str | None = None, now: datetime = NOW) -> ApiToken:
    password = access.password_hash(issued.password)
    return access.check_login(user_name=issued.token.user_name, password=password, address=address, now=now)


def test_a_secret_is_stored_nowhere(schools):
    issued = issue(schools[0])
    session = access.open_session(token=issued.token, now=NOW, lifetime=timedelta(hours=1))
    stored = {
        *ApiToken.objects.values_list("secret_digest", flat=True),
        *ApiSession.objects.values_list("digest", flat=True),
    }
    assert not stored & {issued.password, access.password_hash(issued.password), session}
    assert login(issued) == issued.token
    assert access.check_session(secret=session, address=None, now=NOW) == issued.token


def test_access_ends_when_it_expires_or_is_revoked(schools):
    issued = issue(schools[0], expires_at=NOW + timedelta(days=1))
    session = access.open_session(token=issued.token, now=NOW, lifetime=timedelta(hours=1))
    with pytest.raises(access.AccessRefused, match="TOKEN_EXPIRED"):
        access.check_session(secret=session, address=None, now=NOW + timedelta(hours=2))
    with pytest.raises(access.AccessRefused, match="LOGIN_REFUSED"):
        login(issued, now=NOW + timedelta(days=2))
    access.revoke_token(token=issued.token, actor=None, reason="lộ khóa", now=NOW)
    with pytest.raises(access.AccessRefused, match="TOKEN_INVALID"):
        access.check_session(secret=session, address=None, now=NOW)
    with pytest.raises(access.AccessRefused, match="LOGIN_REFUSED"):
        login(issued)


def test_a_key_bound_to_a_network_opens_from_there_only(schools):
    issued = issue(schools[0], networks=["10.1.0.0/16"])
    assert login(issued, "10.1.2.3")
    for elsewhere in ("10.2.0.1", None):
        with pytest.raises(access.AccessRefused, match="ADDRESS_REFUSED"):
            login(issued, elsewhere)
