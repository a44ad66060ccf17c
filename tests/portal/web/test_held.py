"""Held records on the officers' page: both engines' words, four eyes, a reason, the journal; the school is told."""

import pytest
from django.urls import reverse

from portal.accounts.models import Membership
from portal.audit.models import Entry
from portal.records import disputes
from portal.records.models import HeldApproval, Record
from portal.records.processing import rechecking, working
from portal.records.states import RecordState
from portal.rehearsal.batches import unsigned_batch
from signing.report import Indication, Report, SubIndication
from tests.portal.web.conftest import person

REASON = {"reason": "Đã đối chiếu bằng công cụ khác"}


def contradicts(document, policy, trust, *, at, revocation=None):
    return Report(policy.name, Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE, "DIGEST_MISMATCH", engine="second")


@pytest.fixture
def held(house, cast, hand_in, monkeypatch) -> Record:
    """One of our school's records, about which the engines disagree."""
    made = cast.made("02")
    batch = hand_in(made, unsigned_batch(cast.records(made, 1, first=7)).data)
    record = batch.records.get(state=RecordState.ADMITTED)
    with monkeypatch.context() as planted:
        planted.setattr(disputes, "verify_again", contradicts)
        disputes.recheck(record=record, actor=house.officer, now=batch.received_at)
    record.refresh_from_db()
    return record


@pytest.fixture
def second_officer(db):
    return person("can-bo-hai", Membership.Role.OFFICER)


def act(client, record, name, **data):
    return client.post(reverse("held-act", args=[record.pk, name]), data, follow=True).content.decode()


def test_the_page_shows_what_both_engines_said_and_leaves_a_line_in_the_journal(house, browser, held):
    text = browser(house.officer).get(reverse("held")).content.decode()
    for part in (held.full_name, held.school.name, "ENGINES_DISAGREE", "DIGEST_MISMATCH", "Bộ kiểm tra thứ hai"):
        assert part in text
    entry = Entry.objects.get(action="held.read")
    assert (entry.actor, entry.detail["shown"]) == (house.officer, 1)


def test_letting_a_record_through_takes_two_officers(house, browser, held, second_officer):
    first, second = browser(house.officer), browser(second_officer)
    assert "Cán bộ khác phải xác nhận" in act(first, held, "cho-qua", **REASON)
    held.refresh_from_db()
    assert held.state == RecordState.RECEIVED
    assert "phải có cán bộ khác" in act(first, held, "cho-qua", **REASON)
    assert "đã đề nghị cho qua" in second.get(reverse("held")).content.decode()
    assert "Đã cho học bạ đi tiếp" in act(second, held, "cho-qua", reason="Đồng ý với đề nghị")
    held.refresh_from_db()
    assert (held.state, held.standing) == (RecordState.ADMITTED, "IN_FORCE")
    kept = Entry.objects.filter(subject_id=str(held.pk), action__startswith="record.dispute").order_by("pk")
    assert [(one.action, one.actor) for one in kept] == [
        ("record.dispute_approved", house.officer), ("record.dispute_admitted", second_officer),
    ]  # fmt: skip
    assert kept.last().detail["approved_by"] == house.officer.username
    assert "Không có học bạ nào bị giữ" in second.get(reverse("held")).content.decode()


def test_where_the_setting_says_so_one_officer_is_enough(house, browser, held, settings):
    settings.RECORDS = getattr(settings, "RECORDS", {}) | {"held_four_eyes": False}
    act(browser(house.officer), held, "cho-qua", **REASON)
    held.refresh_from_db()
    assert held.state == RecordState.ADMITTED


def test_a_decision_needs_a_reason_and_a_new_disagreement_takes_an_approval_back(house, browser, held, monkeypatch):
    client = browser(house.officer)
    for name in ("cho-qua", "tu-choi"):
        assert "Hãy ghi lý do" in act(client, held, name, reason=" ")
    act(client, held, "cho-qua", **REASON)
    monkeypatch.setattr(disputes, "verify_again", contradicts)
    assert "vẫn bất đồng" in act(client, held, "kiem-tra-lai")
    held.refresh_from_db()
    assert not hasattr(held, "held_approval")
    assert [one["code"] for one in held.findings].count("ENGINES_DISAGREE") == 1


def test_a_second_look_that_agrees_says_so_and_decides_nothing(house, browser, held):
    assert "thống nhất" in act(browser(house.officer), held, "kiem-tra-lai")
    held.refresh_from_db()
    assert held.state == RecordState.RECEIVED
    assert Entry.objects.filter(action="record.rechecked", actor=house.officer, subject_id=str(held.pk)).count() == 2


