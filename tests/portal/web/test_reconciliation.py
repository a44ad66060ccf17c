"""Reconciliation and maintenance on the pages: an owner, a closing note, a journal line for each act, signed files."""

import html
import json
import random
import zlib
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from gateway import calendar, circuit, conf, reconciliation, sizes, statement, sync, tasks
from gateway.models import Comparison, Discrepancy, EndpointEvent, Maintenance, Submission, SyncRun
from gateway.states import DiscrepancyKind
from portal.audit.models import Entry
from portal.web.read.reconciliation import ADVICE


@pytest.fixture
def difference(house):
    return Discrepancy.objects.create(
        kind="VERDICT_DIFFERS", submission=house.submission, key="a-key", ours="ACCEPTED", theirs="REJECTED",
        explanation="Kết quả Bộ trả lúc này khác kết quả đã nhận trước đây.", found_at=timezone.now(),
    )  # fmt: skip


def test_a_difference_is_taken_by_an_officer_and_closed_with_a_note(house, browser, difference):
    client = browser(house.officer)
    assert "Chưa ai nhận" in client.get(reverse("discrepancies")).content.decode()
    client.post(reverse("discrepancy-act", args=[difference.pk, "nhan"]))
    client.post(reverse("discrepancy-act", args=[difference.pk, "dong"]), {"reason": " "})
    difference.refresh_from_db()
    assert (difference.owner, difference.closed_at) == (str(house.officer), None)
    client.post(reverse("discrepancy-act", args=[difference.pk, "dong"]), {"reason": "Bộ đã sửa lại kết quả."})
    difference.refresh_from_db()
    assert difference.closing_note == "Bộ đã sửa lại kết quả."
    acts = Entry.objects.filter(subject_kind="discrepancy").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["discrepancy.taken", "discrepancy.closed"]
    assert "Không có điểm khác nhau nào." in client.get(reverse("discrepancies")).content.decode()
    assert "Bộ đã sửa lại kết quả." in client.get(reverse("discrepancy", args=[difference.pk])).content.decode()


@pytest.mark.parametrize("kind", DiscrepancyKind.values)
def test_every_kind_of_difference_says_in_both_languages_what_to_do(house, browser, difference, kind):
    Discrepancy.objects.filter(pk=difference.pk).update(kind=kind)
    client, address = browser(house.officer), reverse("discrepancy", args=[difference.pk])
    page = client.get(address).content.decode()
    assert DiscrepancyKind(kind).label in page
    assert str(ADVICE[kind]) in html.unescape(page)
    client.cookies["django_language"] = "en"
    english = html.unescape(client.get(address).content.decode())
    assert DiscrepancyKind(kind).label not in english
    assert str(ADVICE[kind]) not in english


def test_both_sides_of_a_difference_are_told_in_words_and_counted_on_the_first_page(house, browser, difference):
    client = browser(house.officer)
    for address in (reverse("discrepancies"), reverse("discrepancy", args=[difference.pk])):
        text = client.get(address).content.decode()
        assert "Bộ chấp nhận" in text
        assert "Bộ từ chối" in text
        assert ">REJECTED<" not in text
    assert "024 0000 0000" in text, "whom to call"
    # Figures are kept for some seconds; those of a year nobody else looks at are counted now.
    overview = client.get(reverse("overview") + "?nam=2098-2099").content.decode()
    assert "Khác với Bộ, chưa đóng</a></dt><dd>1<" in overview


def test_an_inspector_reads_differences_and_may_not_act(house, browser, difference):
    client = browser(house.inspector)
    page = client.get(reverse("discrepancy", args=[difference.pk]))
    assert page.status_code == 200
    assert "Nhận xử lý" not in page.content.decode()
    assert client.post(reverse("discrepancy-act", args=[difference.pk, "nhan"])).status_code == 403
    assert client.post(reverse("reconcile"), {"year": "2025"}).status_code == 403


