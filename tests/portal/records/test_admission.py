"""What lets a record in and what keeps it out: signatures, certificates, duplicates, and checks that crash."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from gateway.models import Item
from portal.records import dispatch, processing, recall
from portal.records.admission import court, judging, reserved
from portal.records.models import Record
from portal.records.states import BatchState, RecordState, Standing
from portal.rehearsal.batches import DECLARATION, single_batch, unsigned_batch
from portal.schools.models import Certificate
from signing.errors import MalformedDocument
from signing.trust import RevocationAnswer, RevocationState

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def codes(record: Record) -> set[str]:
    return {finding["code"] for finding in record.findings if finding["severity"] == "ERROR"}


def only(batch) -> Record:
    return batch.records.get()


def test_one_bad_record_never_stops_the_others(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 4)
    made[1] = cast.replaced(made[1], made[1].data.replace(b"<HO_VA_TEN>", b"<HO_VA_TEN>X", 1))
    made[2] = cast.replaced(made[2], b"<HOC_BA><DU_LIEU_HOC_BA/></HOC_BA>")
    batch = hand_in(school, unsigned_batch(made).data)
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 2, 2)
    assert list(batch.records.values_list("state", flat=True)) == ["ADMITTED", "REFUSED", "REFUSED", "ADMITTED"]


def test_a_changed_byte_is_told_with_who_must_sign_again(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 1)[0]
    changed = cast.replaced(made, made.data.replace(b"<HO_VA_TEN>", b"<HO_VA_TEN>X", 1))
    record = only(hand_in(school, single_batch(changed).data))
    again = {role for finding in record.findings for role in finding["resign"]}
    assert {"CBQL", "KY_PHAT_HANH"} <= again
    assert record.standing == Standing.NONE


def test_a_record_issued_with_a_certificate_that_is_not_approved_is_refused(cast, hand_in):
    school = cast.made("02")
    Certificate.objects.filter(school=cast.row(school)).update(state="REQUESTED", approved_from=None)
    record = only(hand_in(school, single_batch(cast.records(school, 1)[0]).data))
    assert codes(record) == {"SIGNER_NOT_APPROVED"}


def test_a_signature_before_the_approval_began_is_refused(cast, hand_in):
    school = cast.made("02")
    Certificate.objects.filter(school=cast.row(school)).update(approved_from=NOW - timedelta(days=1))
    assert codes(only(hand_in(school, single_batch(cast.records(school, 1)[0]).data))) == {"SIGNER_APPROVAL_NOT_THEN"}


def test_a_withdrawn_certificate_cannot_be_used_by_dating_back(cast, hand_in):
    school = cast.made("02")
    Certificate.objects.filter(school=cast.row(school)).update(
        state="WITHDRAWN", approved_until=NOW - timedelta(days=1)
    )
    assert codes(only(hand_in(school, single_batch(cast.records(school, 1)[0]).data))) == {"SIGNER_APPROVAL_NOT_THEN"}


def test_another_schools_record_is_refused(cast, hand_in):
    record = only(hand_in(cast.made("02"), single_batch(cast.records(cast.made("02", 1), 1)[0]).data))
    assert record.state == RecordState.REFUSED
    assert "SIGNER_NOT_APPROVED" in codes(record)


def test_a_record_of_a_year_that_has_not_begun_or_is_too_old_is_refused(cast, hand_in, settings):
    school = cast.made("02")
    made = cast.records(school, 2)
    settings.RECORDS = {**getattr(settings, "RECORDS", {}), "first_school_year": 2026}
    old = only(hand_in(school, single_batch(made[0]).data))
    assert (old.state, codes(old)) == (RecordState.REFUSED, {"F-WRONG-YEAR"})
    settings.RECORDS = {**settings.RECORDS, "first_school_year": 2020}
    assert only(hand_in(school, single_batch(made[1]).data)).state == RecordState.ADMITTED


def test_an_authority_that_nobody_loaded_is_not_believed(cast, hand_in):
    from portal.schools.models import TrustAnchor

    school = cast.made("02")
    TrustAnchor.objects.update(is_active=False)
    assert only(hand_in(school, single_batch(cast.records(school, 1)[0]).data)).state == RecordState.REFUSED


def test_the_same_record_again_is_refused_with_word_of_the_first(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 2)
    hand_in(school, unsigned_batch(made).data)
    again = hand_in(school, single_batch(made[0]).data)
    assert codes(only(again)) == {"RECORD_ALREADY_RECEIVED"}


def test_a_record_twice_in_one_batch_is_admitted_once(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 1)
    batch = hand_in(school, unsigned_batch([made[0], made[0]]).data)
    assert (batch.admitted_count, batch.refused_count) == (1, 1)


def test_a_recalled_id_is_never_taken_again(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 2)
    record = only(hand_in(school, single_batch(made[0]).data))
    recall.request(record=record, reason="Sai", requested_by=None, now=datetime(2026, 6, 1, tzinfo=UTC))
    batch = hand_in(school, unsigned_batch(made).data)
    assert codes(batch.records.get(position=1)) == {"UUID_TAKEN"}


def test_a_record_the_ministry_rejected_gives_its_place_to_a_corrected_one(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 2)
    first = only(hand_in(school, single_batch(made[0]).data))
    dispatch.dispatch_due(now=NOW + timedelta(minutes=2))
    assert codes(only(hand_in(school, unsigned_batch([made[0]]).data))) == {"RECORD_ALREADY_RECEIVED"}
    Item.objects.update(verdict="REJECTED", judged_at=NOW)
    batch = hand_in(school, unsigned_batch(made).data)
    assert batch.admitted_count == 2
    first.refresh_from_db()
    assert first.standing == Standing.RELEASED


def test_a_check_that_crashes_refuses_its_record_alone(cast, hand_in, monkeypatch):
    school = cast.made("02")
    real, calls = judging.verify, []

    def crashing(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        return real(*args, **kwargs)

    monkeypatch.setattr(judging, "verify", crashing)
    batch = hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    assert batch.admitted_count == 2
    assert codes(batch.records.get(position=2)) == {"CHECK_CRASHED"}


class Source:
    """A revocation source that is away, and comes back."""

    state = RevocationState.UNKNOWN

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        return RevocationAnswer(self.state)


def test_evidence_that_is_away_makes_a_record_wait_and_not_fail(cast, hand_in, monkeypatch, settings):
    settings.RECORDS = {"check_revocation": True, "recheck_seconds": 60}
    source = Source()
    monkeypatch.setattr(court, "revocation_source", lambda *, now: source)
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    assert batch.state == BatchState.OPENED
    assert set(batch.records.values_list("state", flat=True)) == {RecordState.RECEIVED}
    assert not processing.process_batch(batch_id=batch.id, clock=lambda: NOW)
    source.state = RevocationState.GOOD
    assert processing.process_batch(batch_id=batch.id, clock=lambda: NOW + timedelta(seconds=61))
    batch.refresh_from_db()
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 2, 0)
    assert set(batch.records.values_list("standing", flat=True)) == {Standing.IN_FORCE}


def zip_of(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def test_a_broken_file_in_a_zip_is_one_refused_record_and_other_files_are_skipped(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 1)[0]
    batch = hand_in(school, zip_of(a__xml=DECLARATION + made.data, b__xml=b"<HOC_BA>", c__xml=b"xin chao", d__txt=b"x"))
    assert (batch.record_count, batch.admitted_count, batch.refused_count) == (3, 1, 2)
    assert [remark["source"] for remark in batch.remarks] == ["d.txt"]


@pytest.mark.parametrize(
    "data",
    [
        b"<DANH_SACH_HOC_BA></DANH_SACH_HOC_BA>",
        b"<DANH_SACH_HOC_BA><HOC_BA></DANH_SACH_HOC_BA>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><DANH_SACH_HOC_BA><HOC_BA>&a;</HOC_BA></DANH_SACH_HOC_BA>",
        b"PK\x03\x04" + bytes(40),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused_as_a_whole_with_a_reason(cast, hand_in, data):
    batch = hand_in(cast.made("02"), data)
    assert batch.state == BatchState.REFUSED
    assert batch.refusal_code
    assert batch.refusal
    assert not batch.records.exists()


def test_the_policy_may_ask_for_the_lists_seal_on_the_browser_door_too(cast, hand_in, settings):
    settings.RECORDS = {"browser_requires_list_seal": True}
    school = cast.made("02")
    unsealed = hand_in(school, unsigned_batch(cast.records(school, 1)).data)
    assert unsealed.refusal_code.startswith("LIST_SEAL_")
    sealed = hand_in(school, cast.signed_list(school, cast.records(school, 1, first=3)))
    assert (sealed.state, sealed.admitted_count) == (BatchState.PROCESSED, 1)
    assert sealed.seal_report["indication"] == "TOTAL_PASSED"


def test_a_list_changed_after_its_seal_is_told_as_a_list_not_as_a_record(cast, hand_in, settings):
    settings.RECORDS = {"browser_requires_list_seal": True}
    school = cast.made("02")
    sealed = cast.signed_list(school, cast.records(school, 2))
    changed = hand_in(school, sealed.replace(b"</DANH_SACH_THONG_TIN_KY>", b"</DANH_SACH_THONG_TIN_KY> ", 1))
    assert changed.refusal_code == "LIST_SEAL_DIGEST_MISMATCH"
    assert "Danh sách đã bị sửa" in changed.refusal
    assert "Nội dung học bạ" not in changed.refusal


@pytest.mark.django_db
def test_a_zip_may_hold_a_list_larger_than_an_ordinary_entry(monkeypatch):
    from portal.records.admission import opening
    from portal.records.states import FileKind

    monkeypatch.setattr(opening, "ARCHIVE_LIMITS", opening.ArchiveLimits(max_entry=100))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("lo.xml", b"<DANH_SACH_HOC_BA><HOC_BA></HOC_BA></DANH_SACH_HOC_BA>" + b" " * 100)
    with pytest.raises(opening.BatchUnreadable) as caught:
        list(opening.raw_records(FileKind.ZIP, data, opening.Walk()))
    assert caught.value.code == "Z7_ENTRY"
    assert "chia thành nhiều tệp nhỏ hơn" in caught.value.message
    monkeypatch.undo()
    assert opening.ARCHIVE_LIMITS.max_entry > 200_000_000
    assert len(list(opening.raw_records(FileKind.ZIP, data, opening.Walk()))) == 1


@pytest.mark.parametrize(
    "root",
    [
        b'<HOC_BA id="dataDanhSach" ',
        b"<HOC_BA Id = 'dataDanhSach' ",
        b'<HOC_BA id="&#100;ataDanhSach" ',
        b'<HOC_BA ID="dataDanhSach" ',
    ],
    ids=["plain", "quoted", "spelt-out", "upper-case"],
)
def test_a_record_that_carries_our_packages_own_id_does_not_spoil_the_seal_over_its_neighbours(cast, hand_in, root):
    """What stands on a record's root is covered by no signature of the school: anybody may write it there."""
    school = cast.made("02")
    made = cast.records(school, 2)
    _, rest = made[0].data.split(b">", 1)
    made[0] = cast.replaced(made[0], root + b">" + rest)
    batch = hand_in(school, unsigned_batch(made).data)
    assert [codes(record) for record in batch.records.order_by("position")] == [{"ID_RESERVED"}, set()]


def test_our_packages_id_in_a_signature_counts_and_as_mere_text_does_not():
    reserved.refuse_reserved_id(b'<HOC_BA id="a"><B c="dataDanhSach">dataDanhSach</B></HOC_BA>')
    reserved.refuse_reserved_id(b'<HOC_BA id="a&amp;b"/>')
    spoiling = [
        b'<A><S xmlns="urn:x"><O Id="dataDanhSach"/></S></A>',
        b'<A xml:id="dataDanhSach"/>',
        b'<A Id="thoiDiemKyGoi"/>',
        b'<A id="chuKyGoi-goi"/>',
    ]
    for bad in spoiling:
        with pytest.raises(MalformedDocument, match="ID_RESERVED"):
            reserved.refuse_reserved_id(bad)
