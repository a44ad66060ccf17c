"""What opening a file comes to: how many records, what is to be remarked, whether the list's own seal holds.

Writes no row of the batch; the worker and the trial of a suspicious file share it.
"""

from datetime import datetime
from typing import BinaryIO

from portal.records.admission import lists, opening
from portal.records.admission.opening import BatchUnreadable, Walk
from portal.records.conf import conf
from portal.records.models import Batch
from portal.records.states import Door, FileKind
from signing.report import Report


def open_up(batch: Batch, file: BinaryIO, walk: Walk, *, now: datetime) -> tuple[int, Report | None]:
    """The number of records and the report on the list's seal, where one is asked for. Raises BatchUnreadable."""
    sealed = batch.door == Door.EXCHANGE or conf().browser_requires_list_seal
    count = sum(1 for _ in opening.raw_records(FileKind(batch.file_kind), file, walk, keep_lists=sealed))
    if count == 0:
        raise BatchUnreadable("NO_RECORDS", "Tệp không chứa học bạ (HOC_BA) nào. Hãy kiểm tra lại tệp rồi gửi lại.")
    if not sealed:
        return count, None
    report = lists.verify_lists(
        walk.lists, school_id=batch.school_id, received_at=batch.received_at, now=now, missing=walk.missing
    )
    return count, report