def test_a_school_never_sees_the_reconciliation(house, browser, difference):
    client = browser(house.clerk)
    for address in (reverse("discrepancies"), reverse("discrepancy", args=[difference.pk])):
        assert client.get(address).status_code == 403


def test_a_comparison_is_asked_for_with_something_to_compare_and_kept_as_a_row(house, browser, monkeypatch):
    nudged = []
    monkeypatch.setattr(tasks, "nudge", nudged.append)
    client = browser(house.officer)
    client.post(reverse("reconcile"), {})
    assert not Comparison.objects.exists()
    client.post(reverse("reconcile"), {"day": "01/06/2026"})
    client.post(reverse("reconcile"), {"unit": house.ours.code})
    client.post(reverse("reconcile"), {"unit": house.ours.code})
    whole, day = Comparison.objects.order_by("-pk")
    assert (whole.unit_code, whole.asked_by) == (house.ours.code, str(house.officer))
    assert day.until - day.since == timedelta(days=1)
    assert nudged == ["COMPARE"] * 3
    assert Entry.objects.filter(action="reconciliation.asked").count() == 3
    page = client.get(reverse("discrepancies")).content.decode()
    assert "Đang làm" in page
    assert "không có dịch vụ nào liệt kê" in page, "what reconciliation cannot see is said"
    assert ">01/06/2026<" in page, "the day that was asked for, not the one before it in UTC"


def test_a_comparison_that_waits_for_the_line_says_so(house, browser):
    now = timezone.now()
    asked = reconciliation.ask_for(since=now - timedelta(days=1), until=now, now=now)
    Comparison.objects.filter(pk=asked.pk).update(waiting_for="ADDRESS_REFUSED")
    page = browser(house.officer).get(reverse("discrepancies")).content.decode()
    assert "Chờ đường truyền" in page
    assert "ADDRESS_REFUSED" in page


def test_the_answer_that_shows_a_difference_is_read_by_name_and_journalled(house, browser, difference):
    Discrepancy.objects.filter(pk=difference.pk).update(evidence=zlib.compress(b'{"ten_hoc_sinh": "X"}'))
    page = browser(house.officer).get(reverse("discrepancy", args=[difference.pk])).content.decode()
    assert "ten_hoc_sinh" in page
    assert Entry.objects.filter(action="discrepancy.answer_read", subject_id=str(difference.pk)).count() == 1


def test_the_three_files_of_a_statement_are_downloaded_and_journalled(house, browser):
    today = timezone.localdate()
    made = statement.make(today, conf.endpoint(), now=timezone.now(), seal=lambda document, *, at: document)
    client = browser(house.inspector)
    heads = {"pdf": b"%PDF", "csv": b"\xef\xbb\xbfma_giao_dich", "xml": b"<?xml"}
    for kind, head in heads.items():
        answer = client.get(reverse("statement-file", args=[made.pk, kind]))
        assert answer.content.startswith(head)
        assert "attachment" in answer["Content-Disposition"]
    assert client.get(reverse("statement-file", args=[made.pk, "exe"])).status_code == 404
    assert Entry.objects.filter(action="statement.read").count() == 3


def test_an_officer_announces_a_maintenance_and_calls_it_off(house, browser):
    client, now = browser(house.officer), timezone.localtime()
    hours = {"starts": now - timedelta(minutes=5), "ends": now + timedelta(hours=2)}
    typed = {name: moment.strftime("%d/%m/%Y %H:%M") for name, moment in hours.items()}
    client.post(reverse("maintenance-announce"), typed | {"reason": ""})
    assert not Maintenance.objects.exists()
    client.post(reverse("maintenance-announce"), typed | {"reason": "Bộ nâng cấp hệ thống"})
    page = client.get(reverse("endpoint")).content.decode()
    assert "Đang bảo trì: Bộ nâng cấp hệ thống." in page
    assert hours["ends"].strftime("%d/%m/%Y %H:%M") in page
    quiet = calendar.silence(conf.endpoint(), now=timezone.now())
    assert quiet is not None
    client.post(reverse("maintenance-cancel", args=[Maintenance.objects.get().pk]))
    assert calendar.silence(conf.endpoint(), now=timezone.now()) is None
    acts = Entry.objects.filter(subject_kind="maintenance").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["maintenance.announced", "maintenance.cancelled"]


