"""The exchange format spoken to schools' software: each function takes a parsed request and gives the answer's value.

Translate in, one call into the domain, translate out. A school's software reaches its own school only. A receipt says
*received*, never *accepted*.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.exchange.access import TokenAnswer, TokenRequest
from gateway.exchange.envelope import decode_content
from gateway.exchange.messages import (
    Authentication,
    QueryRequest,
    Receipt,
    ResultLine,
    SubmitRequest,
    Type,
)
from portal.accounts import access
from portal.accounts.models import ApiToken
from portal.api import readings
from portal.api.refusals import DoorRefused
from portal.records import queries
from portal.records.conf import conf
from portal.records.intake import receive_batch
from portal.records.models import Batch
from portal.records.states import BatchState, Door, RecordState
from portal.schools.models import School

_LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from where, when: what the view knows beside the message itself."""

    bearer: str
    address: str | None
    now: datetime


def give_token(value: object, caller: Caller) -> dict[str, object]:
    """The token service. Raises AccessRefused, DoorRefused, MessageRefused."""
    asked = TokenRequest.from_json(value)
    token = access.check_login(
        user_name=asked.user_name, password=asked.password, address=caller.address, now=caller.now
    )
    check_unit(token, asked.unit_code)
    lifetime = timedelta(minutes=conf().session_minutes)
    secret = access.open_session(token=token, now=caller.now, lifetime=lifetime)
    return TokenAnswer(secret, int(lifetime.total_seconds())).to_json()


def submit(value: object, caller: Caller) -> dict[str, object]:
    """Type 1: take in a signed list. The answer is a receipt."""
    request = SubmitRequest.from_json(value)
    token = authenticated(request.authentication, Type.SUBMIT, caller)
    document = decode_content(request.content, max_bytes=conf().max_exchange_bytes)
    message_id = request.authentication.message_id
    received = receive_batch(
        school=token.school,
        file=[document],
        now=caller.now,
        door=Door.EXCHANGE,
        file_name=f"{message_id}.xml",
        api_token=token,
        message_id=message_id,
        declared_year=request.authentication.school_year,
        address=caller.address,
    )
    return receipt_of(received.batch, message_id).to_json()


def query(value: object, caller: Caller) -> dict[str, object]:
    """Type 2: a line for every record judged so far; several errors of one record are several lines."""
    request = QueryRequest.from_json(value)
    token = asking(caller, request.unit_code)
    expect_type(request.type, Type.QUERY)
    batch = queries.find_batch(school_id=token.school_id, message_id=request.message_id)
    if batch is None:
        raise unknown_message()
    records = list(queries.lines(batch))
    lines = [line for record in records for line in lines_of(record)]
    held = sum(record.state == RecordState.RECEIVED for record in records)
    readings.keep(
        action="batch.answer_read", subject=("batch", batch.pk), token=token, lines=len(lines), address=caller.address,
        now=caller.now,
    )  # fmt: skip
    return {**_stage_of(batch, request.message_id, held=held).to_json(), "data": lines}


def authenticated(said: Authentication, expected: Type, caller: Caller) -> ApiToken:
    """The access behind types 1, 3 and 5: token, name and password must be of one and the same access."""
    token = access.check_session(secret=said.token or caller.bearer, address=caller.address, now=caller.now)
    login = access.check_login(user_name=said.user_name, password=said.password, address=caller.address, now=caller.now)
    if login.pk != token.pk:
        raise access.AccessRefused("LOGIN_REFUSED", "Token và tên truy cập không cùng một quyền truy cập.")
    expect_type(said.type, expected)
    check_unit(token, said.unit_code)
    return token


def asking_school(caller: Caller, unit_code: str) -> School:
    """The school behind type 4."""
    return asking(caller, unit_code).school


def asking(caller: Caller, unit_code: str) -> ApiToken:
    """The access behind types 2, 4 and 6, which carry their token in the header."""
    token = access.check_session(secret=caller.bearer, address=caller.address, now=caller.now)
    check_unit(token, unit_code)
    return token


