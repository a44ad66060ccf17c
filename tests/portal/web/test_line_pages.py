"""What officers read about the line: a package in doubt, a refused one, hours of silence, the doctor, the sheet."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from gateway import calendar, doctor, expiry
from gateway.models import Attempt, Endpoint, Item, Submission
from portal.records import dispatch


def refuse(submission, code):
    """As outbox.settle writes it when the Ministry refuses a package and names nobody."""
    now = timezone.now()
    rows = Submission.objects.filter(pk=submission.pk)
    rows.update(state="SENDING", lease_until=now, next_attempt_at=None)
    rows.update(
        state="REFUSED", lease_until=None, reason_code=code, reason="Gói không đọc được", closed_at=now,
        next_attempt_at=None,
    )  # fmt: skip


@pytest.fixture
def split(house):
    """A package that was refused, and whose two records went into another one each."""
    refuse(house.submission, "PACKAGE_INVALID")
    return lambda: dispatch.bisect_due(now=timezone.now())


def test_a_refused_package_says_where_each_record_went(house, browser, split):
    client, address = browser(house.officer), reverse("submission", args=[house.submission.pk])
    split()
    halves = Submission.objects.filter(details__split_from=str(house.submission.pk))
    text = client.get(address).content.decode()
    assert halves.count() == 2
    for half in halves:
        assert text.count(reverse("submission", args=[half.pk])) == 2, "in the head and on its record's line"
    assert text.count("Đã sang gói") == 2
    assert "Không còn việc gì với gói này" in text
    assert reverse("record", args=[house.admitted.pk]) in text, "the record can still be opened from here"


def test_a_refused_package_leaves_the_list_of_unfinished_ones_once_its_records_went_on(house, browser, split):
    client, link = browser(house.officer), reverse("submission", args=[house.submission.pk])
    assert link in client.get(reverse("queue")).content.decode()
    split()
    assert link not in client.get(reverse("queue")).content.decode()
    assert link in client.get(reverse("queue") + "?state=REFUSED").content.decode()


def test_records_taken_out_of_a_refused_package_and_in_none_yet_are_said_to_wait(house, browser):
    refuse(house.submission, "PACKAGE_TOO_BIG")
    dispatch.take_back(submission_id=house.submission.pk)
    text = browser(house.officer).get(reverse("submission", args=[house.submission.pk])).content.decode()
    assert text.count("Chờ đóng vào gói khác") == 2
    assert "Chờ kết quả" not in text


def test_a_package_refused_for_our_seal_says_who_must_act(house, browser):
    refuse(house.submission, "SEAL_INVALID")
    text = browser(house.officer).get(reverse("submission", args=[house.submission.pk])).content.decode()
    assert "Bộ không nhận chữ ký của Sở" in text
    assert "Cho chạy lại" in text


def test_a_package_in_doubt_is_explained_with_what_to_ask_the_ministry(house, browser):
    now = timezone.now()
    rows = Submission.objects.filter(pk=house.submission.pk)
    rows.update(state="SENDING", lease_until=now, next_attempt_at=None, first_sent_at=now)
    rows.update(state="UNCERTAIN", lease_until=None, next_attempt_at=now + timedelta(minutes=2))
    sent = {"purpose": "SEND", "outcome": "FATE_UNKNOWN", "code": "RECEIPT_FOREIGN"}
    Attempt.objects.create(
        submission=house.submission, number=1, started_at=now, ended_at=now,
        detail="Biên nhận thuộc về giao dịch khác.", **sent,
    )  # fmt: skip
    for number in (2, 3):
        Attempt.objects.create(
            submission=house.submission, number=number, purpose="ASK", outcome="FATE_UNKNOWN", code="HTTP_500",
            detail=f"Máy chủ của Bộ trả mã HTTP 500 lần {number}.", started_at=now, ended_at=now,
        )  # fmt: skip
    client = browser(house.officer)
    text = client.get(reverse("submission", args=[house.submission.pk])).content.decode()
    assert "Vì sao chưa rõ gói đã tới hay chưa" in text
    assert "Biên nhận thuộc về giao dịch khác." in text
    assert "Cổng đã hỏi Bộ 2 lần" in text
    assert "đọc mã giao dịch" in text
    assert "024 0000 0000" in text, "whom to call"
    client.post(reverse("submission-act", args=[house.submission.pk, "giu"]), {"reason": "chờ Bộ trả lời"})
    text = client.get(reverse("submission", args=[house.submission.pk])).content.decode()
    assert "Vì sao chưa rõ gói đã tới hay chưa" in text, "holding it does not make it clear"


def test_hours_without_sending_are_told_where_officers_look(house, browser):
    now = timezone.now()
    calendar.announce(
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1), reason="Bộ nâng cấp", by="x", now=now
    )
    client = browser(house.officer)
    for name in ("overview", "queue", "endpoint"):
        assert "Đang bảo trì: Bộ nâng cấp." in client.get(reverse(name)).content.decode(), name
    assert "Chờ hết giờ không gửi" in client.get(reverse("queue")).content.decode()
    assert "Gói được gửi khi đến lượt" not in client.get(reverse("endpoint")).content.decode()


def test_a_paused_line_says_whom_to_call(house, browser):
    Endpoint.objects.update(state="PAUSED", cause="ADDRESS_REFUSED", cause_message="x", paused_at=timezone.now())
    client = browser(house.officer)
    for name in ("overview", "queue"):
        assert "024 0000 0000" in client.get(reverse(name)).content.decode(), name
    assert client.get(reverse("endpoint")).content.decode().count("024 0000 0000") == 2


def test_the_doctor_s_verdict_stands_first_and_where_the_officer_is_looking(house, browser, monkeypatch):
    legs = [
        doctor.Finding("TCP", "Nối TCP", "OK", "Nối được."),
        doctor.Finding("TOKEN", "Đăng nhập", "FAILED", "Bộ từ chối địa chỉ.", "IP chưa đăng ký.", "Bộ phận mạng"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: legs)
    client, address = browser(house.officer), reverse("endpoint-check")
    assert f'action="{address}#kham"' in client.get(reverse("endpoint")).content.decode()
    text = client.post(address).content.decode()
    assert text.index("Hỏng ở chặng “Đăng nhập”") < text.index("Nối TCP")
    assert text.index("Bộ phận mạng") < text.index("Việc chạy theo lịch")
    del legs[1]
    assert "Mọi chặng đều tốt." in client.post(address).content.decode()


def test_the_address_of_an_examination_opened_again_leads_back_to_the_line(house, browser):
    answer = browser(house.officer).get(reverse("endpoint-check"))
    assert (answer.status_code, answer.url) == (302, reverse("endpoint"))


def test_the_sheet_to_be_registered_is_a_page_to_print_without_a_secret(house, browser):
    client = browser(house.inspector)
    assert reverse("registration-sheet") in client.get(reverse("endpoint")).content.decode()
    text = client.get(reverse("registration-sheet")).content.decode()
    for words in ("Phiếu đăng ký kết nối", "Địa chỉ IP đăng ký với Bộ", "Chứng thư ký số của Sở", "Thủ trưởng đơn vị"):
        assert words in text
    assert "mat-khau-mo-phong" not in text
    assert browser(house.clerk).get(reverse("registration-sheet")).status_code == 403


def test_a_certificate_that_expires_soon_is_told_on_the_first_page_and_high_on_the_line_s(house, browser, monkeypatch):
    now = timezone.now()
    found = [
        expiry.Watched("CONNECTION", "Chứng thư kết nối của Sở (so-gddt)", "a", now + timedelta(days=9, hours=1)),
        expiry.Watched("SCHOOL", "Chứng thư số của Trường Mẫu", "b", now + timedelta(days=20)),
        expiry.Watched("MINISTRY_CA", "CA của Bộ đã ghim (ca)", "c", now - timedelta(days=1)),
    ]
    monkeypatch.setattr(expiry, "watched", lambda _: found)
    client = browser(house.officer)
    for name in ("overview", "endpoint"):
        text = client.get(reverse(name)).content.decode()
        assert "Chứng thư kết nối của Sở (so-gddt) còn 9 ngày" in text, name
        assert "CA của Bộ đã ghim (ca) đã hết hạn ngày" in text, name
        assert "1 trường có chứng thư số sắp hết hạn" in text, name
    assert text.index("Chứng thư sắp hết hạn") < text.index("Việc chạy theo lịch")


def test_a_package_accepted_in_part_counts_the_verdicts_and_shows_the_refused_ones_alone(house, browser):
    now = timezone.now()
    good, bad = house.submission.items.order_by("position")
    Item.objects.filter(pk=good.pk).update(verdict="ACCEPTED", judged_at=now)
    errors = [{"code": "E1", "message": "Sai ngày sinh"}, {"code": "E2", "message": "Thiếu mã trường"}]
    Item.objects.filter(pk=bad.pk).update(verdict="REJECTED", judged_at=now, errors=errors)
    rows = Submission.objects.filter(pk=house.submission.pk)
    rows.update(state="SENDING", lease_until=now, next_attempt_at=None)
    rows.update(state="ANSWERED", lease_until=None, acknowledged_at=now, closed_at=now)
    client, address = browser(house.officer), reverse("submission", args=[house.submission.pk])
    text = client.get(address).content.decode()
    assert "1 học bạ bị Bộ từ chối" in text
    assert good.key in text
    assert "?ket_qua=REJECTED" in text
    alone = client.get(address + "?ket_qua=REJECTED").content.decode()
    assert good.key not in alone
    for words in (bad.key, "Sai ngày sinh", "Thiếu mã trường"):
        assert words in alone
