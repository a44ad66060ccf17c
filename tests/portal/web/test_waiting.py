"""A school reads what its good records wait for, and is offered a work list only when there is work."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from gateway import calendar
from gateway.models import Endpoint
from portal.records import dispatch
from portal.rehearsal.batches import unsigned_batch

LIST = "Tải việc cần sửa"


def batch_page(browser, house, batch):
    return browser(house.clerk).get(reverse("batch", args=[batch.pk])).text


def test_a_paused_line_is_told_to_the_school_without_alarm(house, browser):
    assert "đang đóng gói và gửi Bộ" in batch_page(browser, house, house.batch)
    Endpoint.objects.update(
        state="PAUSED", cause="ADDRESS_REFUSED", cause_message="x", paused_at=timezone.now(), next_probe_at=None
    )
    text = batch_page(browser, house, house.batch)
    assert "đang tạm nghỉ" in text
    assert "Trường không phải làm gì" in text
    assert "đang đóng gói và gửi Bộ" not in text


def test_an_hour_without_sending_is_told_as_such(house, browser):
    now = timezone.now()
    calendar.announce(
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1), reason="bảo trì", by="x", now=now
    )
    assert "chưa đến giờ gửi Bộ" in batch_page(browser, house, house.batch)


def test_a_batch_that_waits_for_a_pin_says_that_the_department_will_seal(house, browser, cast, hand_in, settings):
    settings.SIGNING_SEALING = "attended"
    made = cast.made("02")
    waiting = hand_in(made, unsigned_batch(cast.records(made, 1, first=9)).data)
    assert "chờ Sở đóng dấu" in batch_page(browser, house, waiting)
    assert "chờ Sở đóng dấu" not in batch_page(browser, house, house.batch)


def test_the_work_list_is_offered_only_where_something_is_to_be_corrected(house, browser, cast, hand_in):
    assert LIST in batch_page(browser, house, house.batch)
    made = cast.made("02")
    clean = hand_in(made, unsigned_batch(cast.records(made, 1, first=9)).data)
    dispatch.dispatch_due(now=timezone.now() + timedelta(days=1), at_once=True)
    assert LIST not in batch_page(browser, house, clean)
