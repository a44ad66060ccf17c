"""What a file is, by its first bytes and never by its name; and the refusal of what we do not take."""

import re

from portal.records.states import FileKind


class IntakeRefused(Exception):
    """Nothing was taken in. `status` is the HTTP status that fits; `message` says what to do."""

    def __init__(self, code: str, message: str, status: int = 422) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


_TAG = re.compile(rb"<([A-Za-z_][\w.:-]*)")
_BEFORE_ROOT = re.compile(rb"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_ADVICE = "Cổng chỉ nhận tệp XML học bạ số (DANH_SACH_HOC_BA hoặc HOC_BA) hoặc ZIP chứa các tệp đó."
_OTHER_KINDS = (
    (b"%PDF", "PDF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b", "GZip"),
    (b"\xd0\xcf\x11\xe0", "Word/Excel cũ"),
    (b"\x89PNG", "ảnh"),
    (b"\xff\xd8\xff", "ảnh"),
)


def kind_of(head: bytes) -> FileKind:
    """The kind of a file from its first bytes. Raises IntakeRefused for what we do not take."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head)
    for magic, name in _OTHER_KINDS:
        if head.startswith(magic):
            raise _not_ours(f"Đây là tệp {name}.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise IntakeRefused("XML_NOT_UTF8", "Tệp XML phải ở bảng mã UTF-8. Hãy xuất lại tệp rồi gửi lại.", 415)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"<"):
        raise _not_ours("Nội dung không phải XML.")
    root = _TAG.search(_BEFORE_ROOT.sub(b"", text))
    match root.group(1) if root else b"":
        case b"DANH_SACH_HOC_BA":
            return FileKind.LIST
        case b"HOC_BA":
            return FileKind.RECORD
    raise _not_ours("Phần tử gốc không phải DANH_SACH_HOC_BA hay HOC_BA.")


def _zip(head: bytes) -> FileKind:
    if head.startswith(b"PK\x05\x06"):
        raise IntakeRefused("ZIP_EMPTY", "Tệp ZIP không chứa tệp nào. Hãy kiểm tra lại rồi gửi lại.")
    # APPNOTE 4.4.4: bit 0 of the general purpose flag says that the entry is encrypted.
    if len(head) > 7 and head[6] & 1:
        raise IntakeRefused("ZIP_ENCRYPTED", "Tệp ZIP có đặt mật khẩu. Hãy nén lại, không đặt mật khẩu, rồi gửi lại.")
    return FileKind.ZIP


def _not_ours(what: str) -> IntakeRefused:
    return IntakeRefused("NOT_XML_OR_ZIP", f"{what} {_ADVICE}", 415)
