"""The worker class of the web server: what gunicorn refuses before any page of ours runs is told in plain words.

Names nothing of the request and needs neither database nor templates. Every other request goes the ordinary way.
"""

from __future__ import annotations

import socket
from typing import Final

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

_WORDS: Final = {
    414: (
        "Địa chỉ quá dài",
        "Địa chỉ trang hoặc từ khoá tìm kiếm quá dài. Rút ngắn rồi thử lại.",
        "The address or the search words are too long. Shorten them and try again.",
    ),
    431: (
        "Yêu cầu mang quá nhiều dữ liệu kèm theo",
        "Trình duyệt gửi kèm quá nhiều cookie. Xoá cookie của trang này rồi đăng nhập lại.",
        "The browser sent too many cookies. Delete this site's cookies and sign in again.",
    ),
    500: (
        "Cổng gặp lỗi",
        "Không có gì bị mất. Thử lại sau ít phút; nếu vẫn gặp, báo bộ phận hỗ trợ của Sở kèm thời điểm gặp lỗi.",
        "Nothing is lost. Try again in a few minutes, or tell the department's support when it happened.",
    ),
}
_OTHERWISE: Final = (
    "Yêu cầu không đọc được",
    "Trình duyệt hoặc phần mềm gửi một yêu cầu sai quy cách HTTP. Quay lại trang trước, tải lại rồi làm lại; "
    "nếu vẫn gặp, báo bộ phận hỗ trợ của Sở kèm thời điểm gặp lỗi.",
    "The browser or the software sent a request that is not proper HTTP. Go back, reload and try again.",
)
_PAGE: Final = """<!doctype html>
<html lang="vi">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{words}</p><p lang="en">{english}</p><p><a href="/">Về trang đầu</a></p></main></body>
</html>
"""
_HEAD: Final = (
    "HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n"
    "Content-Length: {length}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'\r\n\r\n"
)


def write_page(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """In place of gunicorn's own: `mesg` repeats the request and is left out."""
    title, words, english = _WORDS.get(status_int, _OTHERWISE)
    body = _PAGE.format(title=title, words=words, english=english).encode()
    head = _HEAD.format(status=status_int, reason=reason, length=len(body)).encode("ascii")
    util.write_nonblock(sock, head + body)


class Door(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, with pages people can read."""

    def init_process(self) -> None:
        util.write_error = write_page
        super().init_process()
