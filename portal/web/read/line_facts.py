"""What the endpoint's description says, without its secrets, and what the scheduled runs last did."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from gateway.conf import endpoint
from gateway.models import SyncRun
from portal.web.formats import moment


def description_facts() -> list[tuple[str, str]]:
    """Facts for people: where, as whom, from which address. Raises EndpointUnreadable."""
    found = endpoint()
    who, line, rules = found.endpoint, found.connection, found.document
    rows = [
        (_("Hệ thống"), who.title),
        (_("Địa chỉ"), who.base_url),
        (_("Mã đơn vị gửi"), who.unit_code),
        (_("Tên đăng nhập"), found.login.user_name),
        (_("Địa chỉ IP đi ra"), line.source_address or _("theo tuyến mặc định")),
        (_("Địa chỉ IP đã đăng ký"), line.registered_address),
        (_("Máy chủ trung gian"), line.proxy or _("không dùng")),
        (_("Giới hạn một gói"), f"{rules.max_document_bytes / 1_000_000:.1f} MB".replace(".", ",")),
        (_("Đầu mối của Bộ"), who.contact),
        (_("Đầu mối của Sở"), who.our_contact),
    ]
    return [(name, value) for name, value in rows if value]


def silence(*, now: datetime) -> str:
    """Why nothing may be sent at this hour although the line is open; empty when it may. Raises EndpointUnreadable."""
    found = endpoint()
    maintenance = found.maintenance_at(now)
    if maintenance is not None:
        until = moment(maintenance.ends)
        return _("Bộ bảo trì đến %(until)s: %(reason)s") % {"until": until, "reason": maintenance.reason or "—"}
    return "" if found.sending_allowed(now) else _("Ngoài khung giờ được gửi; các gói tự đi khi đến giờ.")


def last_runs() -> list[SyncRun]:
    """The newest run of each kind."""
    return list(SyncRun.objects.order_by("kind", "-started_at").distinct("kind"))
