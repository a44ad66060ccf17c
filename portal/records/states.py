"""The states of a batch, a record and a recall: each says whose move it is. No logic, no rows."""

from django.db import models


class BatchState(models.TextChoices):
    RECEIVED = "RECEIVED", "Đã nhận"  # ours: open it
    OPENED = "OPENED", "Đang kiểm tra"  # ours: check its records
    PROCESSED = "PROCESSED", "Đã kiểm tra xong"  # nobody's; delivery is a query, not a state
    REFUSED = "REFUSED", "Bị từ chối"  # the school's: hand in again


class RecordState(models.TextChoices):
    RECEIVED = "RECEIVED", "Chờ kiểm tra"  # ours: check (again, when a revocation source was away)
    ADMITTED = "ADMITTED", "Hợp lệ, chờ gửi"  # ours: pack and seal
    DISPATCHED = "DISPATCHED", "Đã chuyển gửi Bộ"  # the gateway's, then the Ministry's
    REFUSED = "REFUSED", "Không hợp lệ"  # the school's: correct and hand in again


class Standing(models.TextChoices):
    """What a record is worth in the province, beside where it is on its way."""

    NONE = "NONE", "Chưa có giá trị"  # not admitted
    IN_FORCE = "IN_FORCE", "Đang lưu hành"
    RECALLED = "RECALLED", "Đã thu hồi"  # its lookup_uuid is never used again
    RELEASED = "RELEASED", "Đã được thay thế"  # the Ministry refused it, and a corrected record took its place


class RecallState(models.TextChoices):
    REQUESTED = "REQUESTED", "Chờ duyệt"  # the department's move
    APPROVED = "APPROVED", "Đã duyệt"  # ours: pack, seal, dispatch
    DECLINED = "DECLINED", "Từ chối"  # nobody's
    DISPATCHED = "DISPATCHED", "Đã gửi Bộ"  # the Ministry's; the department's again where the Ministry refused it
    SETTLED = "SETTLED", "Đã giải quyết với Bộ"  # nobody's: refused there, and an officer has settled it


class Door(models.TextChoices):
    BROWSER = "BROWSER", "Trang web"
    EXCHANGE = "EXCHANGE", "Phần mềm trường"


class FileKind(models.TextChoices):
    LIST = "LIST", "Danh sách học bạ"
    RECORD = "RECORD", "Một học bạ"
    ZIP = "ZIP", "Tệp nén ZIP"


# The only changes of state there are; triggers in the database refuse any other.
BATCH_MOVES = (
    (BatchState.RECEIVED, BatchState.OPENED),
    (BatchState.RECEIVED, BatchState.REFUSED),
    (BatchState.OPENED, BatchState.PROCESSED),
    (BatchState.OPENED, BatchState.REFUSED),
)
RECORD_MOVES = (
    (RecordState.RECEIVED, RecordState.ADMITTED),
    (RecordState.RECEIVED, RecordState.REFUSED),
    (RecordState.ADMITTED, RecordState.DISPATCHED),
    # The package was refused as a whole: its records are packed again without the culprit, who is refused.
    (RecordState.DISPATCHED, RecordState.ADMITTED),
    (RecordState.ADMITTED, RecordState.REFUSED),
    # The two engines disagree about a disputed record: held for an officer.
    (RecordState.ADMITTED, RecordState.RECEIVED),
)
RECALL_MOVES = (
    (RecallState.REQUESTED, RecallState.APPROVED),
    (RecallState.REQUESTED, RecallState.DECLINED),
    (RecallState.APPROVED, RecallState.DISPATCHED),
    (RecallState.DISPATCHED, RecallState.APPROVED),
    (RecallState.DISPATCHED, RecallState.SETTLED),
    (RecallState.SETTLED, RecallState.APPROVED),
)
