"""Step (8) of the verification on our side: is this certificate the one of the person or the school that must sign?

The school's organisation signs only with a certificate that the department approved, within the time it was approved
for. A person must stand on the roster that the school has registered for the role, if it has one. (That a person's
certificate carries the SO_CCCD beside the signature is checked by `signing` itself.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.schools.roster import ApprovedCertificate, Roster
from signing.trust import CertificateFacts
from signing.verification import BindingProblem

# Roles whose signature is the school's own, not a person's: the record's issuing signature and the list's.
ORGANISATION_ROLES = frozenset({"KY_PHAT_HANH", "DANH_SACH"})

NOT_APPROVED = "SIGNER_NOT_APPROVED"
APPROVAL_NOT_THEN = "SIGNER_APPROVAL_NOT_THEN"
NOT_IN_ROSTER = "SIGNER_NOT_IN_ROSTER"


@dataclass(frozen=True)
class SchoolBinding:
    """The signers of one school. Implements `signing.verification.SignerBinding`."""

    roster: Roster
    received_at: datetime
    roster_is_binding: bool = False

    def check(
        self, *, role: str, certificate: CertificateFacts, claimed_cccd: str | None, signing_time: datetime
    ) -> Sequence[BindingProblem]:
        """What speaks against this certificate in this role at this time; nothing when all is well."""
        if role in ORGANISATION_ROLES:
            return self._organisation(certificate, signing_time)
        return self._term(role, certificate, claimed_cccd, signing_time)

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
        return []

    def _held_then(self, approved: ApprovedCertificate, signing_time: datetime) -> bool:
        # The time of signing is only a claim. Once a certificate is withdrawn (its key may be lost), a signature must
        # also have reached us before: a thief can date back, but not hand in earlier.
        if approved.is_withdrawn and not approved.covers(self.received_at):
            return False
        return approved.covers(signing_time)

    def _term(
        self, role: str, certificate: CertificateFacts, claimed: str | None, signing_time: datetime
    ) -> list[BindingProblem]:
        registered = self.roster.signatories.get(role)
        if not registered:  # the school has registered nobody for this role: nothing to hold against
            return []
        terms = registered.get(certificate.cccd or claimed or "", ())
        if any(term.covers(signing_time.date()) for term in terms):
            return []
        severity = "error" if self.roster_is_binding else "warning"
        message = (
            f"Người ký vai trò {role} không có trong danh sách người ký trường đã đăng ký tại thời điểm ký. "
            "Hãy cập nhật danh sách người ký hoặc ký lại."
        )
        return [BindingProblem(code=NOT_IN_ROSTER, severity=severity, message=message)]


def _error(code: str, message: str) -> BindingProblem:
    return BindingProblem(code=code, severity="error", message=message)
