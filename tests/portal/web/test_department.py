"""What officers do: hold and release with a reason, decide certificates under four eyes, read overview and journal."""

import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from gateway.models import Endpoint, Item
from portal.audit.models import Entry
from portal.records import recall
from portal.rehearsal.install import certificate_columns
from portal.rehearsal.pki import Flaw
from portal.schools.models import Certificate
from portal.schools.vetting import vet


def test_holding_and_releasing_needs_a_reason_and_is_journalled(house, browser):
    client = browser(house.officer)
    hold = reverse("submission-act", args=[house.submission.pk, "giu"])
    client.post(hold, {"reason": " "})
    house.submission.refresh_from_db()
    assert house.submission.state == "QUEUED"
    client.post(hold, {"reason": "Bộ báo bảo trì"})
    house.submission.refresh_from_db()
    assert house.submission.state == "HELD"
    client.post(reverse("submission-act", args=[house.submission.pk, "tha"]), {"reason": "Bộ báo xong"})
    house.submission.refresh_from_db()
    assert house.submission.state == "QUEUED"
    kept = Entry.objects.filter(subject_id=str(house.submission.pk)).order_by("pk").values_list("action", "reason")
    assert list(kept) == [("submission.held", "Bộ báo bảo trì"), ("submission.released", "Bộ báo xong")]


def test_an_inspector_looks_but_does_not_touch(house, browser):
    client = browser(house.inspector)
    page = client.get(reverse("submission", args=[house.submission.pk]))
    assert page.status_code == 200
    assert "Tạm giữ" not in page.content.decode()
    act = client.post(reverse("submission-act", args=[house.submission.pk, "giu"]), {"reason": "thử xem sao"})
    assert act.status_code == 403


def test_a_paused_line_says_why_since_when_and_what_to_do(house, browser):
    Endpoint.objects.update(
        state="PAUSED", cause="ADDRESS_REFUSED", cause_message="Bộ từ chối địa chỉ 10.0.0.1",
        paused_at=house.batch.received_at, next_probe_at=house.batch.received_at,
    )  # fmt: skip
    client = browser(house.officer)
    for name in ("endpoint", "overview", "queue"):
        text = client.get(reverse(name)).content.decode()
        assert "10.0.0.1" in text, name
        assert "danh sách IP được phép" in text, name


def test_who_asked_for_a_certificate_does_not_decide_it(house, browser):
    Certificate.objects.update(requested_by=house.officer)
    where = reverse("certificate-decide", args=[house.certificate.pk, "duyet"])
    answer = browser(house.officer).post(where, {"reason": ""}, follow=True)
    assert "không được tự duyệt" in answer.content.decode()
    house.certificate.refresh_from_db()
    assert house.certificate.state == "REQUESTED"


def test_a_certificate_is_approved_by_another_officer_and_declined_only_with_a_reason(house, browser):
    client = browser(house.officer)
    client.post(reverse("certificate-decide", args=[house.certificate.pk, "tu-choi"]), {"reason": ""})
    house.certificate.refresh_from_db()
    assert house.certificate.state == "REQUESTED"
    client.post(reverse("certificate-decide", args=[house.certificate.pk, "duyet"]), {"reason": ""})
    house.certificate.refresh_from_db()
    assert (house.certificate.state, house.certificate.decided_by) == ("APPROVED", house.officer)


@pytest.mark.parametrize(
    ("flaw", "code"), [(Flaw.FOREIGN_ISSUER, "CHAIN_NOT_FOUND"), (Flaw.WEAK_KEY, "KEY_TOO_WEAK"),
                       (Flaw.EXPIRED, "CERTIFICATE_EXPIRED"), (Flaw.WRONG_USAGE, "NOT_FOR_SIGNING")],
)  # fmt: skip
def test_a_certificate_nobody_vouches_for_cannot_be_approved_and_the_page_says_why(
    house, browser, cast, pki, flaw, code
):
    columns = certificate_columns(pki.organisation(cast.made("03"), flaw))
    Certificate.objects.filter(pk=house.certificate.pk).update(**columns)
    client = browser(house.officer)
    page = client.get(reverse("certificates")).text
    assert code in page
    assert "/duyet/" not in page
    client.post(reverse("certificate-decide", args=[house.certificate.pk, "duyet"]), {"reason": ""})
    house.certificate.refresh_from_db()
    assert house.certificate.state == "REQUESTED"


def test_a_certificate_that_vouches_for_itself_has_no_chain(house, pki):
    own = Certificate(der=pki.foreign.identity.certificate.public_bytes(Encoding.DER))
    assert vet(own, now=timezone.now()).code == "CHAIN_NOT_FOUND"


