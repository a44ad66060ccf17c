"""Sentences of the gateway in the language of the page. The gateway writes Vietnamese, into rows too; pages in English
look its sentences up in the catalogue, those with values in them by pattern. What is not known stays as it is:
the Ministry's own words are never translated.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from django.utils.translation import get_language, gettext

_DEPTH: Final = 4
_PLACE: Final = re.compile(r"%\\\((\w)\\\)s")
# The special ones first: the last ones only take a sentence apart. Each stands in the catalogue as it stands here.
PATTERNS: Final = (
    "Không nối được tới %(a)s.",
    "Không phân giải được tên máy chủ %(a)s.",
    "Bắt tay TLS với %(a)s không thành.",
    "Quá hạn nối tới %(a)s.",
    "Câu trả lời dài quá %(a)s byte",
    "Bộ trả mã %(a)s.",
    "Bộ trả mã %(a)s",
    "Biên nhận mang mã lạ %(a)s.",
    "Câu trả lời mang mã lạ %(a)s.",
    "Câu trả lời vừa quyết định về chứng thư vừa báo lỗi (%(a)s).",
    "Mã HTTP %(a)s.",
    "Máy chủ của Bộ trả mã HTTP %(a)s.",
    "Bên kia trả một trang web (HTML) mang tiêu đề “%(a)s”, không phải JSON (mã HTTP %(b)s).",
    "Bên kia trả một trang web (HTML), không phải JSON (mã HTTP %(a)s).",
    "%(a)s (mã HTTP %(b)s).",
    "Bộ từ chối chứng thư kết nối của ta (%(a)s).",
    "Bộ đòi chứng thư của ta (%(a)s).",
    "Chứng thư máy chủ %(a)s (%(b)s).",
    "%(a)s, dấu vết SHA-256 %(b)s: còn %(c)s ngày (đến %(d)s).",
    "%(a)s, dấu vết SHA-256 %(b)s: đã hết hạn ngày %(c)s.",
    "%(a)s, dấu vết SHA-256 %(b)s: tới ngày %(c)s mới có hiệu lực.",
    "Nối được TCP tới %(a)s.",
    "Bắt tay TLS không thành (%(a)s).",
    "Bắt tay TLS không thành: %(a)s.",
    "Đi từ địa chỉ %(a)s (đúng địa chỉ đã khai).",
    "Đi từ địa chỉ %(a)s.",
    "Cổng %(a)s không nói TLS (%(b)s).",
    "Không có tệp: %(a)s.",
    "Tệp %(a)s không phải chứng thư X.509.",
    "Tệp CA %(a)s không phải chứng thư PEM.",
    "Không phân giải được tên %(a)s (%(b)s).",
    "%(a)s, chứng thư máy chủ hợp lệ và đúng tên %(b)s.",
    "Proxy không mở đường tới %(a)s (%(b)s).",
    "Không nối được TCP tới %(a)s: %(b)s.",
    "Không đi được từ địa chỉ %(a)s: %(b)s.",
    "Không dùng được chứng thư kết nối (%(a)s).",
    "Đồng hồ của Bộ nhanh hơn máy này %(a)s.",
    "Đồng hồ của Bộ chậm hơn máy này %(a)s.",
    "Bộ nhìn thấy ta từ %(a)s, trong khi địa chỉ đã đăng ký là %(b)s.",
    "Bộ nhìn thấy ta từ %(a)s.",
    "Đăng nhập được; mã phiên sống %(a)s giây.",
    "Gọi thử dịch vụ danh mục đạt, %(a)s ms.",
    "Không hỏi được địa chỉ mà Bộ nhìn thấy (%(a)s).",
    "Hỏi thử một mã giao dịch không có: câu trả lời không nói rõ (%(a)s).",
    "Mã “không có giao dịch này” của Bộ phải nằm trong answers.unknown (đang khai: %(a)s); nếu sai, "
    "gói chưa rõ số phận sẽ không bao giờ được gửi lại.",
    "Đường truyền đã thông; %(a)s gói được gửi tiếp.",
    "Câu trả lời mang trạng thái lạ (%(a)s).",
    "Bộ từ chối lần gửi lại (%(a)s), nhưng có thể đã giữ gói từ lần trước; đang hỏi lại.",
    "%(a)s giây",
    "%(a)s phút",
    "%(a)s giờ",
    "%(a)s ngày",
    "%(a)s; hoặc: %(b)s",
    "%(a)s; đăng ký chứng thư mới với %(b)s",
    "%(a)s; nếu IP vẫn đúng như đã đăng ký: %(b)s",
    "%(a)s; nếu vẫn đúng: %(b)s",
    "%(a)s; rồi %(b)s",
    "%(a)s; %(b)s",
    "%(a)s (HTTP %(b)s)",
    "%(a)s (%(b)s)",
)


def said(text: str) -> str:
    """A sentence of the gateway for a reader of this page's language."""
    return str(text or "") if get_language() in (None, "vi") else _in_words(str(text or ""), _DEPTH)


def _in_words(text: str, depth: int) -> str:
    if not text or not depth:
        return text
    if (whole := gettext(text)) != text:
        return whole
    if (whole := gettext(f"{text}.")) != f"{text}.":
        return whole.removesuffix(".")
    for pattern, shape in _shapes():
        found = shape.fullmatch(text)
        if found is None:
            continue
        told = {name: _in_words(value, depth - 1) for name, value in found.groupdict().items()}
        if not pattern.startswith("%(a)s") or told != found.groupdict() or gettext(pattern) != pattern:
            return gettext(pattern) % told
    return text


@lru_cache(maxsize=1)
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (pattern, re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(pattern)), re.DOTALL)) for pattern in PATTERNS
    )
