"""Plain Vietnamese for what the network and the Ministry answer: likely cause, and who can remove it. Tables only.

The library's own words stay in brackets behind the sentence, for whoever is called.
"""

from __future__ import annotations

import re
import ssl
from typing import Final

from gateway.doctor.finding import MINISTRY, NETWORK, WE
from gateway.ministry.errors import LinkRefused, MinistryError

_TITLE: Final = re.compile(rb"<title[^>]*>\s*([^<]{1,120})", re.IGNORECASE)
_PAGE: Final = "Trang báo bảo trì của Bộ, hoặc trang của tường lửa, cổng thông tin chen giữa đường (đọc tiêu đề trang)"
_FILE = "trong tệp mô tả điểm kết nối"

# Code of a trouble → likely cause, whom to call.
_CAUSES: Final[dict[str, tuple[str, str]]] = {
    "ADDRESS_REFUSED": (
        "IP đi ra của Sở không nằm trong danh sách Bộ cho phép: chưa đăng ký, hoặc vừa đổi đường truyền, NAT, VPN.",
        f"{NETWORK}; nếu IP vẫn đúng như đã đăng ký: {MINISTRY}",
    ),
    "CERTIFICATE_REFUSED": (
        "Chứng thư kết nối của Sở chưa đăng ký với Bộ, đã hết hạn, hoặc chưa được khai.",
        f"{WE}; rồi {MINISTRY}",
    ),
    "LOGIN_REFUSED": (
        "Tên đăng nhập hoặc mật khẩu sai hay đã đổi, hoặc dạng băm (login.password_form) không đúng.",
        f"{WE} so lại tệp mật khẩu; nếu vẫn đúng: {MINISTRY}",
    ),
    "TOKEN_REFUSED": (
        f"Tiêu đề mang mã phiên (login.token_header, token_prefix) {_FILE} không đúng, hoặc máy chủ của Bộ lệch giờ.",
        f"{WE}; rồi {MINISTRY}",
    ),
    "UNIT_REFUSED": ("Mã đơn vị (endpoint.unit_code) sai, hoặc tài khoản không được gửi cho đơn vị này.", MINISTRY),
    "REQUEST_REFUSED": (f"Giá trị `function` hoặc đường dẫn {_FILE} không đúng với tài liệu của Bộ.", WE),
    "SERVER_CERTIFICATE": ("Bộ đã đổi chứng thư hoặc CA; hoặc có thiết bị chen giữa đường truyền.", MINISTRY),
    "CLIENT_FILES": ("Tệp chứng thư, khoá, CA hoặc mật khẩu không đọc được hoặc không phải PEM.", WE),
    "PROXY": ("Máy chủ trung gian tắt, sai địa chỉ, đòi đăng nhập, hoặc cấm đi tới máy chủ của Bộ.", NETWORK),
    "DNS": ("Máy chủ DNS không trả lời, hoặc tên máy chủ trong tệp mô tả sai.", NETWORK),
    "TIMEOUT": ("Máy chủ của Bộ quá tải hoặc treo; hoặc đường truyền mất gói giữa chừng.", f"{MINISTRY}; {NETWORK}"),
    "CONNECT_TIMEOUT": ("Tường lửa chặn, hoặc địa chỉ IP của ta chưa được Bộ cho phép.", f"{NETWORK}; rồi {MINISTRY}"),
    "CONNECTION_CUT": ("Máy chủ của Bộ hoặc tường lửa giữa đường ngắt kết nối.", f"{NETWORK}; rồi {MINISTRY}"),
    "REDIRECT": (f"Địa chỉ dịch vụ đã đổi: sửa base_url hoặc đường dẫn {_FILE}.", f"{WE}; {MINISTRY}"),
    "ANSWER_UNREADABLE": (
        f"Đường dẫn dịch vụ {_FILE} sai, hoặc một cổng thông tin, tường lửa trả lời thay máy chủ của Bộ.",
        f"{WE}; rồi {MINISTRY}",
    ),
    "TOKEN_UNREADABLE": (
        f"Đường dẫn hoặc tên trường mã phiên (login.token_field) {_FILE} sai; hoặc máy khác trả lời thay Bộ.",
        f"{WE}; rồi {MINISTRY}",
    ),
    "NOT_FOUND": (f"Đường dẫn của dịch vụ {_FILE} không đúng với tài liệu của Bộ.", WE),
    "BUSY": ("Bộ đang giới hạn số lượt gọi hoặc bảo trì; cổng tự thử lại sau.", MINISTRY),
    "SERVER": ("Máy chủ của Bộ đang lỗi hoặc bảo trì; cổng tự thử lại.", MINISTRY),
}
# The doctor hands nothing over, so doubts about a package would only frighten.
_DETAILS: Final = {
    "TIMEOUT": "Nối được nhưng quá hạn chờ mà không có trả lời trọn vẹn.",
    "CONNECTION_CUT": "Nối được nhưng kết nối bị cắt trước khi có trả lời trọn vẹn.",
    "NOT_FOUND": "Máy chủ của Bộ không có dịch vụ ở đường dẫn đã khai.",
}
# OpenSSL's number of the verification's outcome → what is wrong, and why.
_CHAIN: Final[dict[int, tuple[str, str]]] = {
    10: ("đã hết hạn", "Bộ chưa thay chứng thư đã hết hạn, hoặc đồng hồ máy này chạy sai."),
    9: ("chưa tới ngày có hiệu lực", "Đồng hồ máy này chạy chậm, hoặc Bộ cài chứng thư quá sớm."),
    62: ("không mang đúng tên máy chủ", "Tên trong base_url hoặc connection.server_name sai, hoặc Bộ đổi chứng thư."),
    64: ("không mang đúng địa chỉ IP", "base_url ghi IP mà chứng thư ghi tên: khai tên ở connection.server_name."),
    23: ("đã bị thu hồi", "Bộ phải thay chứng thư máy chủ."),
}
_NOT_OURS: Final = (
    "không do CA đã ghim cấp",
    "Bộ đã đổi CA (xin tệp CA mới), connection.ca không phải tệp của Bộ, hoặc có thiết bị chen giữa đường truyền.",
)


