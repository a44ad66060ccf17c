"""The path of a batch from its bytes to a verdict on every record."""

import json

import zstandard

from portal.records.models import Record
from portal.records.states import BatchState, Door, RecordState, Standing
from portal.rehearsal.batches import single_batch, unsigned_batch, zip_batch


def explain(batch) -> list:
    return [(r.position, r.state, [f["code"] + ": " + f["message"] for f in r.findings]) for r in batch.records.all()]


def test_a_signed_list_of_good_records_is_admitted_whole(cast, hand_in):
    school = cast.made("02")
    made = cast.records(school, 5)
    batch = hand_in(school, cast.signed_list(school, made), door=Door.EXCHANGE, message_id="m-1")
    assert (batch.state, batch.refusal) == (BatchState.PROCESSED, "")
    assert batch.admitted_count == batch.record_count == 5, explain(batch)
    rows = list(Record.objects.filter(batch=batch).order_by("position"))
    for row, record in zip(rows, made, strict=True):
        assert row.state == RecordState.ADMITTED
        assert row.standing == Standing.IN_FORCE
        assert row.lookup_uuid == record.lookup_uuid
        assert bytes(row.sha256).hex() == record.sha256
        assert zstandard.ZstdDecompressor().decompress(bytes(row.data)) == record.data


def test_the_report_on_the_signatures_is_stored_as_compact_readable_json(cast, hand_in):
    batch = hand_in(cast.made("03"), single_batch(cast.records(cast.made("03"), 1)[0]).data)
    stored = zstandard.ZstdDecompressor().decompress(bytes(Record.objects.get(batch=batch).report))
    report = json.loads(stored)
    assert stored == json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
    assert report["indication"] == "TOTAL_PASSED"
    assert {"CBQL", "KY_PHAT_HANH"} <= {one["role"] for one in report["signatures"]}


def test_a_zip_of_single_records_and_a_zip_of_lists_are_admitted(cast, hand_in):
    school = cast.made("02")
    singles = hand_in(school, zip_batch(cast.records(school, 4)).data)
    lists = hand_in(school, zip_batch(cast.records(school, 5, first=10), per_file=2).data)
    assert (singles.record_count, singles.admitted_count) == (4, 4), explain(singles)
    assert (lists.record_count, lists.admitted_count) == (5, 5), explain(lists)


def test_a_single_record_and_an_unsigned_list_pass_the_browser_door(cast, hand_in):
    school = cast.made("03")
    one = hand_in(school, single_batch(cast.records(school, 1)[0]).data)
    several = hand_in(school, unsigned_batch(cast.records(school, 3, first=5)).data)
    assert (one.admitted_count, several.admitted_count) == (1, 3), explain(one) + explain(several)
