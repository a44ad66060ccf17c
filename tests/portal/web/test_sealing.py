"""The page of sealing: who may open it, what it says, and that a PIN is never shown again."""

from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.records import sealing
from portal.records.models import Record, SealingState
from portal.records.states import RecordState
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.pki_files import DEPARTMENT_PASSPHRASE

WRONG = "sai-mat-khau-881"


@pytest.fixture
def attended(house, cast, hand_in, settings, tmp_path: Path):
    made = cast.made("04")
    hand_in(made, unsigned_batch(cast.records(made, 2)).data)
    settings.SIGNING_SEALING = "attended"
    settings.SIGNING_KEY_PASSPHRASE_FILE = tmp_path / "none"
    return house


def test_an_officer_sees_what_waits_and_seals_it_with_the_pin(attended, browser):
    client = browser(attended.officer)
    page = client.get(reverse("sealing"))
    assert page.status_code == 200
    assert 'name="pin"' in page.text
    assert 'type="password"' in page.text
    done = client.post(reverse("sealing-release"), {"pin": DEPARTMENT_PASSPHRASE}, follow=True)
    assert "Đã đóng dấu 1 gói, 2 học bạ" in done.text
    assert not Record.objects.filter(state=RecordState.ADMITTED).exists()


def test_a_wrong_pin_is_said_in_red_with_caution_and_never_shown(attended, browser):
    answer = browser(attended.officer).post(reverse("sealing-release"), {"pin": WRONG})
    assert answer.status_code == 422
    assert "notice-error" in answer.text
    assert "không bao giờ tự thử lại" in answer.text
    assert WRONG not in answer.text
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 2


def test_with_four_eyes_the_confirmer_finds_no_field_for_the_pin(attended, browser, settings):
    settings.SIGNING_FOUR_EYES = True
    client = browser(attended.officer)
    assert 'name="pin"' not in client.get(reverse("sealing")).text
    confirmed = client.post(reverse("sealing-confirm"), follow=True)
    assert "Đã xác nhận" in confirmed.text
    assert 'name="pin"' not in confirmed.text
    assert client.post(reverse("sealing-release"), {"pin": DEPARTMENT_PASSPHRASE}).status_code == 422


@pytest.mark.parametrize("name", ["sealing-release", "sealing-confirm", "sealing-resume"])
def test_only_officers_act(attended, browser, name):
    for user, status in ((attended.clerk, 403), (attended.inspector, 403), (attended.administrator, 403)):
        assert browser(user).post(reverse(name), {"pin": "x"}).status_code == status
    assert browser(attended.officer).get(reverse(name)).status_code == 405


def test_the_overview_says_since_when_sealing_is_needed_and_why_it_fails(attended, browser):
    client = browser(attended.officer)
    assert "Cần đóng dấu" in client.get(reverse("overview")).text
    SealingState.objects.update_or_create(
        pk=1,
        defaults={"cause_code": "HSM_TOKEN_ABSENT", "cause": "Không thấy thiết bị ký", "next_try_at": timezone.now()},
    )
    assert "Không thấy thiết bị ký" in client.get(reverse("overview")).text
    page = client.get(reverse("sealing"))
    assert "HSM_TOKEN_ABSENT" in page.text
    client.post(reverse("sealing-resume"))
    assert SealingState.objects.get().cause_code == ""


def test_the_estimate_counts_packages_as_they_will_travel_one_year_and_level_each(attended, cast, hand_in):
    lower = cast.made("03")
    hand_in(lower, unsigned_batch(cast.records(lower, 1, first=7)).data)
    assert sealing.need(now=timezone.now()).packages == 2
