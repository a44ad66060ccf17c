"""The judgement on one package, as a pure function: bytes and what is known go in, verdicts come out.

Numbered steps, as an inspector would take them: (1) parse; (2) root and seal; (3) the seal's certificate is approved
for the sender; (4) cut the raw bytes; (5) each record by itself; (6) each record against what is held; (7) for a
share of them, the school's issuing signature. A record's trouble is its own; only 1-4 refuse the package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from . import cutting, rules, seal
from .seal import DS, Element, SignatureRefused

ROOT = "DANH_SACH_HOC_BA"


class PackageRefused(Exception):
    """The package as a whole is refused; `code` travels in `Error`."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Judged:
    """One record after judgement. `errors` empty = nothing against it."""

    position: int
    sha256: str
    size: int
    seen: rules.Seen
    errors: tuple[rules.Error, ...]
    signature_verified: bool = False

    def with_error(self, code: str, field_name: str, text: str) -> Judged:
        return replace(self, errors=(*self.errors, (code, field_name, text)))


@dataclass(frozen=True, slots=True)
class Standards:
    """By what a package is judged; handed in, so that the same package always gives the same verdicts."""

    approved: frozenset[bytes]  # DER of the certificates approved for the sender
    signature_share: float
    seed: int
    school_cas: tuple[x509.Certificate, ...] = field(default=())


def open_list(document: bytes, standards: Standards) -> tuple[Element, list[bytes]]:
    """Steps 1-4: the list's root with a seal that holds, and the raw bytes of its records."""
    try:
        root = seal.parse(document)
    except SignatureRefused as problem:
        raise PackageRefused("CONTENT_UNREADABLE", str(problem)) from None
    if root.tag != ROOT:
        raise PackageRefused("STRUCTURE_INVALID", f"Phần tử gốc phải là {ROOT}")
    records = root.findall("HOC_BA")
    _check_seal(root, standards)
    try:
        pieces = cutting.records(document)
    except cutting.NotCuttable as problem:
        raise PackageRefused("STRUCTURE_INVALID", str(problem)) from None
    if not pieces or len(pieces) != len(records) or len(records) + 1 != len(root):
        raise PackageRefused("STRUCTURE_INVALID", "Danh sách chỉ được chứa các HOC_BA và một chữ ký")
    return root, pieces


def judge_records(root: Element, pieces: Iterable[bytes], standards: Standards) -> list[Judged]:
    """Steps 5 and 7, record by record."""
    judged: list[Judged] = []
    for position, (element, piece) in enumerate(zip(root.iterchildren("HOC_BA"), pieces, strict=True)):
        seen = rules.examine(element)
        verdict = Judged(position, hashlib.sha256(piece).hexdigest(), len(piece), seen, seen.errors)
        if seen.layout is not None and _chosen(seen.uuid, standards):
            verdict = _with_signature_checked(verdict, piece, seen.layout, standards)
        judged.append(verdict)
    return judged


def judge_recalls(root: Element, pieces: Iterable[bytes]) -> list[Judged]:
    """Step 5 for a recall's list, whose `HOC_BA` hold eight fields and no signature of their own."""
    judged: list[Judged] = []
    for position, (element, piece) in enumerate(zip(root.iterchildren("HOC_BA"), pieces, strict=True)):
        seen = rules.examine_recall(element)
        judged.append(Judged(position, hashlib.sha256(piece).hexdigest(), len(piece), seen, seen.errors))
    return judged


def against_holdings(judged: Iterable[Judged], held: Mapping[str, tuple[str, str, str]]) -> list[Judged]:
    """Step 6: a UUID that is held, recalled, or stands twice in this package is refused."""
    verdicts: list[Judged] = []
    here: set[str] = set()
    for judged_alone in judged:
        uuid = judged_alone.seen.uuid
        error = _holding_error(uuid, held.get(uuid), here)
        verdicts.append(judged_alone.with_error(*error) if error else judged_alone)
        here.add(uuid)
    return verdicts


def _holding_error(uuid: str, known: tuple[str, str, str] | None, here: set[str]) -> rules.Error | None:
    if known is not None and known[0] == "RECALLED":
        return ("UUID_RECALLED", "MA_TRA_CUU_UUID", "Mã tra cứu đã thu hồi, không dùng lại được")
    if known is not None:
        return ("UUID_HELD", "MA_TRA_CUU_UUID", "Kho đã có học bạ mang mã tra cứu này")
    if uuid and uuid in here:
        return ("UUID_TWICE", "MA_TRA_CUU_UUID", "Mã tra cứu có hai lần trong gói tin")
    return None


def _check_seal(root: Element, standards: Standards) -> None:
    """Steps 2 and 3."""
    signatures = root.findall(f"{{{DS}}}Signature")
    if len(signatures) != 1 or root[-1] is not signatures[0]:
        raise PackageRefused("SEAL_INVALID", "Danh sách phải kết thúc bằng đúng một chữ ký của đơn vị gửi")
    try:
        verified = seal.verify(signatures[0], root, enveloped=True)
    except SignatureRefused as problem:
        raise PackageRefused("SEAL_INVALID", f"Chữ ký trên danh sách không hợp lệ: {problem}") from None
    if verified.certificate_der not in standards.approved:
        raise PackageRefused("SEAL_UNREGISTERED", "Chứng thư số của đơn vị gửi chưa đăng ký hoặc chưa được duyệt")


def _chosen(uuid: str, standards: Standards) -> bool:
    if standards.signature_share >= 1.0:
        return True
    if standards.signature_share <= 0.0:
        return False
    draw = hashlib.sha256(f"{standards.seed}:{uuid}".encode()).digest()
    return int.from_bytes(draw[:4], "big") < standards.signature_share * 2**32


def _with_signature_checked(verdict: Judged, piece: bytes, layout: rules.Layout, standards: Standards) -> Judged:
    """Step 7, on the record as a document of its own: ids are unique only inside one `HOC_BA`."""
    try:
        record = seal.parse(piece)
        signatures = record.findall(f"{layout.issuing}/{{{DS}}}Signature")
        data = record.find("DU_LIEU_HOC_BA")
        if len(signatures) != 1 or data is None:
            raise SignatureRefused("thiếu hoặc thừa chữ ký phát hành")
        verified = seal.verify(signatures[0], data, enveloped=False)
        if standards.school_cas:
            _check_chain(verified.certificate, standards.school_cas, _signing_time(signatures[0]))
    except SignatureRefused as problem:
        return verdict.with_error("SIGNATURE_INVALID", "KY_PHAT_HANH", f"Chữ ký phát hành không hợp lệ: {problem}")
    return replace(verdict, signature_verified=True)


def _signing_time(signature: Element) -> datetime:
    for element in signature.iterdescendants("{*}SigningTime"):
        try:
            time = datetime.fromisoformat((element.text or "").strip())
        except ValueError:
            break
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    raise SignatureRefused("thiếu thời điểm ký")


def _check_chain(leaf: x509.Certificate, authorities: tuple[x509.Certificate, ...], at: datetime) -> None:
    """Up to a known authority, every certificate valid at signing time. Inexact on purpose: no revocation here."""
    current = leaf
    for _ in range(5):
        if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
            raise SignatureRefused("chứng thư số không có hiệu lực lúc ký")
        issuer = next((ca for ca in authorities if _issued(current, ca)), None)
        if issuer is None:
            raise SignatureRefused("không rõ tổ chức cấp chứng thư số")
        if issuer.subject == issuer.issuer:
            return
        current = issuer
    raise SignatureRefused("chuỗi chứng thư số quá dài")


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
