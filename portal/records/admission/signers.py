"""Step (8) of the verification on our side: is this certificate the one of the person or the school that must sign?

The school's organisation signs only with a certificate that the department approved, within the time it was approved
for. A person must stand on the roster that the school has registered for the role, if it has one. (That a person's
certificate carries the SO_CCCD beside the signature is checked by `signing` itself.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from portal.schools.claims import Claims
from portal.schools.roster import ApprovedCertificate, Roster
from signing.trust import CertificateFacts
from signing.verification import BindingProblem

# Roles whose signature is the school's own, not a person's: the record's issuing signature and the list's.
ORGANISATION_ROLES = frozenset({"KY_PHAT_HANH", "DANH_SACH"})

NOT_APPROVED = "SIGNER_NOT_APPROVED"
APPROVAL_NOT_THEN = "SIGNER_APPROVAL_NOT_THEN"
NOT_IN_ROSTER = "SIGNER_NOT_IN_ROSTER"
OUT_OF_TERM = "SIGNER_OUT_OF_TERM"
ROSTER_EMPTY = "SIGNER_ROSTER_EMPTY"
CERTIFICATE_OF_TWO = "CERTIFICATE_OF_TWO_PERSONS"
SEAL_ISSUER = "SEAL_ISSUER_NOT_ALLOWED"

HEAD = "CBQL"
_LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

# What each rule does unless the province says otherwise: "error", "warning" or "off".
ROSTER_SEVERITIES: Mapping[str, str] = {
    "head_not_registered": "error",
    "head_roster_empty": "warning",
    "teacher_not_registered": "warning",
    "teacher_roster_empty": "off",
    "signer_left": "error",
    "certificate_of_two_persons": "error",
    "seal_issuer_not_allowed": "error",
}


@dataclass(frozen=True)
class SchoolBinding:
    """The signers of one school. Implements `signing.verification.SignerBinding`."""

    roster: Roster
    received_at: datetime
    severities: Mapping[str, str] = field(default_factory=dict)  # a province's own, by rule; see ROSTER_SEVERITIES
    public_seal_issuers: frozenset[str] = frozenset()  # names of issuers; empty: any trusted one
    claims: Claims | None = None

    def check(
        self, *, role: str, certificate: CertificateFacts, claimed_cccd: str | None, signing_time: datetime
    ) -> Sequence[BindingProblem]:
        """What speaks against this certificate in this role at this time; nothing when all is well."""
        if role in ORGANISATION_ROLES:
            return self._organisation(certificate, signing_time)
        return self._person(role, certificate, claimed_cccd, signing_time)

    def _organisation(self, certificate: CertificateFacts, signing_time: datetime) -> list[BindingProblem]:
        approved = self.roster.certificates.get(certificate.sha256)
        if approved is None:
            return [
                _error(
                    NOT_APPROVED,
                    f"Chứng thư số của trường (số sê-ri {certificate.serial}) chưa được Sở phê duyệt. "
                    "Hãy đăng ký chứng thư với Sở rồi gửi lại, hoặc ký lại bằng chứng thư đã được duyệt.",
                )
            ]
        if not self._held_then(approved, signing_time):
            return [
                _error(
                    APPROVAL_NOT_THEN,
                    f"Chứng thư số của trường (số sê-ri {certificate.serial}) không được Sở cho dùng vào lúc ký "
                    f"({signing_time:%d/%m/%Y %H:%M}). Hãy ký lại bằng chứng thư đang được duyệt.",
                )
            ]
        return self._seal_issuer(certificate)

    def _held_then(self, approved: ApprovedCertificate, signing_time: datetime) -> bool:
        # The time of signing is only a claim. Once a certificate is withdrawn (its key may be lost), a signature must
        # also have reached us before: a thief can date back, but not hand in earlier.
        if approved.is_withdrawn and not approved.covers(self.received_at):
            return False
        return approved.covers(signing_time)

    def _person(
        self, role: str, certificate: CertificateFacts, claimed: str | None, signing_time: datetime
    ) -> list[BindingProblem]:
        number = certificate.cccd or claimed or ""
        day = signing_time.astimezone(_LOCAL).date()
        return [
            *self._term(role, number, day),
            *([] if certificate.cccd else self._claimed_before(certificate, claimed)),
        ]

    def _term(self, role: str, number: str, day: date) -> list[BindingProblem]:
        registered = self.roster.signatories.get(role)
        rules, name = ("head", "hiệu trưởng") if role == HEAD else ("teacher", "giáo viên")
        if not registered:
            message = (
                f"Trường chưa đăng ký {name} ký học bạ (vai trò {role}) với Sở nên chưa đối chiếu được người ký. "
                "Hãy cập nhật danh sách người ký."
            )
            return self._problem(f"{rules}_roster_empty", ROSTER_EMPTY, message)
        terms = registered.get(number, ())
        if any(term.covers(day) for term in terms):
            return []
        if terms:
            message = (
                f"Người ký vai trò {role} không còn hoặc chưa giữ vai trò này ở trường vào ngày ký "
                f"({day:%d/%m/%Y}). Người đang giữ vai trò phải ký lại, hoặc trường cập nhật danh sách người ký."
            )
            return self._problem("signer_left", OUT_OF_TERM, message)
        message = (
            f"Người ký vai trò {role} không có trong danh sách người ký trường đã đăng ký tại thời điểm ký. "
            "Hãy cập nhật danh sách người ký hoặc ký lại."
        )
        return self._problem(f"{rules}_not_registered", NOT_IN_ROSTER, message)

    def _claimed_before(self, certificate: CertificateFacts, claimed: str | None) -> list[BindingProblem]:
        """A certificate that carries no number itself stands for the person it was first used for."""
        if claimed is None or self.claims is None or self.claims.holder(certificate.sha256, claimed) == claimed:
            return []
        message = (
            f"Chứng thư số (số sê-ri {certificate.serial}) đã được dùng cho một người khác. "
            "Mỗi người phải ký bằng chứng thư của mình."
        )
        return self._problem("certificate_of_two_persons", CERTIFICATE_OF_TWO, message)

    def _seal_issuer(self, certificate: CertificateFacts) -> list[BindingProblem]:
        allowed = self.public_seal_issuers
        if not allowed or not self.roster.is_public or allowed & {certificate.issuer_name, certificate.issuer}:
            return []
        message = (
            f"Trường công lập phải ký phát hành bằng chứng thư do đơn vị được phép cấp ({', '.join(sorted(allowed))}); "
            f"chứng thư này do {certificate.issuer_name or certificate.issuer} cấp."
        )
        return self._problem("seal_issuer_not_allowed", SEAL_ISSUER, message)

    def _problem(self, rule: str, code: str, message: str) -> list[BindingProblem]:
        severity = self.severities.get(rule, ROSTER_SEVERITIES[rule])
        if severity == "off":
            return []
        return [BindingProblem(code=code, severity="error" if severity == "error" else "warning", message=message)]


def _error(code: str, message: str) -> BindingProblem:
    return BindingProblem(code=code, severity="error", message=message)
