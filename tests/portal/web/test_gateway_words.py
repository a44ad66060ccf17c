"""What the gateway says in Vietnamese is English on an English page; the Ministry's own words stay as they came."""

import re
from pathlib import Path

import polib
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from gateway import doctor
from gateway.doctor import causes
from gateway.doctor.examination import _STEPS
from gateway.ministry.errors import CAUSES, FateUnknown, LinkRefused
from gateway.models import Endpoint
from portal.web.read.gateway_words import PATTERNS, said

VIETNAMESE = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)


def english(text: str) -> str:
    with translation.override("en"):
        return said(text)


def test_every_cause_of_a_pause_is_said_in_english():
    for code, text in CAUSES.items():
        for shown in (text, f"{text} (HTTP 403)", f"{CAUSES['UNAVAILABLE']} ({text})"):
            assert not VIETNAMESE.search(english(shown)), (code, english(shown))


def test_every_leg_and_every_cause_of_the_doctor_is_said_in_english():
    texts = [title for _step, title, *_ in _STEPS]
    texts += [part for pair in causes._CAUSES.values() for part in pair]
    for status, body in ((200, b"<title>x</title>"), (404, b"{}"), (502, b"<html>"), (200, b"{}")):
        for problem in (FateUnknown("ANSWER_UNREADABLE", "Bộ trả mã X.", status=status, body=body),
                        LinkRefused("ADDRESS_REFUSED", CAUSES["ADDRESS_REFUSED"], status=403)):  # fmt: skip
            texts += causes.of_ministry(problem)
    for text in texts:
        assert not VIETNAMESE.search(english(text)), (text, english(text))


@pytest.mark.parametrize(
    ("vietnamese", "told"),
    [
        ("Không nối được TCP tới 10.1.1.1:443: cổng đóng.", "No TCP connection to 10.1.1.1:443: the port is closed."),
        ("Đồng hồ của Bộ nhanh hơn máy này 5 phút.", "The Ministry's clock is ahead of this machine's by 5 min."),
        ("Học bạ thiếu ngày sinh; xem tệp (mục 3)", "Học bạ thiếu ngày sinh; xem tệp (mục 3)"),
        ("", ""),
    ],
)
def test_values_stay_in_their_places_and_words_that_are_not_ours_stay_as_they_are(vietnamese, told):
    assert english(vietnamese) == told
    assert said(vietnamese) == vietnamese, "a Vietnamese page shows what was written"


def test_every_pattern_stands_in_the_catalogue(checkout: Path):
    known = {entry.msgid for entry in polib.pofile(checkout / "portal/locale/en/LC_MESSAGES/django.po")}
    assert set(PATTERNS) <= known


def test_the_line_s_page_in_english_holds_no_vietnamese_sentence_of_the_gateway(house, browser, monkeypatch):
    Endpoint.objects.update(
        state="PAUSED", cause="ADDRESS_REFUSED", cause_message=f"{CAUSES['ADDRESS_REFUSED']} (HTTP 403)",
        paused_at=timezone.now(),
    )  # fmt: skip
    legs = [doctor.Finding("TOKEN", "Đăng nhập, mã phiên", "FAILED", *causes.of_ministry(
        LinkRefused("ADDRESS_REFUSED", CAUSES["ADDRESS_REFUSED"], status=403)))]  # fmt: skip
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: legs)
    client: Client = browser(house.officer)
    client.post(reverse("language"), {"language": "en", "tiep": "/"})
    text = client.post(reverse("endpoint-check")).content.decode()
    assert "The Ministry refuses our source IP address. (HTTP 403)" in text
    assert "Broken at the leg “Sign-in, token”" in text
    assert "The department&#x27;s network people" in text
    assert "Bộ từ chối" not in text
