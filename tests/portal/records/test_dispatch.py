"""Admitted records become sealed packages: original bytes, under the limits, handed over in one transaction."""

import time
from datetime import timedelta
from uuid import UUID

import pytest

from gateway import circuit, conf, reconciliation
from gateway.discrepancies import Difference, note
from gateway.exchange.envelope import unpack
from gateway.models import Discrepancy, Document, Endpoint, Item, Submission
from gateway.states import DiscrepancyKind
from portal.records import dispatch, recall
from portal.records.models import Recall, Record
from portal.records.states import RecallState, RecordState, Standing
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.records import finish, make_draft
from signing.errors import KeyUnavailable
from signing.xml import cut, parse

LATER = timedelta(minutes=2)


@pytest.fixture
def now():
    from datetime import UTC, datetime

    return datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def document_of(submission: Submission) -> bytes:
    return unpack(bytes(Document.objects.get(submission=submission).packed), max_bytes=20_000_000)


def test_a_package_holds_the_schools_bytes_untouched_and_the_departments_seal(cast, hand_in, now):
    school = cast.made("02")
    made = cast.records(school, 4)
    hand_in(school, unsigned_batch(made).data)
    done = dispatch.dispatch_due(now=now + LATER)
    assert (done.packages, done.records) == (1, 4)
    document = document_of(Submission.objects.get())
    cuts = cut(document)
    assert cuts.root_id == "dataDanhSach"
    assert [document[piece.start : piece.end] for piece in cuts.cuts] == [record.data for record in made]
    assert parse(cuts.shell).root[-1].tag.endswith("}Signature")


def test_records_are_marked_dispatched_with_an_item_of_their_own(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    dispatch.dispatch_due(now=now + LATER)
    for record in Record.objects.select_related("item"):
        assert record.state == RecordState.DISPATCHED
        assert record.item.key == str(record.lookup_uuid)
        assert bytes(record.item.digest) == bytes(record.sha256)


def test_levels_travel_in_packages_of_their_own(cast, hand_in, now):
    for level in ("02", "03", "04"):
        school = cast.made(level)
        hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    assert dispatch.dispatch_due(now=now + LATER).packages == 3
    assert Submission.objects.filter(school_year=2025, kind="RECORDS").count() == 3


def test_a_package_that_is_not_full_waits_a_moment_for_more(cast, hand_in, now, settings):
    settings.RECORDS = {"linger_seconds": 60}
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    assert dispatch.dispatch_due(now=now + timedelta(seconds=59)).packages == 0
    assert dispatch.dispatch_due(now=now + timedelta(seconds=61)).packages == 1


def test_a_full_package_leaves_at_once_and_the_rest_waits(cast, hand_in, now, settings):
    settings.RECORDS = {"linger_seconds": 60, "package_records": 3}
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 7)).data)
    assert dispatch.dispatch_due(now=now).records == 6
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 1


def test_nothing_is_handed_over_when_the_key_cannot_sign(cast, hand_in, now, settings, tmp_path):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    settings.SIGNING_KEY_FILE = tmp_path / "gone.p12"
    with pytest.raises(Exception, match="KEY_FILE_UNREADABLE"):
        dispatch.dispatch_due(now=now + LATER)
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 2
    assert not Submission.objects.exists()


def test_a_record_recalled_before_it_left_is_never_packed(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    record = Record.objects.first()
    before_closing = now.replace(year=2026, month=6, day=1)
    recall.request(record=record, reason="Sai tên", requested_by=None, now=before_closing)
    assert dispatch.dispatch_due(now=now + LATER).records == 1
    record.refresh_from_db()
    assert (record.state, record.standing) == (RecordState.ADMITTED, Standing.RECALLED)


def test_a_recall_after_closing_waits_for_an_officer_and_then_leaves(cast, hand_in, now, django_user_model):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 1)).data)
    dispatch.dispatch_due(now=now + LATER)
    Item.objects.update(verdict="ACCEPTED", judged_at=now)
    clerk, officer = django_user_model.objects.order_by("id")[:2]
    asked = recall.request(record=Record.objects.get(), reason="Sai điểm", requested_by=clerk, now=now)
    assert asked.state == RecallState.REQUESTED
    with pytest.raises(recall.RecallRefused) as refused:
        recall.approve(recall=asked, decided_by=clerk, now=now)
    assert refused.value.code == "FOUR_EYES"
    recall.approve(recall=asked, decided_by=officer, now=now)
    assert recall.dispatch_due(now=now) == 1
    row = Recall.objects.get()
    assert (row.state, row.item.submission.kind) == (RecallState.DISPATCHED, "RECALL")
    assert b"<MA_TRA_CUU_UUID>" in document_of(row.item.submission)


