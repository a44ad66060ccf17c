"""Accounts of people and keys of software: administrators only, secrets shown once, closing ends every session."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts import access
from portal.accounts.models import ApiToken, User
from portal.audit.models import Entry

NEW = {"user_name": "Van.Thu.Moi", "full_name": "Văn thư mới", "role": "CLERK"}
SECRET = re.compile(r'id="mat-khau-cap">([^<]+)<')


def create(client, house, **more):
    return client.post(reverse("accounts"), NEW | {"school": house.ours.code} | more)


def sign_in(name, password):
    client = Client()
    client.post(reverse("sign-in"), {"username": name, "password": password})
    return client


@pytest.mark.parametrize("name", ["accounts", "tokens"])
def test_only_an_administrator_gives_access(house, browser, name):
    for user in (house.clerk, house.officer, house.inspector):
        assert browser(user).get(reverse(name)).status_code == 403
        assert browser(user).post(reverse(name), NEW).status_code == 403
    assert browser(house.administrator).get(reverse(name)).status_code == 200


def test_a_new_account_gets_a_password_shown_once_that_must_be_changed(house, browser):
    admin = browser(house.administrator)
    password = SECRET.search(create(admin, house).text)[1]
    assert password not in admin.get(reverse("accounts")).text
    made = User.objects.get(username="van.thu.moi")
    assert made.must_change_password
    assert list(made.memberships.values_list("role", "school")) == [("CLERK", house.ours.pk)]
    assert sign_in("van.thu.moi", password).get(reverse("batches"))["Location"] == reverse("change-password")
    kept = Entry.objects.get(action="account.created")
    assert (kept.actor, kept.subject_id, kept.school_id) == (house.administrator, str(made.pk), house.ours.pk)
    assert password not in str(list(Entry.objects.values()))


@pytest.mark.parametrize(
    "wrong", [{"school": ""}, {"school": "khong-co"}, {"role": "OFFICER"}, {"role": "KING"}, {"user_name": "a b"},
              {"user_name": "VAN-THU-A"}, {"full_name": " "}],
)  # fmt: skip
def test_an_account_that_does_not_fit_is_refused_in_words(house, browser, wrong):
    before = User.objects.count()
    answer = create(browser(house.administrator), house, **wrong)
    assert answer.status_code == 422
    assert "wrong" in answer.text or "notice-error" in answer.text
    assert User.objects.count() == before


def test_closing_an_account_ends_its_sessions_for_good(house, browser):
    admin, clerk = browser(house.administrator), browser(house.clerk)
    assert clerk.get(reverse("batches")).status_code == 200
    close, reopen = (reverse("account-act", args=[house.clerk.pk, act]) for act in ("khoa", "mo"))
    admin.post(close, {"reason": ""})
    assert clerk.get(reverse("batches")).status_code == 200
    admin.post(close, {"reason": "Chuyển công tác"})
    assert clerk.get(reverse("batches")).status_code == 302
    password = SECRET.search(admin.post(reopen, {"reason": "Trở lại trường"}).text)[1]
    assert clerk.get(reverse("batches")).status_code == 302
    assert sign_in(house.clerk.username, password).get(reverse("batches"))["Location"] == reverse("change-password")
    kept = Entry.objects.filter(action__startswith="account.").order_by("pk").values_list("action", "reason")
    assert list(kept) == [("account.closed", "Chuyển công tác"), ("account.reopened", "Trở lại trường")]


def test_a_forgotten_password_is_replaced_and_the_old_one_opens_nothing(house, browser):
    given = reverse("account-act", args=[house.clerk.pk, "mat-khau"])
    assert SECRET.search(browser(house.administrator).post(given, {"reason": "Quên mật khẩu"}).text)
    assert sign_in(house.clerk.username, "mot-mat-khau-dai").get(reverse("me")).status_code == 302
    house.clerk.refresh_from_db()
    assert house.clerk.must_change_password


def test_an_administrator_does_not_close_the_own_account(house, browser):
    own = reverse("account-act", args=[house.administrator.pk, "khoa"])
    answer = browser(house.administrator).post(own, {"reason": "thử xem sao"}, follow=True)
    assert "của chính mình" in answer.text
    house.administrator.refresh_from_db()
    assert house.administrator.is_active


def key(client, house, **more):
    until = (timezone.localdate() + timedelta(days=30)).strftime("%d/%m/%Y")
    said = {"school": house.ours.code, "expires_on": until, "networks": "203.0.113.0/24, 198.51.100.7"}
    return client.post(reverse("tokens"), said | more)


def test_a_key_of_software_is_shown_once_works_within_its_bounds_and_can_be_revoked(house, browser):
    admin = browser(house.administrator)
    secret = SECRET.search(key(admin, house).text)[1]
    assert secret not in admin.get(reverse("tokens")).text
    made = ApiToken.objects.get(created_by=house.administrator)
    assert (made.school, made.networks) == (house.ours, ["203.0.113.0/24", "198.51.100.7/32"])

    def opens(address, now=None):
        login = {"user_name": made.user_name, "password": access.password_hash(secret)}
        try:
            return bool(access.check_login(**login, address=address, now=now or timezone.now()))
        except access.AccessRefused:
            return False

    assert opens("203.0.113.9")
    assert not opens("192.0.2.1")
    assert not opens("203.0.113.9", now=timezone.now() + timedelta(days=32))
    revoke = reverse("token-revoke", args=[made.pk])
    admin.post(revoke, {"reason": ""})
    assert opens("203.0.113.9")
    admin.post(revoke, {"reason": "Đổi nhà cung cấp"})
    assert not opens("203.0.113.9")
    assert Entry.objects.get(action="api_token.revoked").reason == "Đổi nhà cung cấp"


@pytest.mark.parametrize(
    "wrong", [{"school": "khong-co"}, {"networks": "10.0.0.300"}, {"expires_on": "01/01/2020"},
              {"expires_on": "01/01/2100"}, {"expires_on": ""}],
)  # fmt: skip
def test_a_key_that_does_not_fit_is_refused(house, browser, wrong):
    before = ApiToken.objects.count()
    assert key(browser(house.administrator), house, **wrong).status_code == 422
    assert ApiToken.objects.count() == before
