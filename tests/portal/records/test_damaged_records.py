"""A record whose stored bytes rotted after it was admitted: never sealed, never sent, found, and restored whole."""

from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from gateway.exchange.envelope import unpack
from gateway.models import Document, Item
from portal.audit.models import Entry
from portal.records import dispatch, disputes, processing, recall
from portal.records.models import Batch, ContentChunk, Recall, Record
from portal.records.packing import HEAD, Weighed, fill
from portal.records.processing import rechecking
from portal.records.processing.rechecking import Outcome
from portal.records.states import BatchState, RecallState, RecordState, Standing
from portal.rehearsal.batches import unsigned_batch, zip_batch
from portal.rehearsal.install import load_revocation_lists
from portal.schools.models import RevocationList
from signing.xml import cut

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


def rot(record: Record, *, readable: bool) -> bytes:
    """Other bytes in the store: such that unpack without a word, or such that do not unpack at all."""
    data = bytes(record.data)
    if readable:
        changed = zstandard.ZstdDecompressor().decompress(data).replace(b"</TEN_LOP>", b"x</TEN_LOP>", 1)
        data = zstandard.ZstdCompressor(level=3).compress(changed)
    else:
        data = data[: len(data) // 2]
    Record.objects.filter(pk=record.pk).update(data=data)
    return data


def sent() -> list[bytes]:
    documents = [unpack(bytes(row.packed), max_bytes=20_000_000) for row in Document.objects.all()]
    return [document[piece.start : piece.end] for document in documents for piece in cut(document).cuts]


@pytest.fixture(params=[True, False], ids=["readable", "unreadable"])
def damaged(request, cast, hand_in) -> Record:
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    record = batch.records.get(position=2)
    rot(record, readable=request.param)
    return record


def test_not_one_altered_byte_is_sealed_and_the_neighbours_leave(cast, damaged):
    assert dispatch.dispatch_due(now=LATER).records == 2
    made = cast.records(cast.made("02"), 3)
    assert sent() == [made[0].data, made[2].data]
    damaged.refresh_from_db()
    assert (damaged.state, damaged.standing, damaged.item) == (RecordState.RECEIVED, Standing.NONE, None)
    assert damaged.findings[0]["code"] == "RECORD_DAMAGED"
    assert list(disputes.held_records()) == [damaged]
    assert Batch.objects.get(pk=damaged.batch_id).admitted_count == 2
    entry = Entry.objects.get(action="record.damaged")
    assert (entry.subject_id, entry.school_id) == (str(damaged.pk), damaged.school_id)
    assert dispatch.dispatch_due(now=LATER, at_once=True).records == 0
    assert Entry.objects.filter(action="record.damaged").count() == 1


def test_nobody_lets_it_through(damaged):
    dispatch.dispatch_due(now=LATER)
    with pytest.raises(disputes.DisputeRefused, match="HAS_ERRORS"):
        disputes.let_through(record=damaged, by=None, reason="Đã xem kỹ", now=NOW)


def test_a_check_again_restores_the_schools_bytes_from_the_hand_in_and_they_leave(cast, damaged):
    dispatch.dispatch_due(now=LATER)
    assert rechecking.run(record_id=damaged.pk, actor_id=None, address=None, now=LATER) == Outcome.ADMITTED
    damaged.refresh_from_db()
    made = cast.records(cast.made("02"), 3)
    assert zstandard.ZstdDecompressor().decompress(bytes(damaged.data)) == made[1].data
    assert "RECORD_DAMAGED" not in {one["code"] for one in damaged.findings}
    assert dispatch.dispatch_due(now=LATER, at_once=True).records == 1
    assert sorted(sent()) == sorted(one.data for one in made)
    assert Batch.objects.get(pk=damaged.batch_id).admitted_count == 3


def test_it_is_restored_from_a_zip_as_well(cast, hand_in):
    school = cast.made("02")
    record = hand_in(school, zip_batch(cast.records(school, 3)).data).records.get(position=2)
    rot(record, readable=False)
    dispatch.dispatch_due(now=LATER)
    assert rechecking.run(record_id=record.pk, actor_id=None, address=None, now=LATER) == Outcome.ADMITTED


def test_with_the_hand_in_damaged_too_it_stays_held(damaged):
    dispatch.dispatch_due(now=LATER)
    ContentChunk.objects.update(data=b"")
    assert rechecking.run(record_id=damaged.pk, actor_id=None, address=None, now=LATER) == Outcome.DAMAGED
    assert list(disputes.held_records()) == [damaged]
    assert Entry.objects.get(action="record.rechecked").detail["outcome"] == "DAMAGED"


def test_a_damaged_record_does_not_keep_the_others_of_its_year_from_being_recalled(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data)
    dispatch.dispatch_due(now=LATER)
    Item.objects.update(verdict="ACCEPTED", judged_at=NOW)
    rot(batch.records.get(position=1), readable=False)  # after it had left
    for record in batch.records.order_by("position"):
        recall.request(record=record, reason="Sai", requested_by=None, now=datetime(2026, 6, 1, tzinfo=UTC))
    assert recall.dispatch_due(now=LATER) == 2
    assert set(Recall.objects.values_list("state", flat=True)) == {RecallState.DISPATCHED}


@pytest.mark.parametrize("readable", [True, False])
def test_a_record_that_rots_while_it_waits_for_evidence_is_not_refused_for_it(cast, hand_in, settings, readable):
    settings.RECORDS = {"check_revocation": True}
    RevocationList.objects.all().delete()
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 3)).data)
    record = batch.records.get(position=2)
    rot(record, readable=readable)
    load_revocation_lists(cast.pki, schools=12, now=NOW)
    processing.process_due(clock=lambda: LATER + timedelta(hours=1))
    batch.refresh_from_db()
    assert (batch.state, batch.admitted_count, batch.refused_count) == (BatchState.PROCESSED, 2, 0)
    assert list(disputes.held_records()) == [record]
    assert Entry.objects.filter(action="record.damaged").count() == 1
    assert rechecking.run(record_id=record.pk, actor_id=None, address=None, now=LATER) == Outcome.ADMITTED
    record.refresh_from_db()
    assert (record.state, record.standing) == (RecordState.ADMITTED, Standing.IN_FORCE)


def test_a_damaged_record_is_not_asked_about_as_if_it_were_the_schools(cast, hand_in):
    school = cast.made("02")
    record = hand_in(school, unsigned_batch(cast.records(school, 1)).data).records.get()
    rot(record, readable=True)
    record.refresh_from_db()
    with pytest.raises(disputes.DisputeRefused, match="RECORD_DAMAGED"):
        disputes.recheck(record=record, actor=None, now=NOW)


def test_a_record_too_large_for_any_package_does_not_keep_the_others_waiting():
    giant, *small = [Weighed(1, 900), Weighed(2, 100), Weighed(3, 100)]
    room = len(HEAD) + 300
    assert fill([giant, *small], max_bytes=room, max_records=10)[0] == small
    assert fill([giant], max_bytes=room, max_records=10)[0] == [giant]