def test_records_of_a_package_refused_as_too_big_are_packed_again(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    dispatch.dispatch_due(now=now + LATER)
    submission = Submission.objects.get()
    Item.objects.filter(position=1).update(verdict="REJECTED", judged_at=now)
    Submission.objects.filter(id=submission.id).update(state="SENDING", lease_until=now, next_attempt_at=None)
    Submission.objects.filter(id=submission.id).update(
        state="REFUSED", lease_until=None, reason_code="STRUCTURE_INVALID", closed_at=now, next_attempt_at=None
    )
    assert dispatch.take_back_due() == 2
    assert dispatch.take_back_due() == 0
    assert dispatch.dispatch_due(now=now + LATER).records == 2


def refuse(submission: Submission, code: str, now) -> None:
    """As outbox.settle writes it when the Ministry refuses a package and names nobody."""
    Submission.objects.filter(id=submission.id).update(state="SENDING", lease_until=now, next_attempt_at=None)
    Submission.objects.filter(id=submission.id).update(
        state="REFUSED", lease_until=None, reason_code=code, closed_at=now, next_attempt_at=None
    )


def test_a_package_refused_without_a_culprit_goes_again_in_two_halves(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 5)).data)
    dispatch.dispatch_due(now=now + LATER)
    first = Submission.objects.get()
    refuse(first, "PACKAGE_INVALID", now)
    assert dispatch.take_back_due() == 0
    assert dispatch.bisect_due(now=now) == 5
    assert dispatch.bisect_due(now=now) == 0
    halves = Submission.objects.exclude(id=first.id)
    assert sorted(one.items_count for one in halves) == [2, 3]
    assert not Record.objects.exclude(state=RecordState.DISPATCHED).exists()
    assert set(Record.objects.values_list("item__submission_id", flat=True)) == {one.id for one in halves}


def test_a_package_refused_after_most_of_it_was_accepted_keeps_no_other_from_being_split(cast, hand_in, now):
    school, other = cast.made("02"), cast.made("03")
    hand_in(school, unsigned_batch(cast.records(school, 12)).data)
    dispatch.dispatch_due(now=now + LATER)
    first = Submission.objects.get()
    last = Item.objects.order_by("pk").last()
    Item.objects.exclude(pk=last.pk).update(verdict="ACCEPTED", judged_at=now)
    refuse(first, "PACKAGE_INVALID", now)
    assert dispatch.bisect_due(now=now) == 1, "what was accepted stays where it is"
    Submission.objects.exclude(pk=first.pk).update(state="SENDING", lease_until=now, next_attempt_at=None)
    hand_in(other, unsigned_batch(cast.records(other, 4)).data)
    dispatch.dispatch_due(now=now + LATER)
    second = Submission.objects.get(state="QUEUED")
    refuse(second, "PACKAGE_INVALID", now)
    assert dispatch.bisect_due(now=now) == 4
    assert Submission.objects.filter(details__split_from=str(second.pk)).count() == 2


def test_a_package_refused_for_our_seal_waits_for_an_officer(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    dispatch.dispatch_due(now=now + LATER)
    refuse(Submission.objects.get(), "SEAL_INVALID", now)
    assert dispatch.bisect_due(now=now) == 0


def test_a_replacement_waits_for_the_ministrys_word_on_the_recall(cast, hand_in, now, django_user_model):
    """Found by `campaign --faults 110 --seed 2`: the new version took effect before the recall of the former one."""
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 1)).data)
    dispatch.dispatch_due(now=now + LATER)
    Item.objects.update(verdict="ACCEPTED", judged_at=now)
    clerk, officer = django_user_model.objects.order_by("id")[:2]
    asked = recall.request(record=Record.objects.get(), reason="Sai điểm", requested_by=clerk, now=now)
    recall.approve(recall=asked, decided_by=officer, now=now)
    draft = make_draft(cast.province, cast.pki, school, 0)
    draft.lookup_uuid = UUID(int=7, version=4)
    draft.general["MA_TRA_CUU_UUID"] = str(draft.lookup_uuid)
    hand_in(school, unsigned_batch([finish(draft)]).data)
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 1
    assert dispatch.dispatch_due(now=now + LATER).records == 0
    assert recall.dispatch_due(now=now) == 1
    assert dispatch.dispatch_due(now=now + LATER).records == 0
    Item.objects.filter(submission__kind="RECALL").update(verdict="ACCEPTED", judged_at=now)
    assert dispatch.dispatch_due(now=now + LATER).records == 1


def test_packing_sixty_records_stays_quick(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 60)).data)
    begun = time.perf_counter()
    assert dispatch.dispatch_due(now=now + LATER).records == 60
    assert time.perf_counter() - begun < 5


def test_each_half_names_the_package_it_came_from(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 4)).data)
    dispatch.dispatch_due(now=now + LATER)
    first = Submission.objects.get()
    refuse(first, "PACKAGE_INVALID", now)
    dispatch.bisect_due(now=now)
    assert Submission.objects.filter(details__split_from=str(first.id)).count() == 2


