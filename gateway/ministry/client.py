"""The nine services of the central repository: values in, values out, trouble as the errors of `errors`.

An answer counts only when it is JSON of the right form and bound to the message it answers; an HTML page with status
status 200, a receipt for another message or an unreadable text is FateUnknown, never a success. The token is refreshed
once when it is refused; refused again, it is the line's trouble, unless another worker holds a newer one.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol
from uuid import UUID

from gateway.conf import EndpointDescription, Service
from gateway.exchange import envelope
from gateway.exchange.access import CatalogueEntry, TokenAnswer, TokenRequest, catalogue_from_json
from gateway.exchange.errors import MessageRefused
from gateway.exchange.fields import dumps, loads
from gateway.exchange.messages import (
    Authentication,
    CertificateAnswer,
    CertificateQuery,
    CertificateReceipt,
    CertificateRequest,
    QueryAnswer,
    QueryRequest,
    Receipt,
    SubmitRequest,
    Type,
)
from gateway.ministry.errors import CAUSES, FateUnknown, LinkRefused
from gateway.ministry.link import Answer, Link
from gateway.ministry.reading import Reader

# What can stand in an HTTP header and arrives there as it was: one line, Latin-1, no blank at its ends.
_HEADER_TEXT: Final = re.compile(r"[!-~\xa1-\xff](?:[ -~\xa0-\xff]*[!-~\xa1-\xff])?")
# Of two log-ins at the same time the answer to one may come so much earlier that its token is used, and refused, first.
_OTHERS_LOG_IN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires_at: datetime

    def usable(self, now: datetime, margin: timedelta) -> bool:
        # Added to now, not taken from the end: for a refused token a row may hold the beginning of all dates.
        return bool(self.text) and now + margin < self.expires_at


class TokenStore(Protocol):
    """Where all workers find the token (the rows are above this room)."""

    def read(self) -> Token | None: ...

    def write(self, token: Token) -> Token | None:
        """Share this token; returns the one whose place it takes."""

    def replace(self, refused: Collection[str], by: Token | None) -> None:
        """Put another token, or none, in the place of a refused one; what others have written since then stays."""


class MemoryTokens:
    """A store of one process, for the connection doctor and for tests."""

    def __init__(self) -> None:
        self._token: Token | None = None
        self._lock = threading.Lock()

    def read(self) -> Token | None:
        return self._token

    def write(self, token: Token) -> Token | None:
        with self._lock:
            former, self._token = self._token, token
            return former

    def replace(self, refused: Collection[str], by: Token | None) -> None:
        with self._lock:
            if self._token is not None and self._token.text in refused:
                self._token = by


@dataclass(frozen=True, slots=True)
class Message:
    """What identifies one transaction towards the Ministry."""

    message_id: UUID
    unit_code: str
    school_year: int


class MinistryClient:
    """One per process; threads may share it."""

    def __init__(
        self,
        description: EndpointDescription,
        *,
        tokens: TokenStore | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.description = description
        self.link = Link(description)
        self._tokens = tokens or MemoryTokens()
        self._clock = clock
        self._reader = Reader(description)

    # --- the six transactions -------------------------------------------------------------------------------------

    def submit(self, message: Message, content: str, *, not_after: float | None = None) -> tuple[Receipt, Answer]:
        """Type 1. The receipt is bound to the message; it says *received*, never *accepted*. Not a byte of the message
        leaves after `not_after` (monotonic): raises LeaseEnded."""
        return self._hand_over(message, Type.SUBMIT, self.description.services.submit, content, not_after)

    def recall(self, message: Message, content: str, *, not_after: float | None = None) -> tuple[Receipt, Answer]:
        """Type 5."""
        return self._hand_over(message, Type.RECALL, self.description.services.recall, content, not_after)

    def look_up(self, message: Message, *, recall: bool = False) -> tuple[QueryAnswer, Answer]:
        """Types 2 and 6: also the question that an uncertain fate asks first. "Unknown to me" is an answer too: its
        receipt carries one of the endpoint's `unknown` codes."""
        service = self.description.services.query_recall if recall else self.description.services.query
        kind = Type.QUERY_RECALL if recall else Type.QUERY
        request = QueryRequest(str(message.message_id), message.unit_code, kind, service.function)
        answer = self._authorised(service, lambda _: request.to_json(), self.description.connection.max_result_bytes)
        return self._reader.query_answer(answer, str(message.message_id), message.unit_code), answer

    def register_certificate(
        self, message: Message, certificate: bytes, details: Mapping[str, Any], *, not_after: float | None = None
    ) -> tuple[CertificateReceipt, Answer]:
        """Type 3. [W] `content` is the certificate as Base64 of its DER."""
        service = self.description.services.register_certificate

        def body(token: str) -> object:
            return CertificateRequest(
                authentication=self._authentication(message, Type.REGISTER_CERTIFICATE, service, token),
                content=base64.b64encode(certificate).decode("ascii"),
                serial_number=str(details.get("serial_number", "")),
                valid_from=str(details.get("ngay_hieu_luc", "")),
                signature_kind=str(details.get("ma_kieu_chu_ky", "")),
                provider=str(details.get("nha_phat_hanh", "")),
            ).to_json()

        answer = self._authorised(service, body, not_after=not_after)
        return self._reader.certificate_receipt(answer, str(message.message_id), message.unit_code), answer

    def query_certificate(self, message: Message) -> tuple[CertificateAnswer, Answer]:
        """Type 4."""
        year = f"{message.school_year}-{message.school_year + 1}"
        request = CertificateQuery(str(message.message_id), message.unit_code, year)
        answer = self._authorised(self.description.services.query_certificate, lambda _: request.to_json())
        return self._reader.certificate_answer(answer, str(message.message_id), message.unit_code), answer

    # --- the two catalogues, the token and the harmless call --------------------------------------------------------

    def catalogue(self, name: str) -> tuple[CatalogueEntry, ...]:
        """`signature_kinds` or `certificate_providers`."""
        answer = self._authorised(getattr(self.description.services, name), None)
        self._reader.refuse_trouble(answer)
        try:
            return catalogue_from_json(loads(answer.body, max_bytes=self.description.connection.max_answer_bytes))
        except MessageRefused as problem:
            raise FateUnknown("ANSWER_UNREADABLE", problem.message, status=answer.status, body=answer.body) from None

    def probe(self) -> None:
        """A harmless call that needs the whole line: address, TLS, certificate, login, token. What the catalogue says
        is of no account here."""
        answer = self._authorised(getattr(self.description.services, self.description.connection.probe_service), None)
        self._reader.any_answer(answer)

    def address_seen(self) -> str:
        """Our source address as the other side sees it, where it offers to say so; else ""."""
        path = self.description.connection.address_path
        if not path:
            return ""
        answer = self.link.call("GET", path)
        self._reader.refuse_trouble(answer)
        try:
            found = loads(answer.body)
        except MessageRefused:
            return ""
        return str(found.get("address", "")) if isinstance(found, dict) else ""

    def fresh_token(self) -> Token:
        """Log in now and share the token."""
        return self._log_in()[0]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _log_in(self) -> tuple[Token, Token | None]:
        """A new token, shared, and the one whose place it takes."""
        login, services = self.description.login, self.description.services
        request = TokenRequest(login.user_name, self._password(), self.description.unit_code)
        answer = self.link.call(services.token.method, services.token.path, body=dumps(request.to_json()))
        self._reader.refuse_trouble(answer, default="LOGIN_REFUSED")
        try:
            found = TokenAnswer.from_json(
                loads(answer.body), token_field=login.token_field, life_field=login.life_field
            )
        except MessageRefused as problem:
            raise FateUnknown("TOKEN_UNREADABLE", problem.message, status=answer.status, body=answer.body) from None
        if login.token_header and not _HEADER_TEXT.fullmatch(found.token):
            # Kept, it would make every call fail before it began, for as long as it is said to live.
            text = "Mã phiên Bộ cấp có ký tự không đặt được vào tiêu đề HTTP."
            raise FateUnknown("TOKEN_UNREADABLE", text, status=answer.status, body=answer.body)
        life = timedelta(seconds=found.expires_in or login.token_life_seconds)
        token = Token(found.token, self._clock() + life)
        return token, self._tokens.write(token)

    def _password(self) -> str:
        """In the form that the Ministry asks for. Where it cannot be read, nothing is sent."""
        login = self.description.login
        try:
            return envelope.hash_password(login.secret(), login.password_form)
        except (OSError, UnicodeDecodeError):
            raise LinkRefused("CLIENT_FILES", "Không đọc được tệp mật khẩu (login.password_file).") from None

    def _hand_over(
        self, message: Message, kind: Type, service: Service, content: str, not_after: float | None
    ) -> tuple[Receipt, Answer]:
        def body(token: str) -> object:
            return SubmitRequest(self._authentication(message, kind, service, token), content).to_json()

        answer = self._authorised(service, body, not_after=not_after)
        return self._reader.receipt(answer, str(message.message_id), message.unit_code), answer

    def _authentication(self, message: Message, kind: Type, service: Service, token: str) -> Authentication:
        login = self.description.login
        return Authentication(
            token=token,
            user_name=login.user_name,
            password=self._password(),
            unit_code=message.unit_code,
            school_year=message.school_year,
            message_id=str(message.message_id),
            type=kind,
            function=service.function,
        )

    def _authorised(
        self,
        service: Service,
        body: Callable[[str], object] | None,
        max_bytes: int | None = None,
        *,
        not_after: float | None = None,
    ) -> Answer:
        """The call with our token; refused by name, it is made again with a newer one, else the endpoint pauses."""
        refused: list[str] = []
        for token in self._candidates():
            answer = self._call(service, body, token.text, max_bytes, not_after)
            if self._reader.cause(answer) != "TOKEN_REFUSED":
                if refused:
                    self._tokens.replace(refused, by=token)
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    # A bare page proves nothing about the message, which is not sent again; but whoever calls next
                    # logs in first: the server may have forgotten this token, and a front of it says so.
                    self._tokens.replace([token.text], by=None)
                return answer
            refused.append(token.text)
        self._tokens.replace(refused, by=None)
        raise LinkRefused("TOKEN_REFUSED", CAUSES["TOKEN_REFUSED"], status=answer.status)

    def _candidates(self) -> Iterator[Token]:
        """The tokens to try, each after the former was refused: the shared one; a newer one; and, where two workers
        logged in at once and the later log-in ended the earlier token, the other's, whichever was written last."""
        first = self._token()
        yield first
        second, former = self._tokens.read(), None
        if second is None or second.text == first.text:
            second, former = self._log_in()
        yield second
        tried = (first.text, second.text)
        third = self._other(tried, former)
        if third is None and former is not None:
            time.sleep(_OTHERS_LOG_IN)
            third = self._other(tried, None)
        if third is not None:
            yield third

    def _other(self, tried: Collection[str], former: Token | None) -> Token | None:
        found = (one for one in (self._tokens.read(), former) if one is not None and one.text not in tried)
        return next(found, None)

    def _call(
        self,
        service: Service,
        body: Callable[[str], object] | None,
        token: str,
        max_bytes: int | None,
        not_after: float | None,
    ) -> Answer:
        login = self.description.login
        headers = {login.token_header: f"{login.token_prefix}{token}"} if login.token_header else {}
        sent = None if body is None or service.method == "GET" else dumps(body(token))
        return self.link.call(
            service.method, service.path, body=sent, headers=headers, max_bytes=max_bytes, not_after=not_after
        )

    def _token(self) -> Token:
        margin = timedelta(seconds=self.description.login.token_margin_seconds)
        held = self._tokens.read()
        return held if held and held.usable(self._clock(), margin) else self.fresh_token()
