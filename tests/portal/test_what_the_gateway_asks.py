"""The hooks the gateway calls upward: notices reach journal and officers, certificates are named, a seal is put."""

from datetime import UTC, datetime

import pytest
from django.core import mail

from gateway import circuit, conf, expiry, notices, sync
from portal.audit import notices as taken
from portal.audit.models import Entry
from portal.records import reporting
from portal.schools.models import Certificate
from signing.xml import parse

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def test_a_pause_and_its_end_stand_in_the_journal_once_each_and_officers_get_one_mail_each(
    cast, settings, django_capture_on_commit_callbacks
):
    settings.OFFICERS_EMAIL = ["truc@example.vn"]
    row = circuit.row(conf.endpoint())
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            circuit.pause(
                row, "ADDRESS_REFUSED", "Bộ từ chối 10.0.0.9", description=conf.endpoint(), now=NOW,
                rng=sync.randomness(),
            )  # fmt: skip
        for _ in range(3):
            circuit.resume(row, now=NOW)
    entries = Entry.objects.filter(subject_kind="endpoint").order_by("pk")
    assert [entry.action for entry in entries] == ["line.paused", "line.resumed"]
    assert entries[0].reason == "Bộ từ chối 10.0.0.9"
    assert [message.subject for message in mail.outbox] == [
        "[Cổng học bạ số] Đường truyền tới Bộ tạm dừng",
        "[Cổng học bạ số] Đường truyền tới Bộ đã thông",
    ]
    assert {tuple(message.to) for message in mail.outbox} == {("truc@example.vn",)}


def test_without_addresses_nothing_is_mailed_and_the_journal_has_it_all_the_same(
    db, settings, django_capture_on_commit_callbacks
):
    settings.OFFICERS_EMAIL = []
    with django_capture_on_commit_callbacks(execute=True):
        taken.take(event="EXPIRES", endpoint="x", cause="SEAL", message="còn 7 ngày")
    assert mail.outbox == []
    assert Entry.objects.get().action == "line.expires"


def test_a_mail_server_that_is_away_stops_nothing(db, settings, monkeypatch, django_capture_on_commit_callbacks):
    def away(*_: object) -> int:
        raise ConnectionRefusedError

    settings.OFFICERS_EMAIL = ["truc@example.vn"]
    monkeypatch.setattr(taken, "send_mail", away)
    with django_capture_on_commit_callbacks(execute=True):
        taken.take(event="PAUSED", endpoint="x", cause="UNREACHABLE", message="không nối được")
    assert Entry.objects.count() == 1


def test_a_listener_that_fails_does_not_undo_the_pause(cast, settings):
    settings.GATEWAY_NOTIFY = "portal.records.reporting.seal_certificate"  # takes no arguments: it raises
    row = circuit.row(conf.endpoint())
    paused = circuit.pause(
        row, "UNREACHABLE", "x", description=conf.endpoint(), now=NOW, rng=sync.randomness()
    )  # fmt: skip
    row.refresh_from_db()
    assert (paused, row.state) == (True, "PAUSED")


def test_seal_schools_and_anchors_are_watched_each_school_by_its_newest_certificate(cast):
    found = [expiry.Watched(*one) for one in reporting.certificates()]
    roles = [one.role for one in found]
    assert roles.count("SEAL") == 1
    assert roles.count("SCHOOL") == Certificate.objects.filter(state="APPROVED").values("school").distinct().count() > 0
    assert roles.count("ANCHOR") > 0
    old = Certificate.objects.filter(state="APPROVED").first()
    fields = {f.name: getattr(old, f.name) for f in Certificate._meta.fields if f.name != "id"}
    Certificate.objects.create(**fields | {"sha256": "f" * 64, "not_after": datetime(2050, 1, 1, tzinfo=UTC)})
    again = [one for one in reporting.certificates() if one[0] == "SCHOOL"]
    assert len(again) == roles.count("SCHOOL")
    assert any(one[2] == "f" * 64 for one in again)
    assert not any(one[2] == old.sha256 for one in again), "a replaced certificate needs no renewal"


def test_without_the_key_everything_else_is_still_watched(cast, settings, tmp_path):
    settings.SIGNING_KEY_FILE = tmp_path / "absent.p12"
    assert {one[0] for one in reporting.certificates()} == {"SCHOOL", "ANCHOR"}


def test_the_seal_on_a_statement_changes_none_of_its_bytes(cast):
    document = b'<BANG_KE_DOI_SOAT id="bangKe"><NGAY>2026-06-01</NGAY></BANG_KE_DOI_SOAT>'
    sealed = reporting.seal_statement(document, at=NOW)
    assert sealed.startswith(document.removesuffix(b"</BANG_KE_DOI_SOAT>"))
    assert [child.tag.rpartition("}")[2] for child in parse(sealed).root] == ["NGAY", "Signature"]


@pytest.mark.parametrize("event", ["PAUSED", "RESUMED", "EXPIRES", "DISCREPANCIES", "MISSED"])
def test_every_event_has_words_in_the_journal(db, event):
    from portal.web.read.journal import ACTIONS

    notices.tell(event=event, endpoint="x", cause="C", message="m")
    assert Entry.objects.get().action in ACTIONS
