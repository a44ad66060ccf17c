"""Reads an answer of the Ministry into a bound value, or says which kind of trouble it is.

The order is fixed: the line's refusals first, then size, then the package's refusals, then binding. Whatever fits
nowhere is FateUnknown. Meanings of codes come from the endpoint's description alone.
"""

from __future__ import annotations

from typing import Final

from gateway.conf import EndpointDescription
from gateway.exchange.errors import MessageRefused
from gateway.exchange.fields import loads
from gateway.exchange.messages import CertificateAnswer, CertificateReceipt, QueryAnswer, Receipt
from gateway.ministry.errors import CAUSES, Busy, FateUnknown, LinkRefused, PackageRefused, PackageTooBig
from gateway.ministry.link import Answer

_BUSY: Final = (429, 503)
_OUR_SEAL: Final = "SEAL"


class Reader:
    """The reader of one endpoint's answers."""

    def __init__(self, description: EndpointDescription) -> None:
        self._codes = description.answers
        self._limit = description.connection.max_result_bytes

    def cause(self, answer: Answer) -> str:
        """The cause by which this answer refuses the line, or ""."""
        return self._codes.link.get(self._error_code(answer), "")

    def receipt(self, answer: Answer, message_id: str, unit_code: str = "") -> Receipt:
        """A receipt that proves arrival of exactly this message."""
        receipt = self._bound(answer, message_id, unit_code)
        self.refuse_trouble(answer)
        self._refuse_package(answer, receipt)
        if answer.status not in (200, 201, 202) or receipt.error:
            raise self._unclear(answer, receipt)
        if receipt.response_code not in self._codes.received:
            raise FateUnknown("RECEIPT_UNKNOWN_CODE", f"Biên nhận mang mã lạ {receipt.response_code!r}.", status=200)
        if receipt.message_id != message_id:
            raise _foreign("RECEIPT_UNBOUND", "Biên nhận không nêu mã giao dịch.", answer)
        return receipt

    def query_answer(self, answer: Answer, message_id: str, unit_code: str = "") -> QueryAnswer:
        """The lines for exactly this message; or a receipt whose code says that it is unknown there."""
        self.refuse_trouble(answer)
        try:
            found = QueryAnswer.from_json(loads(answer.body, max_bytes=self._limit))
        except MessageRefused as problem:
            raise _unreadable(answer, problem) from None
        if found.receipt is None:
            if answer.status != 200:
                raise FateUnknown("HTTP_STATUS", f"Mã HTTP {answer.status}.", status=answer.status)
            return found
        # "Unknown to me" permits sending again: it must name the message it does not know.
        if found.receipt.message_id != message_id:
            raise _foreign("RECEIPT_FOREIGN", "Câu trả lời thuộc về giao dịch khác.", answer)
        _same_unit(found.receipt.unit_code, unit_code, answer)
        if found.receipt.error in self._codes.unknown:
            return found
        self._refuse_package(answer, found.receipt, from_query=found)
        if answer.status != 200 or found.receipt.error:
            raise self._unclear(answer, found.receipt)
        return found

    def certificate_receipt(self, answer: Answer, message_id: str, unit_code: str = "") -> CertificateReceipt:
        self.refuse_trouble(answer)
        try:
            found = CertificateReceipt.from_json(loads(answer.body, max_bytes=self._limit))
        except MessageRefused as problem:
            raise _unreadable(answer, problem) from None
        if found.message_id != message_id:
            raise _foreign("RECEIPT_FOREIGN", "Biên nhận thuộc về giao dịch khác.", answer)
        _same_unit(found.unit_code, unit_code, answer)
        if found.error in self._codes.conflict:
            raise self._unclear(answer, found)
        if found.error and answer.status < 500:
            raise PackageRefused(found.error, found.error_description, status=answer.status, body=answer.body)
        if answer.status not in (200, 201, 202):
            raise FateUnknown("HTTP_STATUS", f"Mã HTTP {answer.status}.", status=answer.status)
        return found

    def certificate_answer(self, answer: Answer, message_id: str, unit_code: str = "") -> CertificateAnswer:
        self.refuse_trouble(answer)
        try:
            found = CertificateAnswer.from_json(loads(answer.body, max_bytes=self._limit))
        except MessageRefused as problem:
            raise _unreadable(answer, problem) from None
        if found.message_id != message_id:
            raise _foreign("RECEIPT_FOREIGN", "Câu trả lời thuộc về giao dịch khác.", answer)
        _same_unit(found.unit_code, unit_code, answer)
        if answer.status != 200 and found.error not in self._codes.unknown:
            raise FateUnknown("HTTP_STATUS", f"Mã HTTP {answer.status}.", status=answer.status)
        return found

    def any_answer(self, answer: Answer) -> None:
        """Raise unless the Ministry's application itself has answered, whatever it says."""
        self.refuse_trouble(answer)
        try:
            found = loads(answer.body, max_bytes=self._limit)
        except MessageRefused as problem:
            raise _unreadable(answer, problem) from None
        if answer.status != 200 or not isinstance(found, dict | list):
            raise FateUnknown("HTTP_STATUS", f"Mã HTTP {answer.status}.", status=answer.status)

    def refuse_trouble(self, answer: Answer, *, default: str = "") -> None:
        """Raise what concerns the line, not the message: refusals of the line, "busy", 5xx, redirects."""
        code = self._error_code(answer)
        cause = self._codes.link.get(code, "")
        if cause:
            raise LinkRefused(cause, CAUSES.get(cause, cause), status=answer.status)
        if answer.status in (401, 403, 407):
            # A bare page: maybe a firewall's, so it proves nothing about the message, nor about the login.
            said_so = default if answer.status == 401 or code else ""
            named = said_so or ("ADDRESS_REFUSED" if answer.status == 403 else "TOKEN_REFUSED")
            text = f"{CAUSES[named]} (HTTP {answer.status})"
            raise LinkRefused(named, text, clear=False, status=answer.status, body=answer.body)
        if not code and _certificate_page(answer):
            text = f"{CAUSES['CERTIFICATE_REFUSED']} (HTTP {answer.status})"
            raise LinkRefused("CERTIFICATE_REFUSED", text, clear=False, status=answer.status, body=answer.body)
        if code in self._codes.busy:
            raise Busy("BUSY", "Bộ tạm thời không nhận.", status=answer.status, retry_after=answer.retry_after)
        if answer.status >= 500 or answer.status in _BUSY:
            raise FateUnknown(
                f"HTTP_{answer.status}",
                f"Máy chủ của Bộ trả mã HTTP {answer.status}.",
                status=answer.status,
                body=answer.body,
                retry_after=answer.retry_after,
            )
        if 300 <= answer.status < 400:
            raise FateUnknown("REDIRECT", "Máy chủ chuyển hướng; ta không đi theo.", status=answer.status)

    def _bound(self, answer: Answer, message_id: str, unit_code: str) -> Receipt:
        if answer.status == 413:
            bound = self._names(answer, message_id)
            raise PackageTooBig(
                "PACKAGE_TOO_BIG", "Gói lớn hơn mức Bộ nhận.", status=413, body=answer.body, bound=bound
            )
        try:
            receipt = Receipt.from_json(loads(answer.body, max_bytes=self._limit))
        except MessageRefused:
            self.refuse_trouble(answer)
            raise FateUnknown(
                "ANSWER_UNREADABLE", "Câu trả lời không phải biên nhận (trang HTML?).", status=answer.status
            ) from None
        if receipt.message_id and receipt.message_id != message_id:
            raise _foreign("RECEIPT_FOREIGN", "Biên nhận thuộc về giao dịch khác.", answer)
        _same_unit(receipt.unit_code, unit_code, answer)
        return receipt

    def _refuse_package(self, answer: Answer, receipt: Receipt, from_query: QueryAnswer | None = None) -> None:
        code = receipt.error
        if code in self._codes.too_big:
            bound = bool(receipt.message_id)
            raise PackageTooBig(code, receipt.error_description, status=answer.status, body=answer.body, bound=bound)
        if code in self._codes.package or (code and from_query is None and answer.status == 422):
            if not receipt.message_id:
                # Final for the records, so it must say which package it means.
                raise _foreign("RECEIPT_UNBOUND", "Lời từ chối không nêu mã giao dịch.", answer)
            raise PackageRefused(
                code,
                receipt.error_description,
                status=answer.status,
                body=answer.body,
                blames_items=not code.startswith(_OUR_SEAL),
                lines=from_query.lines if from_query else (),
            )

    def _unclear(self, answer: Answer, receipt: Receipt | CertificateReceipt) -> FateUnknown:
        conflict = receipt.error in self._codes.conflict
        code = "MESSAGE_CONFLICT" if conflict else "ERROR_UNKNOWN_CODE"
        return FateUnknown(code, f"Bộ trả mã {receipt.error or answer.status}.", status=answer.status, body=answer.body)

    def _names(self, answer: Answer, message_id: str) -> bool:
        try:
            return Receipt.from_json(loads(answer.body, max_bytes=self._limit)).message_id == message_id
        except MessageRefused:
            return False

    def _error_code(self, answer: Answer) -> str:
        if len(answer.body) > self._limit:
            return ""
        try:
            found = loads(answer.body, max_bytes=self._limit)
        except MessageRefused:
            return ""
        code = found.get("Error") or found.get("error") if isinstance(found, dict) else None
        if isinstance(code, int) and not isinstance(code, bool) and code:
            return str(code)
        return code if isinstance(code, str) else ""


