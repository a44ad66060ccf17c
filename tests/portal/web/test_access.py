"""Who reaches which address: deny by default, one school never sees another, and no page needs inline code."""

import re
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gateway.models import Discrepancy, Statement
from portal.accounts.policy import Permission
from portal.audit.models import Entry
from portal.web.access import Opening
from portal.web.urls import urlpatterns

PUBLIC = {"sign-in", "language", "status"}
POST_ONLY = {"sign-out", "choose-school", "language", "record-recall", "submission-act", "certificate-decide",
             "recall-decide", "endpoint-check", "batch-resume", "discrepancy-act", "reconcile",
             "maintenance-announce", "maintenance-cancel",
             "endpoint-switch", "certificate-register",
             "sealing-confirm", "sealing-release", "sealing-resume",
             "account-act", "token-revoke", "held-act"}  # fmt: skip


def difference(house):
    """An open difference about our package."""
    told = {"explanation": "khác", "found_at": timezone.now()}
    return Discrepancy.objects.get_or_create(kind="OVERDUE", submission=house.submission, defaults=told)[0]


def signed_statement():
    made = {"made_at": timezone.now(), "csv": b"x", "pdf": b"%PDF", "sealed": b"<x/>", "sha256": "0" * 64}
    return Statement.objects.get_or_create(day_on=timezone.localdate(), defaults=made)[0]


def address(name, house, *, theirs=False):
    """The address of a page, about our school's things or about theirs."""
    batch = house.their_batch if theirs else house.batch
    record = house.their_record if theirs else house.admitted
    arguments = {
        "batch": [batch.pk], "batch-progress": [batch.pk], "batch-records": [batch.pk],
        "batch-findings": [batch.pk, "xlsx"], "batch-resume": [batch.pk],
        "record": [record.pk], "record-xml": [record.pk], "record-file": [record.pk], "record-signatures": [record.pk],
        "record-recall": [record.pk],
        "school": [house.theirs.code if theirs else house.ours.code],
        "submission": [house.submission.pk], "submission-act": [house.submission.pk, "giu"],
        "certificate-decide": [house.certificate.pk, "duyet"], "recall-decide": [uuid4(), "duyet"],
        "discrepancy": [difference(house).pk], "discrepancy-act": [difference(house).pk, "nhan"],
        "statement-file": [signed_statement().pk, "pdf"], "maintenance-cancel": [1],
        "endpoint-switch": ["dung"], "account-act": [house.clerk.pk, "khoa"], "token-revoke": [1],
        "held-act": [record.pk, "cho-qua"],
    }  # fmt: skip
    return reverse(name, args=arguments.get(name, []))


NAMES = [pattern.name for pattern in urlpatterns]
OF_ONE_SCHOOL = ["batch", "batch-progress", "batch-records", "batch-findings", "record", "record-xml", "record-file",
                 "record-signatures", "record-recall"]  # fmt: skip
DEPARTMENT = [pattern.name for pattern in urlpatterns if str(pattern.pattern).startswith("so/")]


def ask(client, name, where):
    return client.post(where, {"reason": "một lý do đủ dài"}) if name in POST_ONLY else client.get(where)


def test_every_page_declares_its_permission():
    for pattern in urlpatterns:
        declared = getattr(pattern.callback, "permission", None)
        assert isinstance(declared, Permission | Opening), f"{pattern.name} declares nothing"
        assert (declared is Opening.PUBLIC) == (pattern.name in PUBLIC), pattern.name


def failing(names, holds):
    """The names for which `holds` is not true, so that one test tells of all of them."""
    return [name for name in names if not holds(name)]


def test_a_stranger_is_led_to_the_sign_in_page(house):
    def led(name):
        answer = ask(Client(), name, address(name, house))
        return answer.status_code == 302 and answer["Location"].startswith("/dang-nhap/")

    assert failing([name for name in NAMES if name not in PUBLIC], led) == []


def test_a_school_does_not_find_what_belongs_to_another(house, browser):
    clerk, other = browser(house.clerk), browser(house.other_clerk)

    def hidden(name):
        theirs, ours = address(name, house, theirs=True), address(name, house)
        return (
            ask(clerk, name, theirs).status_code == 404
            and ask(other, name, ours).status_code == 404
            and ask(clerk, name, ours).status_code in (200, 302)
        )

    assert failing(OF_ONE_SCHOOL, hidden) == []