def of_ministry(problem: MinistryError) -> tuple[str, str, str]:
    """Detail, likely cause and whom to call for what a call to the Ministry met."""
    code = problem.code
    if problem.status == 404:
        code = "NOT_FOUND"
    elif (problem.status or 0) >= 500 and not isinstance(problem, LinkRefused):
        code = "SERVER"
    cause, call = _CAUSES.get(code, ("Câu trả lời không đúng dạng đã thoả thuận.", MINISTRY))
    detail = _DETAILS.get(code, _DETAILS.get(problem.code, problem.message))
    if problem.body.lstrip()[:1] == b"<":
        title = _TITLE.search(problem.body)
        named = f" mang tiêu đề “{title[1].decode('utf-8', 'replace').strip()}”" if title else ""
        detail = f"Bên kia trả một trang web (HTML){named}, không phải JSON (mã HTTP {problem.status})."
        if problem.status == 200:
            cause, call = f"{_PAGE}; hoặc: {cause[0].lower()}{cause[1:]}", f"{MINISTRY}; rồi {WE}"
    elif problem.status and "HTTP" not in detail:
        detail = f"{detail.rstrip('.')} (mã HTTP {problem.status})."
    return detail, cause, call


def of_chain(problem: ssl.SSLCertVerificationError) -> tuple[str, str, str]:
    """The same for a server certificate that does not hold."""
    what, why = _CHAIN.get(problem.verify_code, _NOT_OURS)
    call = f"{WE}; rồi {MINISTRY}" if problem.verify_code in (9, 62, 64) else MINISTRY
    return f"Chứng thư máy chủ {what} ({problem.verify_message.rstrip('.')}).", why, call


def of_code(code: str) -> tuple[str, str]:
    """Likely cause and whom to call for one stable code."""
    return _CAUSES[code]
