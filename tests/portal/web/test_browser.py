"""A clerk's morning in a real browser: sign in, hand in a ZIP, watch it, open a record; axe has no objection."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from gateway.models import Item
from portal.accounts.models import User
from portal.records import dispatch, processing
from portal.records.models import Batch
from portal.rehearsal.batches import zip_batch

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium on this machine: apt-get install chromium"),
]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page of a fresh browser that reaches nothing but this machine; errors of its console fail the test."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # The synchronous driver runs an event loop in this thread, which Django's ORM would refuse.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.fspath(CHROMIUM), headless=True, chromium_sandbox=False, args=ARGUMENTS
        )
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        opened.on("console", lambda said: complaints.append(said.text) if _is_ours(said) else None)
        yield opened
        browser.close()
        assert complaints == []


def _is_ours(said: Any) -> bool:
    # Chromium remarks on every 4xx answer; a refusal is one on purpose.
    return said.type == "error" and "Failed to load resource" not in said.text


def accessible(page: Any) -> None:
    """No violation of axe's rules on this page, wide and narrow, and nothing that must be scrolled sideways."""
    from axe_playwright_python.sync_playwright import Axe

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        violations = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == [], (page.url, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    page.set_viewport_size({"width": 1280, "height": 900})


def sign_in(page: Any, base: str, name: str, password: str = "mot-mat-khau-dai") -> None:
    page.goto(f"{base}/dang-nhap/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.click("button.primary")
    page.wait_for_url(lambda url: "dang-nhap" not in url)


@pytest.mark.django_db(transaction=True)
def test_a_clerk_hands_in_a_zip_and_watches_it_to_accepted(page, live_server, cast, tmp_path):
    made = cast.made("02")
    page.goto(f"{live_server.url}/dang-nhap/")
    accessible(page)
    sign_in(page, live_server.url, made.clerk_user_name)
    accessible(page)

    page.click("text=Nộp học bạ >> nth=0")
    archive = tmp_path / "lop-1a.zip"
    archive.write_bytes(zip_batch(cast.records(made, 3)).data)
    page.set_input_files("#id_file", archive)
    assert "lop-1a.zip" in page.inner_text("#da-chon")
    accessible(page)
    page.click("#nut-nop")
    page.wait_for_url("**/lo/*/")
    assert "đang chờ mở" in page.inner_text("#tien-do")

    # From here on nobody touches the page: it must tell by itself what becomes of the batch.
    page.evaluate("window.notReloaded = true")
    processing.process_batch(batch_id=Batch.objects.get().pk)
    page.wait_for_selector("#hoc-ba a >> nth=2", timeout=60_000)
    dispatch.dispatch_due(now=timezone.now() + timedelta(days=1), at_once=True)
    Item.objects.update(verdict="ACCEPTED", judged_at=timezone.now())
    page.wait_for_selector("text=Bộ chấp nhận mọi học bạ", timeout=60_000)
    assert page.evaluate("window.notReloaded")
    assert page.locator("#tien-do[hx-trigger]").count() == 0
    accessible(page)

    page.click("#hoc-ba .record a >> nth=0")
    page.wait_for_selector(".paper")
    assert "BẢNG ĐIỂM" in page.inner_text(".paper").upper()
    accessible(page)
    for tab in ("Chữ ký", "XML"):
        page.click(f".tabs >> text={tab}")
        page.wait_for_selector(f".tabs a[aria-current]:has-text('{tab}')")
        accessible(page)


@pytest.mark.django_db(transaction=True)
def test_a_refused_file_is_explained_on_the_spot(page, live_server, cast, tmp_path):
    sign_in(page, live_server.url, cast.made("02").clerk_user_name)
    page.goto(f"{live_server.url}/nop-hoc-ba/")
    wrong = tmp_path / "so-diem.pdf"
    wrong.write_bytes(b"%PDF-1.7")
    page.set_input_files("#id_file", wrong)
    page.click("#nut-nop")
    page.wait_for_selector("#tu-choi:not([hidden])")
    assert "PDF" in page.inner_text("#tu-choi")
    accessible(page)


@pytest.mark.django_db(transaction=True)
def test_the_department_s_pages_are_accessible(page, live_server, cast):
    User.objects.filter(username="chuyenvien1").update(must_change_password=False)
    sign_in(page, live_server.url, "chuyenvien1")
    pages = (
        "tong-quan", "truong", "hang-doi", "duong-truyen", "duong-truyen/lan-chay", "duong-truyen/phieu-dang-ky",
        "doi-soat", "bi-giu", "chung-thu-so", "thu-hoi", "nhat-ky",
    )  # fmt: skip
    for path in pages:
        page.goto(f"{live_server.url}/so/{path}/")
        accessible(page)


@pytest.mark.django_db(transaction=True)
def test_a_live_part_that_replaces_itself_keeps_the_reader_s_place(page, live_server, house):
    """By keyboard the focus stays on the package; a selection of text is not thrown away."""
    User.objects.filter(pk=house.officer.pk).update(must_change_password=False)
    sign_in(page, live_server.url, house.officer.username)
    page.goto(f"{live_server.url}/so/hang-doi/")
    again = "htmx.ajax('GET', 'song/', {source: '#hang-doi', target: '#hang-doi', swap: 'outerHTML'})"
    link = f'#hang-doi a[href*="{house.submission.pk}"]'
    page.focus(link)
    page.evaluate("document.querySelector('#hang-doi').dataset.before = '1'")
    page.evaluate(again)
    page.wait_for_selector("#hang-doi:not([data-before])")
    page.wait_for_function(f"document.activeElement.href?.includes('{house.submission.pk}')")
    page.evaluate("document.querySelector('#hang-doi').dataset.before = '1'")
    page.evaluate(f"window.getSelection().selectAllChildren(document.querySelector('{link}'))")
    page.evaluate(again)
    page.wait_for_timeout(300)
    assert page.locator("#hang-doi[data-before]").count() == 1
