"""The line to the Ministry in plain words: open or paused, since when, why, what happens next and who must act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from gateway.models import Endpoint
from gateway.states import EndpointState
from portal.web.read.line_facts import contact

# Cause → who removes it and how. The codes are the gateway's.
ADVICE: Mapping[str, str] = {
    "ADDRESS_REFUSED": gettext_noop(
        "Bộ không nhận địa chỉ IP của máy chủ này. Gọi đầu mối của Bộ đề nghị kiểm tra danh sách IP được phép; "
        "kiểm tra máy chủ có đang đi ra bằng đúng địa chỉ đã đăng ký."
    ),
    "CERTIFICATE_REFUSED": gettext_noop(
        "Bộ không nhận chứng thư kết nối của Sở. "
        "Kiểm tra chứng thư còn hạn, đúng chứng thư đã đăng ký, rồi gọi đầu mối của Bộ."
    ),
    "LOGIN_REFUSED": gettext_noop(
        "Tên đăng nhập hoặc mật khẩu của Sở ở hệ thống của Bộ không đúng. Quản trị hệ thống sửa cấu hình."
    ),
    "TOKEN_REFUSED": gettext_noop(
        "Bộ không nhận phiên đăng nhập của Sở. Cổng tự đăng nhập lại; nếu kéo dài, gọi đầu mối của Bộ."
    ),
    "SEAL_REFUSED": gettext_noop(
        "Bộ không nhận chữ ký của Sở trên gói. Kiểm tra chứng thư ký số của Sở còn hạn và đã được Bộ phê duyệt "
        "(đăng ký lại nếu vừa đổi), rồi bấm Cho chạy lại: các gói bị từ chối được ký lại và gửi tiếp."
    ),
    "BY_OFFICER": gettext_noop("Cán bộ đã tạm dừng gửi. Bấm Cho chạy lại khi có thể gửi tiếp."),
    "UNIT_REFUSED": gettext_noop(
        "Mã đơn vị của Sở không được Bộ chấp nhận. Kiểm tra mã đơn vị trong cấu hình đường truyền."
    ),
    "SERVER_CERTIFICATE": gettext_noop(
        "Không chắc máy chủ ở đầu kia là của Bộ. Đừng bỏ kiểm tra: xác minh với đầu mối của Bộ rồi thay tệp CA đã ghim."
    ),
    "CLIENT_FILES": gettext_noop(
        "Máy chủ này không đọc được chứng thư, khóa hoặc CA của đường truyền. Quản trị hệ thống sửa tệp hoặc quyền đọc."
    ),
    "OWN_FAULT": gettext_noop(
        "Phần mềm của cổng tự gặp lỗi; không gói nào mất. Chuyển nhật ký worker (dòng own_fault) cho người hỗ trợ phần "
        "mềm; cổng tự thử lại theo lịch."
    ),
    "REQUEST_REFUSED": gettext_noop(
        "Bộ báo yêu cầu sai dạng. Quản trị hệ thống đối chiếu cấu hình đường truyền với tài liệu kỹ thuật của Bộ."
    ),
}
OTHERWISE = gettext_noop(
    "Cổng tự thử lại theo lịch. Nếu quá một giờ chưa thông, gọi quản trị mạng của Sở, sau đó gọi đầu mối của Bộ."
)


@dataclass(frozen=True)
class Line:
    """The state of the endpoint for a page."""

    name: str
    state: str
    label: str
    cause: str
    message: str
    advice: str
    since: datetime | None
    next_probe_at: datetime | None
    last_success_at: datetime | None
    not_before_at: datetime | None
    probes_made: int
    failures: int
    contact: str = ""

    @property
    def is_paused(self) -> bool:
        return self.state == EndpointState.PAUSED

    @property
    def may_stop(self) -> bool:
        """Whether a person's stop would change anything: a line that closed by itself would open by itself."""
        return self.cause != "BY_OFFICER"


def line_now() -> Line | None:
    """The endpoint in use; None before the gateway has ever run."""
    row = Endpoint.objects.order_by("pk").last()
    return _line(row) if row is not None else None


def _line(row: Endpoint) -> Line:
    advice = _(ADVICE.get(row.cause, OTHERWISE)) if row.state == EndpointState.PAUSED else ""
    return Line(
        name=row.name,
        state=row.state,
        label=row.get_state_display(),
        cause=row.cause,
        message=row.cause_message,
        advice=advice,
        since=row.paused_at,
        next_probe_at=row.next_probe_at,
        last_success_at=row.last_success_at,
        not_before_at=row.not_before_at,
        probes_made=row.probes_made,
        failures=row.failures_in_a_row,
        contact=contact(),
    )
