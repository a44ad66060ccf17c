"""Entries of the journal in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.audit.models import Entry

ACTIONS: Mapping[str, str] = {
    "user.signed_in": gettext_noop("Đăng nhập"),
    "user.signed_out": gettext_noop("Đăng xuất"),
    "user.password_changed": gettext_noop("Đổi mật khẩu"),
    "batch.received": gettext_noop("Nộp lô học bạ"),
    "batch.read": gettext_noop("Xem lô học bạ"),
    "batch.answer_read": gettext_noop("Phần mềm của trường lấy kết quả lô"),
    "recall.answer_read": gettext_noop("Phần mềm của trường lấy kết quả thu hồi"),
    "batch.findings_exported": gettext_noop("Tải danh sách lỗi của lô"),
    "batch.processed": gettext_noop("Kiểm tra xong lô"),
    "batch.refused": gettext_noop("Từ chối cả lô"),
    "batch.set_aside": gettext_noop("Giữ riêng lô để cán bộ xem"),
    "batch.resumed": gettext_noop("Cho lô kiểm tra tiếp"),
    "record.read": gettext_noop("Xem học bạ"),
    "record.searched": gettext_noop("Tra cứu học bạ"),
    "recall.read": gettext_noop("Xem danh sách thu hồi"),
    "recall.requested": gettext_noop("Đề nghị thu hồi"),
    "recall.approved": gettext_noop("Duyệt thu hồi"),
    "recall.declined": gettext_noop("Từ chối thu hồi"),
    "recall.asked_again": gettext_noop("Đề nghị Bộ thu hồi lại"),
    "recall.settled": gettext_noop("Đóng đề nghị thu hồi bị Bộ từ chối"),
    "certificate.requested": gettext_noop("Đăng ký chứng thư số"),
    "certificate.approved": gettext_noop("Duyệt chứng thư số"),
    "certificate.declined": gettext_noop("Từ chối chứng thư số"),
    "certificate.withdrawn": gettext_noop("Thu hồi quyền dùng chứng thư số"),
    "endpoint.examined": gettext_noop("Khám đường truyền"),
    "endpoint.certificate_sent": gettext_noop("Gửi đăng ký chứng thư của Sở"),
    "endpoint.paused": gettext_noop("Tạm dừng đường truyền"),
    "endpoint.resumed": gettext_noop("Cho đường truyền chạy lại"),
    "endpoint.size_forgotten": gettext_noop("Quên cỡ gói từng bị từ chối"),
    "maintenance.announced": gettext_noop("Báo bảo trì đường truyền"),
    "maintenance.cancelled": gettext_noop("Huỷ báo bảo trì"),
    "line.paused": gettext_noop("Đường truyền tạm dừng"),
    "line.resumed": gettext_noop("Đường truyền thông lại"),
    "line.expires": gettext_noop("Báo chứng thư sắp hết hạn"),
    "line.discrepancies": gettext_noop("Đối soát thấy điểm khác"),
    "line.missed": gettext_noop("Lỡ việc định kỳ"),
    "line.fault": gettext_noop("Phần mềm của cổng tự gặp lỗi"),
    "discrepancy.taken": gettext_noop("Nhận xử lý điểm khác nhau"),
    "discrepancy.closed": gettext_noop("Đóng điểm khác nhau"),
    "reconciliation.asked": gettext_noop("Yêu cầu đối soát"),
    "statement.read": gettext_noop("Tải bảng kê đối soát"),
    "discrepancy.answer_read": gettext_noop("Xem nguyên văn câu trả lời của Bộ"),
    "submission.answers_read": gettext_noop("Xem kết quả nguyên văn của một gói"),
    "account.created": gettext_noop("Tạo tài khoản"),
    "account.closed": gettext_noop("Khóa tài khoản"),
    "account.reopened": gettext_noop("Mở lại tài khoản"),
    "account.password_given": gettext_noop("Cấp mật khẩu mới"),
    "api_token.created": gettext_noop("Cấp khóa phần mềm"),
    "api_token.revoked": gettext_noop("Hủy khóa phần mềm"),
    "trust.loaded": gettext_noop("Nạp gốc tin cậy"),
    "trust.switched_off": gettext_noop("Ngừng dùng gốc tin cậy"),
    "sealing.released": gettext_noop("Đóng dấu bằng mã PIN"),
    "sealing.refused": gettext_noop("Đóng dấu không được"),
    "sealing.confirmed": gettext_noop("Xác nhận cho đóng dấu"),
    "sealing.resumed": gettext_noop("Cho thử đóng dấu lại"),
    "sealing.waits": gettext_noop("Gói chờ đóng dấu"),
    "record.engines_disagree": gettext_noop("Hai bộ kiểm tra bất đồng"),
    "record.check_kills": gettext_noop("Giữ riêng học bạ làm dừng phần mềm"),
    "record.damaged": gettext_noop("Giữ riêng học bạ có bản lưu bị hỏng"),
    "record.rechecked": gettext_noop("Kiểm tra lại học bạ"),
    "held.read": gettext_noop("Xem học bạ bị giữ"),
    "record.dispute_approved": gettext_noop("Đề nghị cho học bạ bị giữ đi tiếp"),
    "record.dispute_admitted": gettext_noop("Cho học bạ bị giữ đi tiếp"),
    "record.dispute_refused": gettext_noop("Từ chối học bạ bị giữ"),
    "submission.held": gettext_noop("Tạm giữ gói"),
    "submission.released": gettext_noop("Thả gói"),
    "submission.hastened": gettext_noop("Cho gói đi ngay"),
    "submission.resend_permitted": gettext_noop("Cho gửi lại gói"),
}


KINDS: Mapping[str, str] = {
    "user": gettext_noop("người dùng"),
    "batch": gettext_noop("lô"),
    "record": gettext_noop("học bạ"),
    "recall": gettext_noop("thu hồi"),
    "certificate": gettext_noop("chứng thư"),
    "submission": gettext_noop("gói"),
    "endpoint": gettext_noop("đường truyền"),
    "sealing": gettext_noop("việc đóng dấu"),
    "search": gettext_noop("tra cứu theo"),
    "list": gettext_noop("danh sách"),
    "discrepancy": gettext_noop("điểm khác nhau"),
    "statement": gettext_noop("bảng kê"),
    "maintenance": gettext_noop("bảo trì"),
    "api_token": gettext_noop("khóa phần mềm"),
    "trust_anchor": gettext_noop("gốc tin cậy"),
}


# Facts about an act, by the name under which the journal keeps them.
FACTS: Mapping[str, str] = {
    "code": gettext_noop("mã"),
    "cause": gettext_noop("nguyên nhân"),
    "records": gettext_noop("học bạ"),
    "record": gettext_noop("học bạ"),
    "packages": gettext_noop("gói"),
    "recalls": gettext_noop("đề nghị thu hồi"),
    "approved_by": gettext_noop("người đề nghị"),
    "operator": gettext_noop("người thao tác"),
    "admitted": gettext_noop("hợp lệ"),
    "refused": gettext_noop("không hợp lệ"),
    "size": gettext_noop("số byte"),
    "door": gettext_noop("nộp qua"),
    "kind": gettext_noop("loại"),
    "state": gettext_noop("trạng thái"),
    "serial": gettext_noop("số sê-ri"),
    "user_name": gettext_noop("tên truy cập"),
    "role": gettext_noop("vai trò"),
    "shown": gettext_noop("số dòng xem"),
    "hits": gettext_noop("số kết quả"),
    "file": gettext_noop("tệp"),
    "first": gettext_noop("bộ thứ nhất"),
    "second": gettext_noop("bộ thứ hai"),
    "agree": gettext_noop("thống nhất"),
    "outcome": gettext_noop("kết quả"),
    "starts_at": gettext_noop("từ"),
    "ends_at": gettext_noop("đến"),
}


@dataclass(frozen=True)
class Told:
    entry: Entry
    what: str
    kind: str
    school: str
    detail: str


def told(entry: Entry, schools: Mapping[int, str]) -> Told:
    known = ACTIONS.get(entry.action)
    return Told(
        entry=entry,
        what=_(known) if known else entry.action,
        kind=_(KINDS.get(entry.subject_kind, entry.subject_kind)) if entry.subject_kind else "",
        school=schools.get(entry.school_id or 0, ""),
        detail=", ".join(f"{_fact(key)}: {value}" for key, value in entry.detail.items()),
    )


def _fact(key: str) -> str:
    return _(FACTS[key]) if key in FACTS else key