def _unreadable(answer: Answer, problem: MessageRefused) -> FateUnknown:
    """A page of maintenance or of a firewall is called what it is; anything else by what JSON lacks."""
    page = answer.body.lstrip()[:1] == b"<"
    text = "Bên kia trả một trang web (HTML), không phải câu trả lời của Bộ." if page else problem.message
    return FateUnknown("ANSWER_UNREADABLE", text, status=answer.status)


def _certificate_page(answer: Answer) -> bool:
    """What nginx answers, after a handshake that went well, to a client certificate that expired or is missing: its own
    numbers, or 400 with a page that says so."""
    said_so = answer.status == 400 and b"ssl certificate" in answer.body[:2_000].lower()
    return answer.status in (495, 496) or said_so


def _same_unit(theirs: str, ours: str, answer: Answer) -> None:
    """An answer that names a unit must name ours; one that names none is bound by its message alone."""
    if theirs and ours and theirs != ours:
        raise _foreign("RECEIPT_FOREIGN_UNIT", "Câu trả lời thuộc về đơn vị khác.", answer)


def _foreign(code: str, message: str, answer: Answer) -> FateUnknown:
    """Something else is meant than our message: proves nothing about it, and is kept to be shown to the Ministry."""
    return FateUnknown(code, message, status=answer.status, body=answer.body)