def test_a_refused_record_goes_back_to_its_school_with_the_reason(house, browser, held):
    act(browser(house.officer), held, "tu-choi", **REASON)
    held.refresh_from_db()
    assert (held.state, held.error_count) == (RecordState.REFUSED, 1)
    text = browser(house.clerk).get(reverse("record", args=[held.pk])).content.decode()
    assert REASON["reason"] in text
    assert "HELD_REFUSED" in text


def test_the_school_is_told_why_its_record_waits_and_cannot_decide(house, browser, held):
    client = browser(house.clerk)
    assert "được giữ lại để cán bộ Sở xem" in client.get(reverse("record", args=[held.pk])).content.decode()
    assert browser(house.other_clerk).get(reverse("record", args=[held.pk])).status_code == 404
    for who in (house.clerk, house.inspector, house.administrator):
        assert browser(who).get(reverse("held")).status_code == 403
        answer = browser(who).post(reverse("held-act", args=[held.pk, "cho-qua"]), REASON)
        assert answer.status_code == 403
    held.refresh_from_db()
    assert held.state == RecordState.RECEIVED


def test_only_a_form_of_ours_decides_and_only_about_what_is_held(house, browser, held):
    where = reverse("held-act", args=[held.pk, "cho-qua"])
    assert browser(house.officer).get(where).status_code == 405
    assert browser(house.officer, enforce_csrf_checks=True).post(where, REASON).status_code == 403
    assert browser(house.officer).post(reverse("held-act", args=[held.pk, "xoa"]), REASON).status_code == 404
    assert browser(house.officer).post(reverse("held-act", args=[0, "cho-qua"]), REASON).status_code == 404
    free = Record.objects.exclude(pk=held.pk).first()
    assert "không bị giữ" in act(browser(house.officer), free, "cho-qua", **REASON)
    assert "không bị giữ" in act(browser(house.officer), free, "kiem-tra-lai")
    assert not HeldApproval.objects.exists()


def test_a_decision_at_the_command_line_says_so_in_the_journal(house, held):
    disputes.let_through(record=held, by=None, reason=REASON["reason"], now=house.batch.received_at)
    entry = Entry.objects.get(action="record.dispute_admitted")
    assert (entry.actor, entry.detail) == (None, {"operator": "command line"})


@pytest.fixture
def killing(house, cast, hand_in, monkeypatch) -> Record:
    """A record of our school whose check was seen to kill its process."""
    monkeypatch.setattr(working, "judge", lambda raw, court: working.judge_killing(raw))
    batch = hand_in(cast.made("02"), unsigned_batch(cast.records(cast.made("02"), 1, first=9)).data)
    return batch.records.get()


def test_what_killed_its_check_is_checked_again_from_the_page_and_never_let_through_unchecked(
    house, browser, killing, monkeypatch
):
    client, where = browser(house.officer), reverse("held-act", args=[killing.pk, "cho-qua"])
    text = client.get(reverse("held")).content.decode()
    assert "CHECK_KILLS" in text
    assert "trong một tiến trình riêng" in text
    assert ">Cho qua<" not in text
    assert client.post(where, REASON).status_code == 302
    killing.refresh_from_db()
    assert killing.state == RecordState.RECEIVED
    monkeypatch.setattr(rechecking, "command", lambda *_: ["sh", "-c", "kill -9 $$"])
    assert "vẫn bị giữ" in act(client, killing, "kiem-tra-lai")
    monkeypatch.setattr(rechecking, "_watched", lambda _: rechecking.run(
        record_id=killing.pk, actor_id=house.officer.pk, address="127.0.0.1", now=house.batch.received_at
    ))  # fmt: skip
    assert "hợp lệ và đã vào hàng chờ gửi" in act(client, killing, "kiem-tra-lai")
    killing.refresh_from_db()
    assert (killing.state, killing.standing) == (RecordState.ADMITTED, "IN_FORCE")
    kept = Entry.objects.filter(action="record.rechecked", actor=house.officer, subject_id=str(killing.pk))
    assert [one.detail["outcome"] for one in kept.order_by("pk")] == ["DIED", "ADMITTED"]


def test_the_words_given_to_the_child_name_the_officer_and_nothing_else():
    assert rechecking.command(7, 3, "::1")[-6:] == ["recheck_held", "7", "--actor", "3", "--address", "::1"]
    assert rechecking.command(7, None, None)[-2:] == ["recheck_held", "7"]