def test_the_page_of_certificates_names_owner_chain_and_strength_readably(house, browser, pki):
    page = browser(house.officer).get(reverse("certificates")).text
    waiting = page[page.index("Chờ duyệt") : page.index("Đã quyết định")]
    assert house.theirs.name in waiting
    assert "2.5.4.5=" not in waiting
    assert "Nối được tới gốc tin cậy" in waiting
    assert re.search(r"(RSA|EC) \d+ bit", waiting)


def test_the_overview_counts_by_level_and_by_school(house, browser):
    text = browser(house.administrator).get(reverse("overview")).content.decode()
    for expected in (house.ours.name, house.theirs.name, "Tiểu học", "Trung học cơ sở"):
        assert expected in text
    assert house.admitted.full_name not in text


def test_a_school_asks_and_the_department_decides_a_recall_after_closing(house, browser):
    client = browser(house.clerk)
    record = house.admitted
    client.post(reverse("record-recall", args=[record.pk]), {"reason": "Ghi nhầm tên lớp"})
    asked = record.recalls.get()
    assert asked.state == "REQUESTED"
    assert "Ghi nhầm tên lớp" in browser(house.officer).get(reverse("recalls")).content.decode()
    browser(house.officer).post(reverse("recall-decide", args=[asked.pk, "duyet"]), {"reason": "Đồng ý"})
    asked.refresh_from_db()
    record.refresh_from_db()
    assert (asked.state, record.standing) == ("APPROVED", "RECALLED")
    assert "ĐÃ THU HỒI" in client.get(reverse("record", args=[record.pk])).content.decode()


@pytest.fixture
def refused_recall(house, browser):
    """A recall that the department granted and the Ministry refused."""
    record = house.admitted
    Item.objects.filter(pk=record.item_id).update(verdict="ACCEPTED", judged_at=timezone.now())
    browser(house.clerk).post(reverse("record-recall", args=[record.pk]), {"reason": "Ghi nhầm tên lớp"})
    found = record.recalls.get()
    browser(house.officer).post(reverse("recall-decide", args=[found.pk, "duyet"]), {"reason": "Đồng ý"})
    assert recall.dispatch_due(now=timezone.now()) == 1
    found.refresh_from_db()
    errors = [{"code": "RECALL_LATE", "field": "", "message": "Quá hạn thu hồi"}]
    Item.objects.filter(pk=found.item_id).update(verdict="REJECTED", judged_at=timezone.now(), errors=errors)
    return found


def test_a_refused_recall_is_shown_with_the_ministry_s_reason_and_asked_for_again(house, browser, refused_recall):
    officer = browser(house.officer)
    cache.clear()  # the overview's figures are some seconds old
    page = officer.get(reverse("recalls")).text
    assert "Bộ từ chối thu hồi, chờ Sở giải quyết" in page
    assert "Quá hạn thu hồi" in page
    assert "Thu hồi bị Bộ từ chối" in officer.get(reverse("overview")).text
    said = officer.post(reverse("recall-decide", args=[refused_recall.pk, "gui-lai"]), follow=True).text
    assert "Đề nghị thu hồi sẽ được gửi Bộ lần nữa." in said
    assert "Bộ từ chối thu hồi, chờ Sở giải quyết" not in said
    refused_recall.refresh_from_db()
    assert refused_recall.state == "APPROVED"


def test_a_refused_recall_is_closed_with_words_and_not_without(house, browser, refused_recall):
    officer = browser(house.officer)
    address = reverse("recall-decide", args=[refused_recall.pk, "da-giai-quyet"])
    assert "Hãy ghi đã giải quyết với Bộ thế nào." in officer.post(address, follow=True).text
    assert "Đã đóng" in officer.post(address, {"reason": "Bộ đã huỷ bản cũ."}, follow=True).text
    refused_recall.refresh_from_db()
    assert (refused_recall.state, refused_recall.decision) == ("SETTLED", "Bộ đã huỷ bản cũ.")
    assert browser(house.clerk).post(address, {"reason": "x"}).status_code in {403, 404}


def test_scheduled_runs_are_told_in_words(db):
    from portal.web.read.run_words import figures_in_words, kind_in_words

    assert kind_in_words("RECONCILE") == "Đối soát hằng đêm"
    assert figures_in_words({"asked": 6, "unanswered": 0, "khac": 2}) == "6 gói đã hỏi, 2 khac"
    assert (kind_in_words("MOI"), figures_in_words({})) == ("MOI", "—")
