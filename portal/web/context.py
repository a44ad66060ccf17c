"""What the frame around every page needs: who is signed in, the menu of that person, the two languages.

Reads nothing but the person's memberships (once per request, shared with the gate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.accounts.policy import Permission
from portal.web.access import Actor, Asked, Opening, actor_of


@dataclass(frozen=True)
class MenuItem:
    label: str
    address: str
    is_here: bool


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of templates/web/frame.html."""
    actor = actor_of(request) if hasattr(request, "user") else None
    return {
        "actor": actor,
        "menu": menu_of(actor, here=request.path) if actor else (),
        "language": get_language() or "vi",
        "here": request.get_full_path() if request.method == "GET" else "/",
    }


def menu_of(actor: Actor, *, here: str) -> list[MenuItem]:
    """The pages this person may open, in the order of a working day."""
    school: list[tuple[str, str, Asked]] = [
        (_("Việc cần làm"), "home", Opening.SIGNED_IN),
        (_("Nộp học bạ"), "hand-in", Permission.HAND_IN),
        (_("Lô đã nộp"), "batches", Permission.SEE_BATCHES),
        (_("Tra cứu"), "search", Permission.SEE_RECORD),
        (_("Thu hồi"), "school-recalls", Permission.REQUEST_RECALL),
        (_("Chứng thư số"), "school-certificates", Permission.REQUEST_CERTIFICATE),
    ]
    department: list[tuple[str, str, Asked]] = [
        (_("Tổng quan"), "overview", Permission.SEE_OVERVIEW),
        (_("Trường"), "schools", Permission.SEE_OVERVIEW),
        (_("Lô học bạ"), "batches", Permission.SEE_BATCHES),
        (_("Tra cứu"), "search", Permission.SEE_RECORD),
        (_("Đóng dấu"), "sealing", Permission.SEE_QUEUE),
        (_("Hàng đợi gửi Bộ"), "queue", Permission.SEE_QUEUE),
        (_("Đường truyền"), "endpoint", Permission.SEE_QUEUE),
        (_("Đối soát"), "discrepancies", Permission.SEE_QUEUE),
        (_("Chứng thư số"), "certificates", Permission.DECIDE_CERTIFICATE),
        (_("Thu hồi"), "recalls", Permission.DECIDE_RECALL),
        (_("Bị giữ"), "held", Permission.DECIDE_HELD),
        (_("Nhật ký"), "journal", Permission.SEE_JOURNAL),
        (_("Tài khoản"), "accounts", Permission.MANAGE_ACCOUNTS),
        (_("Phần mềm"), "tokens", Permission.MANAGE_TOKENS),
    ]
    rows = department if actor.is_department else school
    if not actor.is_department and actor.school is None:
        return []
    addresses = [(label, reverse(name)) for label, name, asked in rows if actor.may(asked)]
    best = max((a for _label, a in addresses if (here == a if a == "/" else here.startswith(a))), key=len, default="")
    return [MenuItem(label=label, address=a, is_here=a == best) for label, a in addresses]
