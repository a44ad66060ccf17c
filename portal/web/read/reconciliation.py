"""Differences between our ledger and the Ministry's as an officer reads them: what differs, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from gateway.models import Discrepancy, Statement
from portal.schools.models import School
from portal.web.read.queue import unpacked

ADVICE: Mapping[str, str] = {
    "MISSING_THERE": gettext_noop(
        "Gửi đầu mối của Bộ mã giao dịch và biên nhận đang giữ, đề nghị tìm. Nếu Bộ xác nhận chưa từng có, "
        "báo trường nộp lại học bạ; không tự gửi lại khi chưa có trả lời."
    ),
    "UNKNOWN_HERE": gettext_noop(
        "Bộ trả kết quả cho học bạ không có trong gói. Không kết quả nào của câu trả lời đó được dùng. "
        "Gửi đầu mối của Bộ nguyên văn câu trả lời, đề nghị kiểm tra."
    ),
    "VERDICT_DIFFERS": gettext_noop(
        "Kết quả đã báo cho trường được giữ nguyên. Hỏi đầu mối của Bộ kết quả nào là cuối cùng, rồi ghi lại; "
        "nếu học bạ bị từ chối thật, trường phải nộp học bạ mới."
    ),
    "OVERDUE": gettext_noop(
        "Bộ đã nhận gói nhưng quá hạn chưa trả đủ kết quả. Cổng vẫn tự hỏi lại; gọi đầu mối của Bộ nếu quá hai ngày."
    ),
    "TAKEN_THERE": gettext_noop(
        "Đừng gửi lại gì. Bấm Đối soát cho ngày gửi gói này để biết Bộ đã chấp nhận học bạ nào ở gói cũ. Học bạ chưa "
        "vào gói khác thì đứng chờ: đề nghị Bộ bỏ gói cũ rồi đóng điểm này, học bạ sẽ đi gói mới. Học bạ đã ở gói "
        "khác: gửi đầu mối của Bộ hai mã giao dịch, đề nghị bỏ một bản, ghi kết luận rồi đóng."
    ),
    "MESSAGE_CONFLICT": gettext_noop(
        "Gửi đầu mối của Bộ mã giao dịch và nguyên văn câu trả lời, hỏi dưới mã này Bộ đang giữ gói nào. Cổng chưa coi "
        "gói là đã nhận và vẫn tự hỏi lại. Bộ giữ sai gói: đề nghị Bộ xoá, rồi ở trang của gói bấm Cho gửi lại. "
        "Đừng sửa hay tạo lại gói."
    ),
    "FOREIGN_ANSWER": gettext_noop(
        "Không cần làm gì với học bạ: câu trả lời không được dùng. Gửi đầu mối của Bộ nguyên văn câu trả lời và "
        "giờ nhận, đề nghị tìm vì sao trả nhầm. Lặp lại nhiều lần: tạm dừng đường truyền tới khi Bộ sửa xong."
    ),
}


def listed(shown: str, unit: str) -> QuerySet[Discrepancy]:
    """Open ones unless asked otherwise; the oldest open first, so that none is forgotten."""
    rows = Discrepancy.objects.select_related("submission")
    if unit:
        rows = rows.filter(submission__unit_code=unit)
    if shown == "dong":
        return rows.filter(closed_at__isnull=False).order_by("-closed_at")
    if shown == "tat-ca":
        return rows.order_by("-found_at")
    return rows.filter(closed_at__isnull=True).order_by("found_at")


def advice(found: Discrepancy) -> str:
    return _(ADVICE[found.kind])


def unit_name(unit_code: str) -> str:
    """The school's name when the unit is a school, else the code."""
    name = School.objects.filter(code=unit_code).values_list("name", flat=True).first()
    return f"{name} ({unit_code})" if name else unit_code


def statements() -> QuerySet[Statement]:
    """The newest statements, without their files."""
    return Statement.objects.defer("csv", "pdf", "sealed").order_by("-day_on", "-pk")[:31]


def answer_of(found: Discrepancy) -> str:
    """The Ministry's answer in which the difference was found, as text; empty where none was kept."""
    return unpacked(bytes(found.evidence)) if found.evidence is not None else ""