def test_the_history_of_the_line_stands_on_its_page(house, browser):
    endpoint = house.submission.endpoint
    EndpointEvent.objects.create(
        endpoint=endpoint, event="PAUSED", cause="ADDRESS_REFUSED", message="Bộ từ chối 10.0.0.9", at=timezone.now()
    )
    assert "Bộ từ chối 10.0.0.9" in browser(house.inspector).get(reverse("endpoint")).content.decode()


def test_an_officer_pauses_the_line_and_lets_it_go_on_with_a_reason(house, browser):
    client, endpoint = browser(house.officer), house.submission.endpoint
    client.post(reverse("endpoint-switch", args=["dung"]), {"reason": ""})
    endpoint.refresh_from_db()
    assert endpoint.state == "OPEN"
    client.post(reverse("endpoint-switch", args=["dung"]), {"reason": "Bộ yêu cầu dừng"})
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.cause, endpoint.next_probe_at) == ("PAUSED", "BY_OFFICER", None)
    assert "Cho chạy lại" in client.get(reverse("endpoint")).content.decode()
    client.post(reverse("endpoint-switch", args=["thong"]), {"reason": "Bộ báo xong"})
    endpoint.refresh_from_db()
    assert endpoint.state == "OPEN"
    acts = Entry.objects.filter(action__startswith="endpoint.").order_by("pk").values_list("action", "reason")
    assert list(acts) == [("endpoint.paused", "Bộ yêu cầu dừng"), ("endpoint.resumed", "Bộ báo xong")]


def test_an_officer_stops_a_line_that_closed_by_itself_so_that_no_probe_opens_it(house, browser):
    client, endpoint = browser(house.officer), circuit.row(conf.endpoint())
    now, rng = timezone.now(), random.Random(1)
    circuit.pause(endpoint, "UNAVAILABLE", "x", description=conf.endpoint(), now=now, rng=rng)
    page = client.get(reverse("endpoint")).text
    assert "Cho chạy lại</button>" in page
    assert "Dừng hẳn, không tự mở</button>" in page
    client.post(reverse("endpoint-switch", args=["dung"]), {"reason": "Bộ yêu cầu dừng"})
    endpoint.refresh_from_db()
    assert (endpoint.cause, endpoint.next_probe_at) == ("BY_OFFICER", None)
    assert "Dừng hẳn" not in client.get(reverse("endpoint")).text


def test_a_size_that_was_refused_is_shown_and_forgotten_by_an_officer_with_a_reason(house, browser):
    client, endpoint = browser(house.officer), circuit.row(conf.endpoint())
    assert "Quên cỡ này" not in client.get(reverse("endpoint")).content.decode()
    sizes.remember(endpoint, 1_234_567, description=conf.endpoint(), now=timezone.now())
    page = client.get(reverse("endpoint")).content.decode()
    assert "Bộ từ chối gói 1,23 MB vì quá lớn" in page
    assert "Quên cỡ này" in page
    assert "Quên cỡ này</button>" not in browser(house.inspector).get(reverse("endpoint")).content.decode()
    for reason in ("", "Bộ đã nâng giới hạn"):
        client.post(reverse("endpoint-switch", args=["quen-co"]), {"reason": reason})
    endpoint.refresh_from_db()
    assert endpoint.refused_bytes is None
    (act,) = Entry.objects.filter(action="endpoint.size_forgotten")
    assert act.reason == "Bộ đã nâng giới hạn"
    assert "1,23 MB" not in client.get(reverse("endpoint")).content.decode()


