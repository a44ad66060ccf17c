"""Our own damage and our own wrong clock: named as ours, nothing refused for it, nothing put off or swept away."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from portal.records import content, processing, tasks
from portal.records.models import Batch, ContentChunk
from portal.records.processing import working
from portal.records.states import BatchState
from portal.rehearsal.batches import unsigned_batch

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def process(batch: Batch) -> None:
    processing.process_batch(batch_id=batch.id, clock=lambda: NOW)
    batch.refresh_from_db()


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_bit_in_a_stored_file_is_our_damage_and_never_the_schools_fault(cast, hand_in, place):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 2)).data, process=False)
    chunk = ContentChunk.objects.get(content=batch.content)
    whole = bytes(chunk.data)
    at = {"first": 0, "middle": len(whole) // 2, "last": len(whole) - 1}[place]
    ContentChunk.objects.filter(pk=chunk.pk).update(data=whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    process(batch)
    assert (batch.state, batch.set_aside_code, batch.refusal_code) == (BatchState.RECEIVED, "CONTENT_DAMAGED", "")
    ContentChunk.objects.filter(pk=chunk.pk).update(data=whole)
    processing.resume(batch=batch, actor=None, reason="khôi phục", now=NOW)
    process(batch)
    assert (batch.state, batch.admitted_count) == (BatchState.PROCESSED, 2)


def test_a_content_that_has_become_a_batch_is_not_swept_away(cast, hand_in):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)
    content.discard(batch.content_id)
    assert ContentChunk.objects.filter(content=batch.content).exists()


def test_workers_go_by_the_databases_clock_however_wrong_their_own_is(cast, hand_in, monkeypatch):
    school = cast.made("02")
    batch = hand_in(school, unsigned_batch(cast.records(school, 1)).data, process=False)

    def broken(*args, **kwargs):
        raise OSError("disk")

    monkeypatch.setattr(working, "laid_out", broken)
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(days=3))
    with pytest.raises(OSError, match="disk"):
        tasks.process(batch_id=str(batch.id))
    batch.refresh_from_db()
    assert batch.next_check_at < datetime.now(UTC) + timedelta(minutes=15)