def expect_type(given: int, expected: Type) -> None:
    if given != expected:
        raise DoorRefused("TYPE_WRONG", f"Địa chỉ này chỉ nhận giao dịch loại {int(expected)}.", 400)


def unknown_message() -> DoorRefused:
    return DoorRefused("MESSAGE_UNKNOWN", "Không có giao dịch nào của trường mang mã này.", 404)


def receipt_of(batch: Batch, message_id: str) -> Receipt:
    """The same words every time the same transaction is handed in."""
    received = f"{batch.received_at.astimezone(_LOCAL):%d/%m/%Y %H:%M:%S}"
    if batch.message_id == message_id:
        return Receipt(message_id, "", "", "RECEIVED", f"Đã nhận lúc {received}. Tra kết quả bằng giao dịch loại 2.")
    return Receipt(
        message_id, "", "", "DUPLICATE", f"Nội dung này đã nhận lúc {received} với mã giao dịch {batch.message_id}."
    )


def _stage_of(batch: Batch, message_id: str, *, held: int) -> Receipt:
    """`held` records have no line yet, for an officer looks at them: software must go on asking."""
    if batch.state == BatchState.REFUSED:
        return Receipt(message_id, batch.refusal_code, batch.refusal, "PROCESSED", "Cả lô bị từ chối.")
    if batch.state == BatchState.PROCESSED and held:
        return Receipt(message_id, "", "", "PROCESSING", f"Còn {held} học bạ được Sở giữ lại để xem.")
    if batch.state == BatchState.PROCESSED:
        return Receipt(message_id, "", "", "PROCESSED", "Đã kiểm tra xong.")
    return Receipt(message_id, "", "", "PROCESSING", "Đang kiểm tra.")


# `trang_thai_bo`, our extension: the Ministry's own verdict.
_VERDICTS = {"ACCEPTED": 1, "REJECTED": 0}


def lines_of(record: queries.Line) -> Iterator[dict[str, object]]:
    """Lines for one record: one per error, or one that says accepted; none while it is being checked.

    Our extensions: `thu_tu` (place in the file), `trang_thai_bo` (the Ministry's verdict, 1 or 0, absent before there
    is one), `canh_bao` (warnings, on the record's first line).
    """
    if record.state == RecordState.RECEIVED:
        return
    refused = record.state == RecordState.REFUSED or record.verdict == "REJECTED"
    errors = [
        *((one["code"], one["field_title"], _sentence(one)) for one in record.findings if one["severity"] == "ERROR"),
        *((str(one["code"]), str(one.get("field", "")), str(one.get("message", ""))) for one in record.errors),
    ]
    extension: dict[str, object] = {"thu_tu": record.position}
    if record.verdict in _VERDICTS:
        extension["trang_thai_bo"] = _VERDICTS[record.verdict]
    warnings = [
        {"error": one["code"], "error_field_title": one["field_title"], "error_description": _sentence(one)}
        for one in record.findings
        if one["severity"] != "ERROR"
    ]
    for number, (code, title, text) in enumerate(errors or [("", "", "")]):
        line = _line(record, 0 if refused else 1, code, title, text).to_json()
        yield {**line, **extension, **({"canh_bao": warnings} if warnings and number == 0 else {})}


def _sentence(finding: Mapping[str, object]) -> str:
    return f"{finding['message']} {finding['advice']}".strip()


def _line(record: queries.Line, status: int, code: str, title: str, text: str) -> ResultLine:
    return ResultLine(
        lookup_uuid=str(record.lookup_uuid) if record.lookup_uuid else f"khong-doc-duoc-{record.position}",
        status=status,
        pupil_code=record.pupil_code,
        pupil_name=record.full_name,
        cccd=record.cccd,
        error=code,
        error_field_title=title,
        error_description=text,
    )


def check_unit(token: ApiToken, unit_code: str) -> None:
    if unit_code not in {token.school.code, token.school.former_code} - {""}:
        raise DoorRefused("UNIT_REFUSED", "Mã đơn vị không phải của trường được cấp quyền truy cập này.", 403)
