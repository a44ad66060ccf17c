"""Transactions 5 and 6: a school's software asks to withdraw records, and what became of each.

`content` is a list signed by the school whose HOC_BA name the records by MA_TRA_CUU_UUID. All or none: a list that
names a record which is not the school's, or not in force, asks for nothing.
"""

from uuid import UUID

from django.db import transaction

from gateway.exchange.envelope import decode_content
from gateway.exchange.messages import QueryRequest, Receipt, ResultLine, SubmitRequest, Type
from portal.accounts.models import ApiToken
from portal.api import readings
from portal.api.exchange import Caller, asking, authenticated, expect_type, unknown_message
from portal.api.refusals import DoorRefused
from portal.records import recall
from portal.records.admission.lists import verify_lists
from portal.records.conf import conf
from portal.records.models import Recall, Record
from portal.records.states import RecallState
from signing import xml
from signing.errors import MalformedDocument

_WAITING, _AGREED, _REFUSED = 1, 2, 3


def request(value: object, caller: Caller) -> dict[str, object]:
    """Type 5. The same id again gets the same receipt."""
    asked = SubmitRequest.from_json(value)
    token = authenticated(asked.authentication, Type.RECALL, caller)
    message_id = asked.authentication.message_id
    document = decode_content(asked.content, max_bytes=conf().max_exchange_bytes)
    wanted = _wanted(document)
    if not _is_repeated(message_id, token, wanted):
        report = verify_lists([("", document)], school_id=token.school_id, received_at=caller.now, now=caller.now)
        if report.try_later:
            raise DoorRefused("TRY_LATER", "Chưa kiểm tra được chữ ký của danh sách. Hãy gửi lại sau ít phút.", 503)
        _ask(wanted, message_id, token, caller)
    return Receipt(message_id, "", "", "RECEIVED", "Đã nhận đề nghị thu hồi.").to_json()


def query(value: object, caller: Caller) -> dict[str, object]:
    """Type 6: 1 waiting, 2 agreed, 3 refused."""
    asked = QueryRequest.from_json(value)
    token = asking(caller, asked.unit_code)
    expect_type(asked.type, Type.QUERY_RECALL)
    rows = list(
        Recall.objects.filter(message_id=asked.message_id, record__school_id=token.school_id).select_related(
            "record__item", "item"
        )
    )
    if not rows:
        raise unknown_message()
    lines = tuple(
        ResultLine(
            lookup_uuid=str(row.record.lookup_uuid),
            status=_status(row),
            pupil_code=row.record.pupil_code,
            pupil_name=row.record.full_name,
            cccd=row.record.cccd,
            error="RECALL_DECLINED" if row.state == RecallState.DECLINED else "",
            error_description=row.decision if row.state == RecallState.DECLINED else "",
        )
        for row in rows
    )
    readings.keep(
        action="recall.answer_read", subject=("recall", rows[0].pk), token=token, lines=len(lines),
        address=caller.address, now=caller.now,
    )  # fmt: skip
    receipt = Receipt(asked.message_id, "", "", "PROCESSED", "")
    return {**receipt.to_json(), "data": [line.to_json() for line in lines]}


def _status(row: Recall) -> int:
    if row.state == RecallState.DECLINED:
        return _REFUSED
    if row.item is not None and row.item.verdict != "PENDING":
        return _AGREED if row.item.verdict == "ACCEPTED" else _REFUSED
    # A record that the Ministry does not hold, because it never left or was refused there, is withdrawn as soon as the
    # recall is granted; others wait for the Ministry.
    holds = row.record.item is not None and row.record.item.verdict != "REJECTED"
    return _AGREED if row.state == RecallState.APPROVED and not holds else _WAITING


def _wanted(document: bytes) -> list[UUID]:
    try:
        root = xml.parse(document, limits=xml.LIST_LIMITS).root
        names = [xml.child_text(one, "MA_TRA_CUU_UUID") for one in xml.children(root, "HOC_BA")]
        found = [UUID(name or "") for name in names]
    except MalformedDocument as problem:
        raise DoorRefused(problem.code, problem.message) from None
    except ValueError:
        raise DoorRefused("UUID_INVALID", "Có MA_TRA_CUU_UUID trống hoặc không phải UUID.") from None
    if not found:
        raise DoorRefused("NO_RECORDS", "Danh sách không nêu học bạ nào cần thu hồi.")
    return found


def _is_repeated(message_id: str, token: ApiToken, wanted: list[UUID]) -> bool:
    known = Recall.objects.filter(message_id=message_id, record__school_id=token.school_id)
    uuids = set(known.values_list("record__lookup_uuid", flat=True))
    if uuids and uuids != set(wanted):
        raise DoorRefused("MESSAGE_ID_REUSED", "Mã giao dịch này đã dùng cho một đề nghị khác.", 409)
    return bool(uuids)


@transaction.atomic
def _ask(wanted: list[UUID], message_id: str, token: ApiToken, caller: Caller) -> None:
    own = Record.objects.filter(school_id=token.school_id, standing="IN_FORCE")
    for uuid in dict.fromkeys(wanted):
        record = own.filter(lookup_uuid=uuid).first()
        if record is None:
            raise DoorRefused("RECORD_UNKNOWN", f"Trường không có học bạ đang lưu hành nào mang mã {uuid}.")
        recall.request(
            record=record,
            reason="Đề nghị qua phần mềm của trường.",
            requested_by=None,
            requested_through=token.user_name,
            message_id=message_id,
            now=caller.now,
        )