def test_a_school_may_open_no_page_of_the_department(house, browser):
    clerk = browser(house.clerk)
    assert failing(DEPARTMENT, lambda name: ask(clerk, name, address(name, house)).status_code == 403) == []


def test_lists_of_a_school_hold_its_own_rows_only(house, browser):
    client = browser(house.clerk)
    for path in ("/", reverse("batches") + "?school=" + house.theirs.code, reverse("school-recalls")):
        text = client.get(path).content.decode()
        assert str(house.their_batch.pk) not in text
        assert house.theirs.name not in text
        assert house.their_record.full_name not in text
    assert str(house.batch.pk) in client.get(reverse("batches")).content.decode()


def test_an_administrator_opens_no_child_s_record(house, browser):
    client = browser(house.administrator)
    names = [name for name in NAMES if name.startswith(("record", "batch"))]
    assert failing(names, lambda name: ask(client, name, address(name, house)).status_code == 403) == []


def test_a_form_without_its_token_is_refused(house, browser):
    clients = [browser(user, enforce_csrf_checks=True) for user in (house.clerk, house.officer)]

    def refused(name):
        answers = [client.post(address(name, house), {"reason": "lý do"}) for client in clients]
        return all(answer.status_code == 403 for answer in answers)

    assert failing([*POST_ONLY, "hand-in", "change-password", "search", "school-certificates"], refused) == []


INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|=\"javascript:|(?:src|href|action)=\"(?:https?:)?//"
)


def test_every_page_answers_under_the_strict_policy_without_inline_code(house, browser):
    officer, clerk, admin = (browser(user) for user in (house.officer, house.clerk, house.administrator))
    for name in NAMES:
        if name in POST_ONLY:
            continue
        client = Client() if name == "sign-in" else officer if name in DEPARTMENT else clerk
        client = admin if name in ("accounts", "tokens") else client
        answer = client.get(address(name, house))
        assert answer.status_code == 200, name
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Frame-Options"] == "DENY"
        assert name in PUBLIC or "no-store" in answer["Cache-Control"], name
        if "html" in answer["Content-Type"]:
            assert not INLINE.search(answer.content.decode()), name


def test_a_form_of_unlikely_size_is_refused_before_it_is_read(house, browser):
    for name in ("sign-in", "search", "school-certificates"):
        answer = browser(house.clerk).post(address(name, house), {"file": SimpleUploadedFile("a", b"x" * 1_100_000)})
        assert answer.status_code == 413, name


def test_an_unknown_address_is_a_page_that_says_what_to_do(house, browser):
    client = browser(house.officer)
    for path in ("/khong-co/", "/lo/abc/", "/hoc-ba/999999999/", "/so/hang-doi/abc/", "/so/truong/khong-co/"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "Không có trang này" in answer.content.decode()


def test_each_reading_of_a_child_s_data_leaves_a_line_in_the_journal(house, browser):
    client = browser(house.clerk)
    for name in ("record", "record-xml", "record-file", "record-signatures", "batch", "batch-findings"):
        client.get(address(name, house))
    lines = list(Entry.objects.filter(actor=house.clerk).order_by("pk").values_list("action", "school_id"))
    ours = house.ours.pk
    assert lines == [("record.read", ours)] * 4 + [("batch.read", ours), ("batch.findings_exported", ours)]
    assert house.admitted.full_name not in str(list(Entry.objects.values()))


def test_the_table_of_records_asked_for_alone_is_a_reading_too(house, browser):
    client = browser(house.clerk)
    table = reverse("batch-records", args=[house.admitted.batch_id])
    assert house.admitted.full_name in client.get(table).content.decode()
    assert Entry.objects.filter(action="batch.read").count() == 1
    client.get(table)  # the open page refreshes itself
    assert Entry.objects.filter(action="batch.read").count() == 1
    client.get(table + "?state=ADMITTED")
    assert Entry.objects.filter(action="batch.read").count() == 2


def test_a_school_s_list_of_recalls_leaves_a_line_in_the_journal(house, browser):
    browser(house.clerk).get(reverse("school-recalls"))
    assert Entry.objects.filter(action="recall.read", actor=house.clerk, school_id=house.ours.pk).count() == 1
