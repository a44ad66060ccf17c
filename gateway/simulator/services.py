"""The nine services: a complete request goes in, a reply comes out, and what is acknowledged is on disk before.

No socket and no fault on the line is known here; the few faults that change an *effect* come in as `Wishes`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import certificates
from .config import Account, SimulatorConfig
from .envelope import ContentUnreadable, DocumentTooLarge, unpack
from .store import Line, Message, Stage, Store
from .tokens import Tokens, TokenState
from .wire import Reply, Request, json_reply

_NEEDS_CONTENT = {"submit": 1, "recall": 5}
_ASKS = {"query": 1, "query_recall": 5}


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a fault changes the effect of one request; the judge reads them again from the message's row."""

    token_seconds: float | None = None
    silent: bool = False
    extra_delay: float = 0.0
    reject_share: float = 0.0
    reject_codes: tuple[str, ...] = ("TEST_REJECTED",)
    refuse_code: str = ""
    refuse_uuids: tuple[str, ...] = ()
    name_culprit: bool = False
    refuse_recall: bool = False

    def as_text(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value != getattr(_NONE, name)})


_NONE = Wishes()


class Refused(Exception):
    """A request that gets no receipt; becomes a receipt object with `Error` set."""

    def __init__(self, status: int, code: str, text: str, *, messageid: str | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.messageid = status, code, text, messageid

    def reply(self) -> Reply:
        return json_reply(receipt(self.messageid, error=self.code, description=self.text), self.status)


def receipt(
    messageid: str | None, *, error: str = "", description: str = "", code: str = "", said: str = ""
) -> dict[str, Any]:
    """The receipt object of types 1, 3 and 5; also the shape of every refusal."""
    return {
        "MessageId": messageid,
        "Error": error,
        "ErrorDescription": description,
        "ResponseCode": code or ("RECEIVED" if not error else "REFUSED"),
        "ResponseDescription": said,
    }


class Services:
    """The repository's counter. `clock` gives seconds since the epoch; `wake` tells the judge that there is work."""

    def __init__(
        self,
        config: SimulatorConfig,
        store: Store,
        tokens: Tokens,
        *,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.config, self._store, self._tokens, self._clock, self._wake = config, store, tokens, clock, wake
        self._accounts = {account.user_name: account for account in config.accounts}

    def answer(self, service: str, request: Request, wishes: Wishes = _NONE) -> Reply:  # noqa: PLR0911 the nine services
        """The reply to a complete request of one of the nine services."""
        try:
            body = _object(request)
            if service == "token":
                return self._token(body, wishes)
            account = self._account_of(request, body, asks=service not in ("submit", "recall", "register_certificate"))
            if service in ("signature_kinds", "certificate_providers"):
                return json_reply({"data": certificates.CATALOGUES[service]})
            if service == "register_certificate":
                return self._register(body, account)
            if service == "query_certificate":
                return certificates.answer_query(self._store, body, now=self._clock())
            if service in _NEEDS_CONTENT:
                return self._submit(service, body, account, wishes)
            return self._query(service, body, account)
        except Refused as refused:
            return refused.reply()

    # -- who speaks ------------------------------------------------------------------------------------------------
    def _token(self, body: Mapping[str, Any], wishes: Wishes) -> Reply:
        account = self._accounts.get(str(body.get("user_name")))
        if account is None or str(body.get("password", "")).lower() != account.password_sha256.lower():
            raise Refused(401, "LOGIN_REFUSED", "Tên đăng nhập hoặc mật khẩu không đúng")
        seconds = self.config.token_seconds if wishes.token_seconds is None else wishes.token_seconds
        token = self._tokens.issue(account.user_name, now=self._clock(), seconds=seconds)
        said = self.config.token_seconds  # a token that expires early does not say so
        return json_reply({"token": token, "token_type": "Bearer", "expires_in": int(said)})

    def _account_of(self, request: Request, body: Mapping[str, Any], *, asks: bool) -> Account | None:
        inner = _authentication(body)
        bearer = request.headers.get("authorization", "")
        token = str(inner.get("token") or bearer.removeprefix("Bearer ").strip())
        if not token and asks and not self.config.require_token_on_queries:
            return None
        state, user_name = self._tokens.read(token, now=self._clock())
        account = self._accounts.get(user_name)
        if state is not TokenState.VALID or account is None:
            code = TokenState.INVALID if state is TokenState.VALID else state
            raise Refused(401, str(code), "Mã truy cập không còn hiệu lực, cần đăng nhập lại")
        if not asks:
            self._check_login(inner, account)
        return account

    def _check_login(self, inner: Mapping[str, Any], account: Account) -> None:
        unit, messageid = str(inner.get("ma_don_vi", "")), str(inner.get("messageid", ""))
        same = (inner.get("user_name"), str(inner.get("password", "")).lower())
        if same != (account.user_name, account.password_sha256.lower()):
            raise Refused(401, "LOGIN_REFUSED", "Tên đăng nhập hoặc mật khẩu không đúng", messageid=messageid)
        if not account.may_speak_for(unit):
            raise Refused(403, "UNIT_REFUSED", f"Tài khoản không được gửi cho đơn vị {unit}", messageid=messageid)

    # -- submit, recall --------------------------------------------------------------------------------------------
    def _submit(self, service: str, body: Mapping[str, Any], account: Account | None, wishes: Wishes) -> Reply:
        inner, kind = _authentication(body), _NEEDS_CONTENT[service]
        messageid = _messageid(inner)
        if inner.get("type") != kind:
            raise Refused(400, "TYPE_INVALID", f"Dịch vụ này nhận giao dịch loại {kind}", messageid=messageid)
        self._check_function(service, inner, messageid)
        packed, document = self._content(body, messageid)
        sha256 = hashlib.sha256(document).hexdigest()
        self._store.keep_document(sha256, packed)
        now = self._clock()
        message = Message(
            messageid=messageid,
            type=kind,
            unit=str(inner.get("ma_don_vi", "")),
            home_unit=account.unit if account else "",
            school_year=str(inner.get("nam_hoc", "")),
            document_sha256=sha256,
            stage=Stage.NEWLY_RECEIVED,
            received_at=now,
            due_at=now + self._delay(messageid) + wishes.extra_delay,
            silent=int(wishes.silent),
            plan=wishes.as_text(),
            receipt=json_reply(receipt(messageid, said="Đã nhận gói tin, chờ xử lý")).body,
            error="",
            error_description="",
            times_seen=1,
            records=None,
            judged_at=None,
        )
        return Reply(200, self._acknowledge(message))

    def _acknowledge(self, message: Message) -> bytes:
        """The first receipt for good, or the same one again; another content under the same id is refused."""
        with self._store.transaction() as connection:
            known = self._store.message(message.messageid)
            if known is None:
                self._store.add_message(message, connection)
            else:
                sql = "UPDATE message SET times_seen = times_seen + 1 WHERE messageid = ?"
                connection.execute(sql, (message.messageid,))
        if known is None:
            self._wake()
            return message.receipt
        if (known.document_sha256, known.type, known.unit) != (message.document_sha256, message.type, message.unit):
            text = "messageid này đã dùng cho một nội dung khác"
            raise Refused(409, "MESSAGE_CONFLICT", text, messageid=message.messageid)
        return known.receipt

    def _content(self, body: Mapping[str, Any], messageid: str) -> tuple[bytes, bytes]:
        try:
            return unpack(str(body.get("content", "")), max_bytes=self.config.max_document_bytes)
        except DocumentTooLarge as problem:
            raise Refused(413, "PACKAGE_TOO_BIG", str(problem), messageid=messageid) from None
        except ContentUnreadable as problem:
            raise Refused(400, "CONTENT_UNREADABLE", str(problem), messageid=messageid) from None

    def _check_function(self, service: str, inner: Mapping[str, Any], messageid: str) -> None:
        wanted = self.config.functions.get(service)
        if wanted is not None and inner.get("function") != wanted:
            raise Refused(400, "FUNCTION_INVALID", f"function phải là {wanted}", messageid=messageid)

    def _delay(self, messageid: str) -> float:
        judging = self.config.judging
        draw = int.from_bytes(hashlib.sha256(f"{judging.seed}:{messageid}".encode()).digest()[:4], "big") / 2**32
        return judging.delay_seconds + judging.jitter_seconds * draw

    # -- certificates ----------------------------------------------------------------------------------------------
    def _register(self, body: Mapping[str, Any], account: Account | None) -> Reply:
        inner = _authentication(body)
        messageid = _messageid(inner)
        merged = {**inner, **{name: value for name, value in body.items() if name != "authenticationRequest"}}
        return certificates.register(self._store, merged, messageid, self.config.judging, now=self._clock())

    # -- queries ---------------------------------------------------------------------------------------------------
    def _query(self, service: str, body: Mapping[str, Any], account: Account | None) -> Reply:
        messageid, unit = _messageid(body), str(body.get("ma_don_vi", ""))
        if account is not None and not account.may_speak_for(unit):
            raise Refused(403, "UNIT_REFUSED", f"Tài khoản không được hỏi cho đơn vị {unit}", messageid=messageid)
        message = self._store.message(messageid)
        if message is None or message.unit != unit or message.type != _ASKS[service]:
            raise Refused(200, "MESSAGE_UNKNOWN", "Kho không có gói tin mang mã này", messageid=messageid)
        lines = self._store.lines(messageid) if message.stage >= Stage.PROCESSED else []
        if message.stage == Stage.REPLY_MADE:
            self._mark_read(messageid)
            message = replace(message, stage=Stage.REPLY_READ)
        return json_reply(query_answer(message, lines))

    def _mark_read(self, messageid: str) -> None:
        with self._store.transaction() as connection:
            sql = "UPDATE message SET stage = ? WHERE messageid = ? AND stage = ?"
            connection.execute(sql, (Stage.REPLY_READ, messageid, Stage.REPLY_MADE))


def query_answer(message: Message, lines: list[Line]) -> dict[str, Any]:
    """The answer to types 2 and 6: the receipt's object with the lines in `data`, one line per error of a record."""
    stage = Stage(message.stage)
    said = {1: "mới tiếp nhận", 2: "đang xử lý", 3: "đã xử lý", 4: "đã tạo phản hồi", 5: "đã đọc phản hồi"}[stage]
    code = {"code": str(int(stage)), "said": said}
    answer = receipt(message.messageid, error=message.error, description=message.error_description, **code)
    return {**answer, "trang_thai_xu_ly": int(stage), "data": [row for line in lines for row in _rows(line)]}


def _rows(line: Line) -> list[dict[str, Any]]:
    base = {
        "ma_hoc_sinh": line.pupil_code,
        "ten_hoc_sinh": line.pupil_name,
        "so_cccd": line.pupil_cccd,
        "ma_tra_cuu_uuid": line.uuid,
        "trang_thai": line.verdict,
    }
    return [
        {**base, "error": code, "error_field_title": title, "error_description": text}
        for code, title, text in line.errors or (("", "", ""),)
    ]


def describe(body: bytes) -> dict[str, Any]:
    """What the journal may know of a body: identifiers and the digest of the content, no secret and no child."""
    try:
        value = json.loads(body)
        inner = _authentication(value) if isinstance(value, dict) else {}
    except (ValueError, UnicodeDecodeError):
        return {}
    source = inner or value
    if not isinstance(source, dict):
        return {}
    names = ("messageid", "ma_don_vi", "type", "function", "nam_hoc")
    facts = {name: source[name] for name in names if isinstance(source.get(name), str | int)}
    if isinstance(value.get("content"), str):
        facts["content_sha256"] = hashlib.sha256(value["content"].encode()).hexdigest()
    return facts


def _object(request: Request) -> dict[str, Any]:
    if not request.body:
        return {}
    try:
        value = json.loads(request.body)
    except (ValueError, UnicodeDecodeError):
        raise Refused(400, "REQUEST_UNREADABLE", "Nội dung yêu cầu không phải JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "REQUEST_UNREADABLE", "Nội dung yêu cầu không phải đối tượng JSON")
    return value


def _authentication(body: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = body.get("authenticationRequest")
    return inner if isinstance(inner, dict) else {}


def _messageid(source: Mapping[str, Any]) -> str:
    messageid = source.get("messageid")
    if not isinstance(messageid, str) or not 1 <= len(messageid) <= 100:
        raise Refused(400, "MESSAGE_ID_MISSING", "Thiếu messageid")
    return messageid