def test_refusals_that_concern_no_record_do_not_split_the_whole_year_at_once(cast, hand_in, now, settings, tmp_path):
    described = conf.endpoint_file()
    settings.GATEWAY_ENDPOINT_FILE = tmp_path / "bounded.toml"
    settings.GATEWAY_ENDPOINT_FILE.write_text(f'extends = "{described}"\n[sending]\nbisections_an_hour = 3\n', "utf-8")
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 8)).data)
    dispatch.dispatch_due(now=now + LATER)
    made = [Submission.objects.count()]
    for _ in range(6):
        for one in Submission.objects.filter(state="QUEUED"):
            refuse(one, "YEAR_CLOSED", now)
        dispatch.bisect_due(now=now)
        made.append(Submission.objects.count())
    assert made[-1] == made[-2] < 15, made
    dispatch.bisect_due(now=now + timedelta(hours=2))
    assert Submission.objects.count() > made[-1], "it goes on when the hour has passed"


def test_records_refused_for_our_seal_are_sealed_anew_when_a_person_let_the_line_go_on(cast, hand_in, now):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    dispatch.dispatch_due(now=now + LATER)
    refused = Submission.objects.get()
    Endpoint.objects.update(state="PAUSED", cause="SEAL_REFUSED", paused_at=now)
    refuse(refused, "SEAL_INVALID", now)
    assert dispatch.take_back_due() == 0
    circuit.resume(refused.endpoint, now=now + timedelta(minutes=5))
    assert dispatch.take_back_due() == 2
    assert dispatch.dispatch_due(now=now + LATER).records == 2


@pytest.mark.parametrize("code", ["PACKAGE_TOO_BIG", "PACKAGE_INVALID", "SEAL_INVALID"])
def test_records_of_a_package_the_ministry_holds_after_all_wait_for_an_officer(cast, hand_in, now, code):
    """A receipt that came late for a refused package: packed anew, its records would take effect twice."""
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 4)).data)
    dispatch.dispatch_due(now=now + LATER)
    refused = Submission.objects.get()
    refuse(refused, code, now)
    Endpoint.objects.update(resumed_at=now + timedelta(minutes=5))
    held = Difference(DiscrepancyKind.TAKEN_THERE, "Bộ đang giữ chính gói này.", ours="REFUSED")
    note(refused, held, now=now)
    assert (dispatch.take_back_due(), dispatch.bisect_due(now=now)) == (0, 0)
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.DISPATCHED}
    found = Discrepancy.objects.get()
    reconciliation.close(found.pk, by="an", closing_note="Bộ đã bỏ gói cũ.", now=now)
    assert dispatch.take_back_due() + dispatch.bisect_due(now=now) == 4


def test_recalls_of_a_package_the_ministry_holds_after_all_wait_too(cast, hand_in, now, django_user_model):
    school = cast.made("02")
    hand_in(school, unsigned_batch(cast.records(school, 1)).data)
    dispatch.dispatch_due(now=now + LATER)
    Item.objects.update(verdict="ACCEPTED", judged_at=now)
    clerk, officer = django_user_model.objects.order_by("id")[:2]
    asked = recall.request(record=Record.objects.get(), reason="Sai điểm", requested_by=clerk, now=now)
    recall.approve(recall=asked, decided_by=officer, now=now)
    assert recall.dispatch_due(now=now) == 1
    refused = Submission.objects.get(kind="RECALL")
    refuse(refused, "PACKAGE_INVALID", now)
    note(refused, Difference(DiscrepancyKind.TAKEN_THERE, "Bộ đang giữ chính gói này.", ours="REFUSED"), now=now)
    assert recall.dispatch_due(now=now) == 0
    reconciliation.close(Discrepancy.objects.get().pk, by="an", closing_note="Bộ đã bỏ gói cũ.", now=now)
    assert recall.dispatch_due(now=now) == 1


def test_a_mistake_of_ours_over_one_group_does_not_keep_the_others_waiting(cast, hand_in, now, monkeypatch):
    for level in ("02", "03", "04"):
        hand_in(cast.made(level), unsigned_batch(cast.records(cast.made(level), 1)).data)
    real, groups = dispatch._dispatch_one, []

    def broken(group, **more):
        groups.append(group.level)
        if group.level == "02":
            raise ZeroDivisionError
        return real(group, **more)

    monkeypatch.setattr(dispatch, "_dispatch_one", broken)
    with pytest.raises(ZeroDivisionError):
        dispatch.dispatch_due(now=now + LATER)
    assert groups[0] == "02"
    assert set(Record.objects.filter(state=RecordState.DISPATCHED).values_list("level", flat=True)) == {"03", "04"}


def test_a_key_that_cannot_sign_is_not_asked_again_for_every_group(cast, hand_in, now, monkeypatch):
    for level in ("02", "03"):
        hand_in(cast.made(level), unsigned_batch(cast.records(cast.made(level), 1)).data)
    asked = []

    def refused():
        asked.append(1)
        raise KeyUnavailable("HSM_PIN_INCORRECT", "Mã PIN không đúng.")

    monkeypatch.setattr(dispatch, "sealing_key", refused)
    with pytest.raises(KeyUnavailable):
        dispatch.dispatch_due(now=now + LATER)
    assert asked == [1]
