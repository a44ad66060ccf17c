"""The states of a submission, a verdict, an attempt and an endpoint: each says whose move it is. No rows, no logic."""

from __future__ import annotations

from typing import Final

from django.db import models

from gateway.lifecycle import Lifecycle


class SubmissionState(models.TextChoices):
    QUEUED = "QUEUED", "Chờ gửi"  # ours: send; nothing of it is on the wire
    SENDING = "SENDING", "Đang gửi"  # ours: one worker holds the lease
    UNCERTAIN = "UNCERTAIN", "Chưa rõ đã tới"  # ours: ask by messageid, never blindly resend
    ACKNOWLEDGED = "ACKNOWLEDGED", "Bộ đã nhận, chờ kết quả"  # the Ministry's; we poll
    ANSWERED = "ANSWERED", "Đã có kết quả"  # nobody's: every item has a verdict
    REFUSED = "REFUSED", "Cả gói bị từ chối"  # the department's: its records go into another package
    HELD = "HELD", "Cán bộ tạm giữ"  # the department's: release it


_Q, _S, _U = SubmissionState.QUEUED, SubmissionState.SENDING, SubmissionState.UNCERTAIN
_ACK, _DONE, _NO, _H = (
    SubmissionState.ACKNOWLEDGED,
    SubmissionState.ANSWERED,
    SubmissionState.REFUSED,
    SubmissionState.HELD,
)

# Good news may come late, from a worker that was thought dead: hence the ways into ACKNOWLEDGED and ANSWERED.
SUBMISSION: Final = Lifecycle(
    {
        _Q: frozenset({_S, _H, _ACK, _DONE}),
        _S: frozenset({_Q, _U, _ACK, _DONE, _NO}),
        _U: frozenset({_Q, _ACK, _DONE, _NO, _H}),
        _ACK: frozenset({_U, _DONE, _NO}),
        _H: frozenset({_Q, _U, _ACK, _DONE}),
        _DONE: frozenset(),
        _NO: frozenset(),
    }
)


class SubmissionKind(models.TextChoices):
    RECORDS = "RECORDS", "Gửi học bạ"  # transaction 1, asked by 2
    RECALL = "RECALL", "Đề nghị thu hồi"  # 5, asked by 6
    CERTIFICATE = "CERTIFICATE", "Đăng ký chứng thư số"  # 3, asked by 4


class Verdict(models.TextChoices):
    PENDING = "PENDING", "Chờ kết quả"  # the Ministry's
    ACCEPTED = "ACCEPTED", "Bộ chấp nhận"  # nobody's
    REJECTED = "REJECTED", "Bộ từ chối"  # the school's: correct and hand in again


# A verdict is given once. A later, different one is a discrepancy for people, never a silent change.
VERDICT: Final = Lifecycle(
    {
        Verdict.PENDING: frozenset({Verdict.ACCEPTED, Verdict.REJECTED}),
        Verdict.ACCEPTED: frozenset(),
        Verdict.REJECTED: frozenset(),
    }
)


class AttemptPurpose(models.TextChoices):
    SEND = "SEND", "Gửi"
    ASK = "ASK", "Hỏi đã tới chưa"
    COLLECT = "COLLECT", "Lấy kết quả"


class AttemptOutcome(models.TextChoices):
    OPEN = "OPEN", "Đang thực hiện"
    ACKNOWLEDGED = "ACKNOWLEDGED", "Có biên nhận"
    JUDGED = "JUDGED", "Có kết quả"
    WAITING = "WAITING", "Bộ chưa xử lý xong"
    NOT_SENT = "NOT_SENT", "Chưa gửi đi được"
    FATE_UNKNOWN = "FATE_UNKNOWN", "Không rõ đã tới chưa"
    NEVER_ARRIVED = "NEVER_ARRIVED", "Bộ trả lời: không có giao dịch này"
    LINK_REFUSED = "LINK_REFUSED", "Đường truyền bị từ chối"
    PACKAGE_REFUSED = "PACKAGE_REFUSED", "Gói bị từ chối"
    LEASE_EXPIRED = "LEASE_EXPIRED", "Tiến trình gửi không báo lại"


class ReceiptKind(models.TextChoices):
    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT", "Biên nhận"
    VERDICTS = "VERDICTS", "Kết quả"


class EndpointState(models.TextChoices):
    OPEN = "OPEN", "Thông suốt"
    PAUSED = "PAUSED", "Tạm dừng"  # ours: one probe on schedule; the cause may be somebody else's to remove


class RunResult(models.TextChoices):
    RUNNING = "RUNNING", "Đang chạy"
    DONE = "DONE", "Xong"
    FAILED = "FAILED", "Lỗi"


class DiscrepancyKind(models.TextChoices):
    MISSING_THERE = "MISSING_THERE", "Bộ không có"
    UNKNOWN_HERE = "UNKNOWN_HERE", "Ta không có"
    VERDICT_DIFFERS = "VERDICT_DIFFERS", "Kết quả khác nhau"
    OVERDUE = "OVERDUE", "Quá hạn trả lời"
    TAKEN_THERE = "TAKEN_THERE", "Bộ giữ gói ta đã đóng"
    MESSAGE_CONFLICT = "MESSAGE_CONFLICT", "Bộ báo trùng mã giao dịch"
    FOREIGN_ANSWER = "FOREIGN_ANSWER", "Câu trả lời của gói khác"
