"""What can go wrong on the line, sorted by the consequence it must have. `forwarding` holds the table.

Every error carries a stable code and a Vietnamese sentence; `status` and `body` are what the other side answered, if it
did. `body` is evidence and is never logged.
"""

from __future__ import annotations

from gateway.exchange.messages import ResultLine


class MinistryError(Exception):
    """Anything but a clear answer."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        body: bytes = b"",
        retry_after: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.body = body
        self.retry_after = retry_after


class NotSent(MinistryError):
    """Nothing of the request reached an application: DNS, TCP, TLS before the first byte of the body."""


class LeaseEnded(NotSent):
    """Too late to send: whoever holds the package no longer holds it alone. Code LEASE_ENDED."""

    def __init__(self) -> None:
        super().__init__("LEASE_ENDED", "Tiến trình giữ gói quá hạn nên không gửi nữa; gói được làm lại từ đầu.")


class FateUnknown(MinistryError):
    """The request may have had its effect: time-out, cut, 5xx, an answer that proves nothing."""


class OwnFault(FateUnknown):
    """Our own programme failed over an exchange; what had left by then is not known. Code OWN_FAULT."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__("OWN_FAULT", f"{CAUSES['OWN_FAULT']} ({type(trouble).__name__})")


class Busy(MinistryError):
    """The Ministry says in its own format that it has not taken the request now (429, 503)."""


class LinkRefused(MinistryError):
    """The line is refused: address, certificate, login, token, unit. Pauses the endpoint.

    `code` is the cause by name. `clear` means that the refusal is the Ministry's own word (or TLS's), so that the
    request had no effect; a bare 403 page of something in between is not.
    """

    def __init__(
        self, code: str, message: str, *, clear: bool = True, status: int | None = None, body: bytes = b""
    ) -> None:
        super().__init__(code, message, status=status, body=body)
        self.clear = clear


class PackageRefused(MinistryError):
    """The package as a whole is refused for its content; `lines` are the records the Ministry named.

    `blames_items` is False where our own seal is the reason.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        body: bytes = b"",
        blames_items: bool = True,
        lines: tuple[ResultLine, ...] = (),
    ) -> None:
        super().__init__(code, message, status=status, body=body)
        self.blames_items = blames_items
        self.lines = lines


class PackageTooBig(PackageRefused):
    """413, or the Ministry's word for it: split and remember the size. `bound`: the answer names our message; a bare
    page may be of something in between, and is no word on a record that travels alone."""

    def __init__(self, code: str, message: str, *, status: int, body: bytes = b"", bound: bool = False) -> None:
        super().__init__(code, message, status=status, body=body)
        self.bound = bound

    def as_trouble(self) -> FateUnknown:
        """The same, where splitting cannot help and nobody has refused the record by its message."""
        return FateUnknown(self.code, self.message, status=self.status, body=self.body)


CAUSES: dict[str, str] = {
    "ADDRESS_REFUSED": "Bộ từ chối địa chỉ IP nguồn của ta.",
    "CERTIFICATE_REFUSED": "Bộ từ chối chứng thư kết nối của ta.",
    "LOGIN_REFUSED": "Bộ từ chối tên đăng nhập hoặc mật khẩu.",
    "TOKEN_REFUSED": "Bộ từ chối mã phiên (token), kể cả mã vừa xin mới.",
    "UNIT_REFUSED": "Bộ từ chối mã đơn vị của ta.",
    "SERVER_CERTIFICATE": "Chứng thư máy chủ của Bộ không kiểm chứng được theo CA đã ghim.",
    "CLIENT_FILES": "Không đọc được chứng thư, khoá hoặc CA của kết nối.",
    "UNREACHABLE": "Không nối được tới máy chủ của Bộ.",
    "UNAVAILABLE": "Máy chủ của Bộ không trả lời được.",
    "REQUEST_REFUSED": "Bộ báo yêu cầu sai dạng; xem lại tệp mô tả điểm kết nối (function, type, đường dẫn).",
    "SEAL_REFUSED": "Bộ từ chối chữ ký của Sở trên gói.",
    "OWN_FAULT": "Phần mềm của cổng tự gặp lỗi khi trao đổi với Bộ.",
    "BY_OFFICER": "Cán bộ tạm dừng điểm kết nối.",
}
