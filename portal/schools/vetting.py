"""What an officer must know of a school's certificate before approving it: whom it names, who vouches, how strong.

Approval fails closed: a certificate without a path to a loaded anchor, out of date, too weak or not meant for signing
is refused here, whoever asks. Nothing is fetched; revocation is asked about when a signature is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from portal.schools.models import Certificate
from portal.schools.trust import trust_store
from signing.algorithms import AlgorithmPolicy
from signing.errors import SigningError
from signing.trust import CertificateFacts, ChainVerdict, build_chain, read_certificate

# Cause → what it means and what removes it. The codes are stable: the page and the journal repeat them.
REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "CERTIFICATE_UNREADABLE": "Không đọc được chứng thư này. Đề nghị trường xuất lại tệp rồi đăng ký lại.",
        "CERTIFICATE_EXPIRED": "Chứng thư đã hết hạn. Đề nghị trường đăng ký chứng thư còn hiệu lực.",
        "CERTIFICATE_NOT_YET_VALID": "Chứng thư chưa đến ngày có hiệu lực. Hãy duyệt khi chứng thư đã có hiệu lực.",
        "CHAIN_NOT_FOUND": (
            "Không nối được chứng thư này tới nơi cấp nào mà Sở đã nạp làm gốc tin cậy. Nếu nơi cấp là tổ chức chứng "
            "thực hợp pháp, quản trị hệ thống nạp chứng thư của nơi cấp trước, rồi hãy duyệt."
        ),
        "CHAIN_INVALID": "Chuỗi chứng thư không hợp lệ. Đề nghị trường hỏi lại tổ chức chứng thực đã cấp.",
        "CHAIN_UNDECIDED": (
            "Không kiểm tra được chuỗi chứng thư: một chứng thư trong đó viết sai cấu trúc. Đề nghị trường hỏi lại tổ "
            "chức chứng thực đã cấp."
        ),
        "KEY_TOO_WEAK": "Khóa của chứng thư quá yếu. Đề nghị trường xin chứng thư mới (RSA từ 2048 bit).",
        "NOT_FOR_SIGNING": "Chứng thư này không được cấp để ký. Đề nghị trường đăng ký chứng thư ký số của đơn vị.",
    }
)
_OF_VERDICT: Mapping[ChainVerdict, str] = MappingProxyType(
    {
        ChainVerdict.EXPIRED: "CERTIFICATE_EXPIRED",
        ChainVerdict.NOT_YET_VALID: "CERTIFICATE_NOT_YET_VALID",
        ChainVerdict.NOT_FOUND: "CHAIN_NOT_FOUND",
        ChainVerdict.INVALID: "CHAIN_INVALID",
        ChainVerdict.UNDECIDED: "CHAIN_UNDECIDED",
    }
)


@dataclass(frozen=True, slots=True)
class Vetting:
    """One look at a certificate. `code` is empty when nothing stands against approving it."""

    certificate: Certificate
    facts: CertificateFacts | None
    authorities: tuple[str, ...]  # names from the issuer up to the anchor; empty without a path
    code: str

    @property
    def message(self) -> str:
        return REFUSALS.get(self.code, "")

    @property
    def key(self) -> str:
        return f"{self.facts.key_kind} {self.facts.key_bits} bit" if self.facts else ""


def vet(certificate: Certificate, *, now: datetime) -> Vetting:
    """Read it, build its path to an anchor, and hold its key and purpose against what signatures need."""
    try:
        facts = read_certificate(bytes(certificate.der))
    except SigningError:
        return Vetting(certificate, None, (), "CERTIFICATE_UNREADABLE")
    chain = build_chain(facts, trust_store(), at=now)
    authorities = tuple(one.common_name or one.subject for one in chain.certificates[1:])
    code = _OF_VERDICT.get(chain.verdict, "") or _against(facts)
    if code == "CHAIN_INVALID" and facts.is_self_signed:
        code = "CHAIN_NOT_FOUND"  # it vouches for itself only: nobody we know does
    return Vetting(certificate, facts, authorities, code)


def _against(facts: CertificateFacts) -> str:
    if not AlgorithmPolicy().admits_key(facts.key_kind, facts.key_bits):
        return "KEY_TOO_WEAK"
    return "NOT_FOR_SIGNING" if facts.is_authority or not facts.may_sign else ""
