"""Every request and answer of the exchange format as frozen values, with the field names of the spec.

`to_json()` gives the JSON value to be written with `fields.dumps`, `from_json(value)` reads what `fields.loads`
gave, or raises MessageRefused naming the field. Python names are English; the wire names stand beside
them. Values of `function` and the codes in an answer are [W]: the endpoint's description gives them a meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from .errors import MessageRefused
from .fields import as_object, number, optional_text, remark, text

MESSAGE_ID_LENGTH: Final = 100
_CODE_LENGTH: Final = 100
_CONTENT_LENGTH: Final = 64 << 20
_LINES_FIELD: Final = "data"  # [W] where the list stands when an answer wraps it in an object


class Type(IntEnum):
    """`type`: the six transactions, the same on both hops."""

    SUBMIT = 1
    QUERY = 2
    REGISTER_CERTIFICATE = 3
    QUERY_CERTIFICATE = 4
    RECALL = 5
    QUERY_RECALL = 6


@dataclass(frozen=True, slots=True)
class Authentication:
    """`authenticationRequest` of types 1, 3 and 5. `password` is already the hash, never the password."""

    token: str
    user_name: str
    password: str
    unit_code: str
    school_year: int
    message_id: str
    type: int
    function: str

    def to_json(self) -> dict[str, object]:
        return {
            "token": self.token,
            "user_name": self.user_name,
            "password": self.password,
            "ma_don_vi": self.unit_code,
            "nam_hoc": self.school_year,
            "messageid": self.message_id,
            "type": self.type,
            "function": self.function,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value, "authenticationRequest")
        return cls(
            token=optional_text(source, "token"),
            user_name=optional_text(source, "user_name", max_length=200),
            password=optional_text(source, "password", max_length=200),
            unit_code=text(source, "ma_don_vi", max_length=_CODE_LENGTH),
            school_year=number(source, "nam_hoc", lowest=2000, highest=2999),
            message_id=text(source, "messageid", max_length=MESSAGE_ID_LENGTH),
            type=number(source, "type", lowest=1, highest=6),
            function=optional_text(source, "function", max_length=_CODE_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """Types 1 and 5: a signed DANH_SACH_HOC_BA, wrapped as `envelope` says."""

    authentication: Authentication
    content: str

    def to_json(self) -> dict[str, object]:
        return {"authenticationRequest": self.authentication.to_json(), "content": self.content}

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            authentication=Authentication.from_json(source.get("authenticationRequest")),
            content=text(source, "content", max_length=_CONTENT_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Type 3. [W] The four fields stand beside `content`; `content` is the certificate as Base64 of its DER."""

    authentication: Authentication
    content: str
    serial_number: str
    valid_from: str
    signature_kind: str
    provider: str

    def to_json(self) -> dict[str, object]:
        return {
            "authenticationRequest": self.authentication.to_json(),
            "content": self.content,
            "serial_number": self.serial_number,
            "ngay_hieu_luc": self.valid_from,
            "ma_kieu_chu_ky": self.signature_kind,
            "nha_phat_hanh": self.provider,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            authentication=Authentication.from_json(source.get("authenticationRequest")),
            content=optional_text(source, "content", max_length=1 << 20),
            serial_number=text(source, "serial_number", max_length=200),
            valid_from=text(source, "ngay_hieu_luc", max_length=40),
            signature_kind=text(source, "ma_kieu_chu_ky", max_length=_CODE_LENGTH),
            provider=text(source, "nha_phat_hanh", max_length=_CODE_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Types 2 and 6: what became of the message with this id."""

    message_id: str
    unit_code: str
    type: int
    function: str

    def to_json(self) -> dict[str, object]:
        return {
            "messageid": self.message_id,
            "ma_don_vi": self.unit_code,
            "type": self.type,
            "function": self.function,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            message_id=text(source, "messageid", max_length=MESSAGE_ID_LENGTH),
            unit_code=text(source, "ma_don_vi", max_length=_CODE_LENGTH),
            type=number(source, "type", lowest=1, highest=6),
            function=optional_text(source, "function", max_length=_CODE_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class CertificateQuery:
    """Type 4."""

    message_id: str
    unit_code: str
    school_year: str

    def to_json(self) -> dict[str, object]:
        return {"messageid": self.message_id, "ma_don_vi": self.unit_code, "ma_nam_hoc": self.school_year}

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            message_id=text(source, "messageid", max_length=MESSAGE_ID_LENGTH),
            unit_code=text(source, "ma_don_vi", max_length=_CODE_LENGTH),
            school_year=text(source, "ma_nam_hoc", max_length=20),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to 1, 3 and 5: *received*, never *accepted*. An empty `Error` means no error.

    The spec promises no unit in it; where an answer carries `ma_don_vi` all the same, it must be ours.
    """

    message_id: str
    error: str = ""
    error_description: str = ""
    response_code: str = ""
    response_description: str = ""
    unit_code: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "MessageId": self.message_id,
            "Error": self.error,
            "ErrorDescription": self.error_description,
            "ResponseCode": self.response_code,
            "ResponseDescription": self.response_description,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        if not any(name in source for name in ("MessageId", "Error", "ResponseCode")):
            raise MessageRefused("FIELD_MISSING", "Bản tin không có trường nào của biên nhận.", "MessageId")
        return cls(
            message_id=optional_text(source, "MessageId", max_length=MESSAGE_ID_LENGTH),
            error=optional_text(source, "Error", max_length=_CODE_LENGTH),
            error_description=remark(source, "ErrorDescription"),
            response_code=optional_text(source, "ResponseCode", max_length=_CODE_LENGTH),
            response_description=remark(source, "ResponseDescription"),
            unit_code=optional_text(source, "ma_don_vi", max_length=_CODE_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class ResultLine:
    """A line of types 2 and 6. `status` of 2: 1 accepted, 0 refused; of 6: 1 waiting, 2 agreed, 3 refused.

    A record with several errors has several lines, one per error [B]. Only the record and its status are read strictly:
    one odd description must not keep a whole package's verdicts away.
    """

    lookup_uuid: str
    status: int
    pupil_code: str = ""
    pupil_name: str = ""
    cccd: str = ""
    error: str = ""
    error_field_title: str = ""
    error_description: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "ma_hoc_sinh": self.pupil_code,
            "ten_hoc_sinh": self.pupil_name,
            "so_cccd": self.cccd,
            "ma_tra_cuu_uuid": self.lookup_uuid,
            "trang_thai": self.status,
            "error": self.error,
            "error_field_title": self.error_field_title,
            "error_description": self.error_description,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value, "data")
        return cls(
            lookup_uuid=text(source, "ma_tra_cuu_uuid", max_length=_CODE_LENGTH),
            status=number(source, "trang_thai", lowest=0, highest=9),
            pupil_code=remark(source, "ma_hoc_sinh", max_length=_CODE_LENGTH),
            pupil_name=remark(source, "ten_hoc_sinh", max_length=300),
            cccd=remark(source, "so_cccd", max_length=20),
            error=remark(source, "error", max_length=_CODE_LENGTH),
            error_field_title=remark(source, "error_field_title"),
            error_description=remark(source, "error_description"),
        )


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The answer to 2 and 6: lines, or a receipt that says why there are none.

    The spec promises a list. [W] It is written inside the receipt's object under `data`, so that the answer
    names its message; a bare list is read as well (then `receipt` is None and only the lines bind it).
    """

    receipt: Receipt | None
    lines: tuple[ResultLine, ...] = ()

    def to_json(self) -> object:
        lines = [line.to_json() for line in self.lines]
        if self.receipt is None:
            return lines
        return {**self.receipt.to_json(), _LINES_FIELD: lines}

    @classmethod
    def from_json(cls, value: object) -> Self:
        if isinstance(value, list):
            return cls(receipt=None, lines=_lines(value))
        return cls(receipt=Receipt.from_json(value), lines=_lines(as_object(value).get(_LINES_FIELD)))


@dataclass(frozen=True, slots=True)
class CertificateReceipt:
    """The answer to 3; `error_filed_title` is so spelt in the spec. Where it carries a unit, it must be ours."""

    message_id: str
    error: str = ""
    error_field_title: str = ""
    error_description: str = ""
    unit_code: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "messageid": self.message_id,
            "error": self.error,
            "error_filed_title": self.error_field_title,
            "error_description": self.error_description,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        return cls(
            message_id=text(source, "messageid", max_length=MESSAGE_ID_LENGTH),
            error=optional_text(source, "error", max_length=_CODE_LENGTH),
            error_field_title=remark(source, "error_filed_title"),
            error_description=remark(source, "error_description"),
            unit_code=optional_text(source, "ma_don_vi", max_length=_CODE_LENGTH),
        )


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """The answer to 4. `approved` is None while nobody has decided (`trang_thai_phe_duyet` absent). [W]"""

    message_id: str
    unit_code: str
    serial_number: str
    approved: bool | None
    error: str = ""
    error_field_title: str = ""
    error_description: str = ""

    def to_json(self) -> dict[str, object]:
        decided: dict[str, object] = {} if self.approved is None else {"trang_thai_phe_duyet": int(self.approved)}
        return {
            "messageid": self.message_id,
            "ma_don_vi": self.unit_code,
            "serial_number": self.serial_number,
            **decided,
            "error": self.error,
            "error_field_title": self.error_field_title,
            "error_description": self.error_description,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        source = as_object(value)
        open_yet = source.get("trang_thai_phe_duyet") is None
        return cls(
            message_id=text(source, "messageid", max_length=MESSAGE_ID_LENGTH),
            unit_code=optional_text(source, "ma_don_vi", max_length=_CODE_LENGTH),
            serial_number=optional_text(source, "serial_number", max_length=200),
            approved=None if open_yet else number(source, "trang_thai_phe_duyet", lowest=0, highest=1) == 1,
            error=optional_text(source, "error", max_length=_CODE_LENGTH),
            error_field_title=remark(source, "error_field_title"),
            error_description=remark(source, "error_description"),
        )


def _lines(value: object) -> tuple[ResultLine, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | Mapping):
        raise MessageRefused("FIELD_WRONG_TYPE", "Danh sách kết quả phải là một mảng.", _LINES_FIELD)
    return tuple(ResultLine.from_json(line) for line in value)