def test_the_departments_certificate_is_sent_once_from_the_page_and_its_verdict_is_shown(house, browser):
    endpoint = house.submission.endpoint
    endpoint.catalogues = {
        "signature_kinds": [{"ma": "USB_TOKEN", "ten": "USB Token"}],
        "certificate_providers": [{"ma": "BAN_CO_YEU", "ten": "Ban Cơ yếu"}],
    }
    endpoint.save(update_fields=["catalogues"])
    client = browser(house.officer)
    client.post(reverse("certificate-register"), {"kind": "X", "provider": "BAN_CO_YEU"})
    assert not Submission.objects.filter(kind="CERTIFICATE").exists()
    for _ in range(2):
        client.post(reverse("certificate-register"), {"kind": "USB_TOKEN", "provider": "BAN_CO_YEU"})
    sent = Submission.objects.get(kind="CERTIFICATE")
    assert sent.details["ma_kieu_chu_ky"] == "USB_TOKEN"
    assert sent.items.get().key in client.get(reverse("endpoint")).content.decode()
    assert Entry.objects.filter(action="endpoint.certificate_sent").count() == 1


def test_every_run_is_listed_with_how_long_it_took_and_what_went_wrong(house, browser):
    now = timezone.now()
    SyncRun.objects.create(
        kind="CATALOGUES", started_at=now, ended_at=now + timedelta(seconds=2.5), result="FAILED", error="HTTP_500"
    )
    SyncRun.objects.create(
        kind="WATCH", started_at=now, ended_at=now + timedelta(seconds=1), result="DONE", counts={"slots_missed": 3}
    )
    client = browser(house.officer)
    all_of_them = client.get(reverse("runs")).content.decode()
    assert "2,5" in all_of_them
    assert "HTTP_500" in all_of_them
    assert "3 kỳ bị lỡ" in all_of_them
    assert "kỳ bị lỡ" not in client.get(reverse("runs"), {"hong": "1"}).content.decode()
    assert "HTTP_500" not in client.get(reverse("runs"), {"viec": "WATCH"}).content.decode()
    assert browser(house.clerk).get(reverse("runs")).status_code == 403


def test_a_missed_run_is_told_on_the_first_page_an_officer_sees(house, browser):
    client, now = browser(house.officer), timezone.now()
    assert "chưa chạy đúng lịch" in client.get(reverse("overview")).content.decode()
    for kind in sync.SCHEDULED:
        SyncRun.objects.create(kind=kind, started_at=now, ended_at=now, result="DONE")
    assert "chưa chạy đúng lịch" not in client.get(reverse("overview")).content.decode()


def test_the_paper_names_both_sides_in_words_and_the_package_a_difference_is_about(house, difference, monkeypatch):
    """What is printed is what the template is given; the PDF itself hides its text in fonts."""
    Discrepancy.objects.create(
        kind="OVERDUE", submission=house.submission, ours="ACKNOWLEDGED", explanation="quá hạn", found_at=timezone.now()
    )
    given = []

    def written(_template, *, sys_inputs, **_):
        given.append(json.loads(sys_inputs["data"]))
        return b"%PDF"

    monkeypatch.setattr(statement.typst, "compile", written)
    description = conf.endpoint()
    ledger = statement.read(timezone.localdate(), description)
    statement.as_pdf(ledger, description, b"", now=timezone.now())
    rows = {row[0]: row for row in given[0]["discrepancies"]}
    assert rows["Kết quả khác nhau"][1:4] == ["a-key", "Bộ chấp nhận", "Bộ từ chối"]
    assert rows["Quá hạn trả lời"][1:4] == [f"Gói {house.submission.pk}", "Bộ đã nhận, chờ kết quả", "–"]
    assert rows["Quá hạn trả lời"][4] == "Chưa ai nhận. quá hạn"
