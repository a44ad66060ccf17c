"""Signing in and staying in: no reason given, a wait after many failures, half an hour of rest, one's own password."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portal.accounts.models import User

PASSWORD = "mot-mat-khau-dai"
START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def user(db):
    return User.objects.create_user("van-thu", password=PASSWORD, full_name="Văn thư")


def sign_in(client, password=PASSWORD, **more):
    return client.post(reverse("sign-in"), {"username": "van-thu", "password": password, **more})


def test_signing_in_leads_on_only_to_our_own_addresses(user):
    assert sign_in(Client(), tiep="/toi/")["Location"] == "/toi/"
    assert sign_in(Client(), tiep="https://example.org/")["Location"] == "/"
    assert sign_in(Client(), tiep="//example.org/")["Location"] == "/"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(user):
    wrong = sign_in(Client(), password="sai")
    unknown = Client().post(reverse("sign-in"), {"username": "khong-ai", "password": "sai"})
    assert wrong.status_code == unknown.status_code == 401
    sentence = "Tên đăng nhập hoặc mật khẩu không đúng"
    assert sentence in wrong.content.decode()
    assert sentence in unknown.content.decode()


def test_after_many_failures_even_the_right_password_must_wait(user, settings):
    settings.AXES_ENABLED = True
    client = Client()
    answers = [sign_in(client, password="sai").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers[-1] == 429
    right = sign_in(client)
    assert right.status_code == 429
    assert "15 phút" in right.content.decode()


def test_a_session_ends_after_half_an_hour_without_use_and_refreshing_pages_are_no_use(user):
    with time_machine.travel(START, tick=False) as clock:
        client = Client()
        sign_in(client)
        for _ in range(4):
            clock.shift(timedelta(minutes=9))
            polled = client.get(reverse("me"), headers={"HX-Request": "true"})
        assert polled.status_code == 401
        assert polled["HX-Redirect"] == reverse("sign-in")
        sign_in(client)
        for _ in range(4):
            clock.shift(timedelta(minutes=20))
            assert client.get(reverse("me")).status_code == 200


def test_a_given_password_must_be_changed_first_and_other_sessions_end(user):
    User.objects.update(must_change_password=True)
    here, elsewhere = Client(), Client()
    sign_in(here)
    sign_in(elsewhere)
    assert here.get(reverse("batches"))["Location"] == reverse("change-password")
    new = "mat-khau-moi-that-dai-2026"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post(reverse("change-password"), form)["Location"] == reverse("me")
    assert here.get(reverse("me")).status_code == 200
    assert elsewhere.get(reverse("me")).status_code == 302


def test_the_language_is_vietnamese_until_somebody_switches(user):
    client = Client(headers={"accept-language": "en"})
    assert "Đăng nhập" in client.get(reverse("sign-in")).content.decode()
    client.post(reverse("language"), {"language": "en", "tiep": "/dang-nhap/"})
    page = client.get(reverse("sign-in"))
    assert '<html lang="en">' in page.content.decode()
    assert "Sign in" in page.content.decode()


def test_a_person_without_a_membership_is_told_whom_to_call(user):
    client = Client()
    sign_in(client)
    answer = client.get("/")
    assert answer.status_code == 403
    assert "chưa được giao quyền" in answer.content.decode()


def test_the_status_page_is_open_to_everybody_and_names_nobody(user):
    answer = Client().get(reverse("status"))
    assert answer.status_code == 200
    assert "Đang hoạt động" in answer.content.decode()
