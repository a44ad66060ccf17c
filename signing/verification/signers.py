"""Step (8): the certificate may sign documents and belongs to the signer's role.

The signer is who the certificate says; `SO_CCCD` beside a signature is unsigned and only ever compared. Who may
sign for which school is the caller's knowledge, asked through `SignerBinding`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signing.policy import Severity, SignaturePolicy, SignerKind
from signing.report import ReportWarning, SubIndication
from signing.trust import CertificateFacts
from signing.verification.outcome import Refusal, malformed
from signing.verification.placement import Placed
from signing.xml import children, text_of


@dataclass(frozen=True, slots=True)
class BindingProblem:
    """What the roster has against this certificate in this role; severity "error" or "warning"."""

    code: str
    severity: str
    message: str


class SignerBinding(Protocol):
    """The caller's roster: certificate, person, role, school, at signing time."""

    def check(
        self, *, role: str, certificate: CertificateFacts, claimed_cccd: str | None, signing_time: datetime
    ) -> Sequence[BindingProblem]:
        """Problems of this certificate in this role at that time; empty when there are none."""


def check_certificate(certificate: CertificateFacts) -> None:
    """The certificate is an end-entity's and meant for signing documents."""
    if certificate.is_authority:
        raise Refusal(
            SubIndication.CHAIN_CONSTRAINTS_FAILURE,
            "CERTIFICATE_IS_AUTHORITY",
            "Chứng thư ký là của cơ quan cấp chứng thư, không phải của người hay đơn vị. Hãy ký bằng "
            "chứng thư của mình.",
        )
    if not certificate.may_sign:
        raise Refusal(
            SubIndication.CHAIN_CONSTRAINTS_FAILURE,
            "CERTIFICATE_USAGE",
            "Chứng thư không được cấp để ký tài liệu (key usage). Hãy ký bằng chứng thư chữ ký số.",
        )


def claimed_number(placed: Placed) -> str | None:
    """`SO_CCCD` beside the signature, as claimed; None when the slot has none."""
    if placed.slot.cccd is None or placed.holder is None:
        return None
    if placed.beside is not None and "/" not in placed.slot.cccd:
        return placed.beside.get(placed.slot.cccd) or None
    found = list(children(placed.holder, placed.slot.cccd))
    if len(found) > 1:
        raise malformed("PART_TWICE", f"Có hai {placed.slot.cccd} bên cạnh chữ ký {placed.slot.role}.")
    return (text_of(found[0]) or None) if found else None


def check_number(
    placed: Placed, certificate: CertificateFacts, claimed: str | None, policy: SignaturePolicy
) -> ReportWarning | None:
    """The claimed number is the certificate's, where the certificate carries one."""
    if placed.slot.signer is SignerKind.ORGANISATION or claimed is None or certificate.cccd in (None, claimed):
        return None
    return soft(
        policy,
        "cccd",
        "CCCD_DIFFERS",
        "Số định danh ghi bên cạnh chữ ký không phải số trên chứng thư. Hãy sửa SO_CCCD hoặc ký bằng đúng chứng thư.",
    )


def check_kind(placed: Placed, certificate: CertificateFacts, policy: SignaturePolicy) -> ReportWarning | None:
    """A certificate that names only a person does not seal for the organisation, nor the other way round."""
    wrong, right = certificate.organisation_id, certificate.cccd
    if placed.slot.signer is SignerKind.ORGANISATION:
        wrong, right = right, wrong
    if wrong is None or right is not None:
        return None
    whose = "của đơn vị" if placed.slot.signer is SignerKind.ORGANISATION else "của cá nhân"
    return soft(
        policy,
        "signer_kind",
        "SIGNER_KIND_DIFFERS",
        f"Chỗ ký {placed.slot.role} cần chứng thư {whose}, chứng thư kèm theo là loại khác. Hãy ký lại đúng chứng thư.",
    )


def check_shared(
    placed: Placed, certificate: CertificateFacts, earlier: Mapping[str, tuple[Placed, str | None]],
    claimed: str | None, policy: SignaturePolicy,
) -> ReportWarning | None:  # fmt: skip
    """One certificate for two people, or for a person and the organisation, within one record."""
    before = earlier.get(certificate.sha256)
    if before is None:
        return None
    other, other_claimed = before
    two_people = claimed is not None and other_claimed is not None and claimed != other_claimed
    if other.slot.signer is placed.slot.signer and not two_people:
        return None
    return soft(
        policy,
        "same_certificate",
        "CERTIFICATE_SHARED",
        f"Cùng một chứng thư ký cho {other.slot.role} và {placed.slot.role}. Mỗi người, mỗi đơn vị phải ký "
        "bằng chứng thư riêng.",
    )


def ask_binding(
    binding: SignerBinding, placed: Placed, certificate: CertificateFacts, claimed: str | None, at: datetime
) -> list[ReportWarning]:
    """The roster's warnings. Raises `Refusal` with the roster's code at its first error."""
    warnings = []
    for problem in binding.check(role=placed.slot.role, certificate=certificate, claimed_cccd=claimed, signing_time=at):
        if problem.severity != "warning":
            raise Refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, problem.code, problem.message)
        warnings.append(ReportWarning(problem.code, problem.message))
    return warnings


def soft(policy: SignaturePolicy, rule: str, code: str, message: str) -> ReportWarning | None:
    """A soft rule is broken: refuse, warn or say nothing, as the policy names it."""
    severity = policy.severity(rule)
    if severity is Severity.ERROR:
        raise Refusal(SubIndication.SIG_CONSTRAINTS_FAILURE, code, message)
    return ReportWarning(code, message) if severity is Severity.WARNING else None
