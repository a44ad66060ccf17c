"""Codes of the gateway in words: scheduled runs and what they count, states on either side of a difference.
What has no words shows its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext, gettext_noop

from gateway.states import SubmissionState, Verdict

KINDS: Final[Mapping[str, str]] = {
    "FORWARD": gettext_noop("Gửi gói tới Bộ"),
    "COLLECT": gettext_noop("Lấy kết quả của Bộ"),
    "PROBE": gettext_noop("Thử lại đường truyền"),
    "CATALOGUES": gettext_noop("Cập nhật danh mục của Bộ"),
    "CERTIFICATES": gettext_noop("Theo dõi hạn chứng thư số"),
    "HOUSEKEEPING": gettext_noop("Dọn dữ liệu tạm"),
    "RECONCILE": gettext_noop("Đối soát hằng đêm"),
    "COMPARE": gettext_noop("Đối soát: hỏi Bộ từng phần"),
    "WATCH": gettext_noop("Theo dõi quá hạn"),
}
FIGURES: Final[Mapping[str, str]] = {
    "send": gettext_noop("lần gửi gói"),
    "ask": gettext_noop("lần hỏi đã tới chưa"),
    "collect": gettext_noop("lần lấy kết quả"),
    "judged": gettext_noop("học bạ có kết quả"),
    "lease_expired": gettext_noop("lần gửi bị bỏ dở"),
    "fenced": gettext_noop("lần báo muộn, không tính"),
    "overdue": gettext_noop("gói quá hạn trả lời"),
    "overdue_noted": gettext_noop("gói quá hạn mới ghi nhận"),
    "contradictions": gettext_noop("câu trả lời trái với sổ"),
    "to_ask": gettext_noop("gói phải hỏi"),
    "asked": gettext_noop("gói đã hỏi"),
    "unanswered": gettext_noop("gói chưa được trả lời"),
    "discrepancies": gettext_noop("điểm khác nhau"),
    "signature_kinds": gettext_noop("kiểu chữ ký"),
    "certificate_providers": gettext_noop("nhà phát hành chứng thư"),
    "told": gettext_noop("cảnh báo đã gửi"),
    "watched": gettext_noop("chứng thư đang theo dõi"),
    "soonest_days_left": gettext_noop("ngày tới khi chứng thư đầu tiên hết hạn"),
    "runs_dropped": gettext_noop("lần chạy cũ đã dọn"),
    "documents_dropped": gettext_noop("tệp cũ đã dọn"),
    "slots_missed": gettext_noop("kỳ bị lỡ"),
    "statements": gettext_noop("bảng kê đã lập"),
    "own_faults": gettext_noop("lần phần mềm của cổng tự gặp lỗi"),
    "own_fault_runs": gettext_noop("lượt chạy có lỗi của cổng"),
    "probed": gettext_noop("lần thử đường truyền"),
    "opened": gettext_noop("lần thông lại"),
    "failed": gettext_noop("lần không xong"),
    "stuck_uncertain": gettext_noop("gói chưa rõ đã tới hay chưa"),
    "stuck_queued": gettext_noop("gói chờ gửi quá lâu"),
    "stuck_held": gettext_noop("gói bị giữ quá lâu"),
    "stuck_paused": gettext_noop("đường truyền tạm dừng quá lâu"),
}


def kind_in_words(kind: str) -> str:
    return gettext(KINDS[kind]) if kind in KINDS else kind


def figures_in_words(counts: Mapping[str, object]) -> str:
    """Figures that are not nought, with what they count; a dash when there was nothing to do."""
    told = [f"{value} {gettext(FIGURES[key]) if key in FIGURES else key}" for key, value in counts.items() if value]
    return ", ".join(told) or "—"


def state_in_words(code: str) -> str:
    """A package's state or a record's verdict, as a difference holds it; a dash for nothing."""
    named = {**dict(SubmissionState.choices), **dict(Verdict.choices)}
    return gettext(str(named[code])) if code in named else code or "—"
