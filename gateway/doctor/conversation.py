"""The steps over HTTP: clock, address as the other side sees it, token, the harmless call, the harmless question.

Each step returns what it saw or raises Doubt, Trouble or MinistryError. No package leaves.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from gateway.doctor.finding import MINISTRY, NETWORK, WE, Doubt, Trouble, Visit
from gateway.ministry.client import Message
from gateway.ministry.errors import FateUnknown, LinkRefused

_CLOCK_SECONDS: Final = 60
_NO_ANSWER: Final = ("ANSWER_UNREADABLE", "TIMEOUT", "CONNECTION_CUT", "REDIRECT")


def clock(visit: Visit) -> str:
    started = time.time()
    answer = visit.client.link.call("GET", "/")
    # The Date header counts whole seconds, and was written somewhere between our question and now.
    difference = answer.clock_difference((started + time.time()) / 2)
    if difference is None:
        raise Doubt("Máy chủ của Bộ không cho biết giờ.", "Không so được đồng hồ; kiểm tra NTP của máy này.", WE)
    if abs(difference) <= 1.5:
        return "Đồng hồ khớp với máy chủ của Bộ."
    direction = "nhanh" if difference > 0 else "chậm"
    text = f"Đồng hồ của Bộ {direction} hơn máy này {_span(abs(difference))}."
    if abs(difference) > _CLOCK_SECONDS:
        raise Doubt(text, "Đồng hồ máy này (hoặc của Bộ) sai; bật đồng bộ giờ NTP.", WE)
    return text


def address(visit: Visit) -> str:
    wanted = visit.description.connection.registered_address
    try:
        seen = visit.client.address_seen()
    except FateUnknown as problem:
        raise Doubt(
            f"Không hỏi được địa chỉ mà Bộ nhìn thấy ({problem.code}).",
            "Bộ không có dịch vụ này, hoặc connection.address_path sai; xem các bước sau.",
            MINISTRY,
        ) from None
    if not seen:
        hint = "Bộ không có dịch vụ cho biết; nếu bước gọi thử đạt thì địa chỉ được chấp nhận."
        raise Doubt("Không biết địa chỉ mà Bộ nhìn thấy.", hint, MINISTRY)
    if wanted and seen != wanted:
        raise Trouble(
            f"Bộ nhìn thấy ta từ {seen}, trong khi địa chỉ đã đăng ký là {wanted}.",
            "Đường truyền đi ra bằng địa chỉ khác (đổi nhà mạng, NAT, VPN rớt).",
            NETWORK,
        )
    return f"Bộ nhìn thấy ta từ {seen}."


def token(visit: Visit) -> str:
    found = visit.client.fresh_token()
    left = int((found.expires_at - datetime.now(UTC)).total_seconds())
    return f"Đăng nhập được; mã phiên sống {left} giây."


def call(visit: Visit) -> str:
    started = time.monotonic()
    visit.client.probe()
    return f"Gọi thử dịch vụ danh mục đạt, {1000 * (time.monotonic() - started):.0f} ms."


def question(visit: Visit) -> str:
    """About a message that never was. The answer "unknown to me" alone permits the portal to send again what was lost,
    so its code must be the one in the description; and unit, path and `function` of the query are tried too."""
    known = visit.description.answers.unknown
    listed = ", ".join(sorted(known))
    message = Message(uuid4(), visit.description.unit_code, visit.now.year)
    try:
        found, _ = visit.client.look_up(message)
    except LinkRefused:
        raise
    except FateUnknown as problem:
        if problem.code in _NO_ANSWER or (problem.status or 0) >= 500:
            raise  # nothing was said about the message: the service itself is the trouble
        raise Doubt(
            f"Hỏi thử một mã giao dịch không có: câu trả lời không nói rõ ({problem.message.rstrip('.')}).",
            f"Mã “không có giao dịch này” của Bộ phải nằm trong answers.unknown (đang khai: {listed}); "
            "nếu sai, gói chưa rõ số phận sẽ không bao giờ được gửi lại.",
            f"{WE}; rồi {MINISTRY}",
        ) from None
    if found.receipt is not None and found.receipt.error in known:
        return "Hỏi thử một mã giao dịch không có: Bộ trả lời “không có”, đúng mã đã khai."
    raise Doubt(
        "Hỏi thử một mã giao dịch không có: Bộ không nói là không có.",
        "Bộ trả danh sách trống cho mã lạ: gói chưa rõ số phận phải do cán bộ quyết định gửi lại.",
        MINISTRY,
    )


def _span(seconds: float) -> str:
    for size, words in ((86_400, "ngày"), (3_600, "giờ"), (60, "phút")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {words}"
    return f"{seconds:.0f} giây"
