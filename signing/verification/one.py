"""Steps (5) to (9) for one signature in its place, each written into the log as it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from signing.algorithms import SignatureMethod
from signing.policy import SignaturePolicy
from signing.report import (
    ReportWarning,
    SignatureReport,
    Stamp,
    SubIndication,
    indication_of,
)
from signing.trust import CertificateFacts, RevocationSource, TrustStore
from signing.verification.digests import DigestCache
from signing.verification.evidence import check_chain, check_revocation
from signing.verification.keyinfo import KeyInfo, read_key_info, subject_warning
from signing.verification.moments import SigningTime, read_signing_time
from signing.verification.order import check_date, check_moment
from signing.verification.outcome import Refusal, StepLog
from signing.verification.placement import IdMap, Placed
from signing.verification.properties import check_signing_certificate
from signing.verification.recognition import Build, Recognised, learn, recognise
from signing.verification.references import check_digests, resolve
from signing.verification.signers import (
    SignerBinding,
    ask_binding,
    check_certificate,
    check_kind,
    check_number,
    check_shared,
    claimed_number,
    soft,
)
from signing.verification.stamps import Judge, check_stamps, describe, warning
from signing.verification.structure import ReferenceShape, read_shape
from signing.verification.values import check_key, check_value
from signing.xml import Document, canonical_bytes

log = logging.getLogger("signing.verification")


@dataclass(frozen=True, slots=True)
class Question:
    """What all signatures of one document are judged by."""

    document: Document
    policy: SignaturePolicy
    trust: TrustStore
    at: datetime
    ids: IdMap
    binding: SignerBinding | None = None
    revocation: RevocationSource | None = None
    cache: DigestCache = field(default_factory=DigestCache)
    # certificates already met in this document: who signed with them, under which number
    certificates: dict[str, tuple[Placed, str | None]] = field(default_factory=dict)
    # builds and kinds of keys whose algorithms were let in already
    admitted: set[tuple[Build, str, int]] = field(default_factory=set)

    def admits(self, build: Build, info: KeyInfo, at: datetime) -> None:
        """The algorithms of a known build with this key. Raises `Refusal`."""
        key = (build, info.certificate.key_kind, info.certificate.key_bits)
        if key in self.admitted and info.certificate.public_key is not None:
            return
        _check_algorithms(build.algorithm, build.shapes, info, self.policy, at)
        if self.policy.algorithms.sha1_until is None:
            self.admitted.add(key)


@dataclass(slots=True)
class Progress:
    """What is known of one signature so far; `finish` makes the report of it, also when a step refused."""

    placed: Placed
    number: int = 5
    signing_time: datetime | None = None
    algorithm: str | None = None
    digest: str | None = None
    certificate: CertificateFacts | None = None
    evidence: tuple[str, ...] = ()
    stamp: Stamp | None = None
    refusal: Refusal | None = None
    warnings: list[ReportWarning] = field(default_factory=list)
    log: StepLog = field(default_factory=StepLog)


def verify_one(placed: Placed, question: Question) -> Progress:
    """Steps (5) to (9) of one signature; never raises for anything the signature contains (R19)."""
    progress = Progress(placed)
    try:
        _run(placed, question, progress)
    except Refusal as refusal:
        refuse(progress, refusal)
    except Exception as error:
        log.error("verification step %s ended in %s", progress.number, type(error).__name__)
        message = "Không kiểm tra được chữ ký này. Hãy ký lại; nếu lặp lại, báo cho Sở."
        refuse(progress, Refusal(SubIndication.FORMAT_FAILURE, "UNFORESEEN", message))
    return progress


def refuse(progress: Progress, refusal: Refusal) -> None:
    """The signature does not pass; the step it had come to says why."""
    progress.refusal = refusal
    progress.log.refused(progress.number, refusal)


def _run(placed: Placed, question: Question, progress: Progress) -> None:
    policy = question.policy
    assert placed.signature is not None
    known = recognise(placed, ids=question.ids, policy=policy, cache=question.cache, admits=question.admits)
    if known is not None:
        run_known(placed, question, progress, known)
        return
    # (5) shape, targets, transforms
    shape = read_shape(placed.signature)
    time = read_signing_time(shape, allow_xades=policy.xades)
    progress.signing_time, progress.algorithm = time.at, shape.algorithm.name
    resolved = resolve(shape, placed, time, ids=question.ids, root=question.document.root, policy=policy)
    progress.log.passed(5, placed.covers)
    # (6) digest and signature value, with the certificate's key
    progress.number = 6
    info = read_key_info(shape.key_info)
    progress.certificate = info.certificate
    _check_algorithms(shape.algorithm, shape.references, info, policy, time.at)
    progress.digest = check_digests(resolved, shape, question.cache, placed.target)
    data = canonical_bytes(shape.signed_info, exclusive=shape.method.c14n.exclusive, prefixes=shape.method.prefixes)
    check_value(info.certificate, shape.algorithm, data, shape.value)
    progress.log.passed(6, shape.algorithm.name)
    if not time.stamped:  # a stamp is looked at in every signature: no short way around it
        learn(placed.signature)
    _run_rest(placed, question, progress, info, time)


def run_known(placed: Placed, question: Question, progress: Progress, known: Recognised) -> None:
    """What `recognition` found out, then the steps behind it. Raises `Refusal`."""
    progress.signing_time, progress.algorithm = known.signed_at, known.algorithm.name
    progress.digest, progress.certificate = known.digest, known.info.certificate
    progress.log.passed(5, placed.covers)
    progress.log.passed(6, known.algorithm.name)
    _run_rest(placed, question, progress, known.info, SigningTime(known.signed_at, ()))


def _run_rest(placed: Placed, question: Question, progress: Progress, info: KeyInfo, time: SigningTime) -> None:
    policy = question.policy
    # (7) the time is covered (found in step 5) and possible
    progress.number = 7
    check_moment(time.at, policy, question.at)
    _warn(progress, check_date(placed, time.at, policy))
    _check_stamps(placed, question, progress, time)
    progress.log.passed(7, time.at.isoformat() + (f"; {describe(progress.stamp)}" if progress.stamp else ""))
    # (8) certificate and role
    progress.number = 8
    _check_signer(placed, question, progress, info, time)
    # (9) chain, then revocation, at signing time
    progress.number = 9
    _check_evidence(question, progress, info, time)


def _check_algorithms(
    method: SignatureMethod, references: Sequence[ReferenceShape], info: KeyInfo, policy: SignaturePolicy, at: datetime
) -> None:
    algorithms = policy.algorithms
    if not algorithms.admits_method(method, at):
        raise Refusal(
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "METHOD_WEAK",
            f"Thuật toán ký {method.name} không còn được chấp nhận. Hãy ký lại bằng SHA-256 trở lên.",
        )
    for reference in references:
        if not algorithms.admits_digest(reference.digest, at):
            raise Refusal(
                SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
                "DIGEST_WEAK",
                f"Thuật toán băm {reference.digest.upper()} không còn được chấp nhận. Hãy ký lại bằng SHA-256 trở lên.",
            )
    check_key(info.certificate, method, algorithms)


def _check_signer(placed: Placed, question: Question, progress: Progress, info: KeyInfo, time: SigningTime) -> None:
    policy = question.policy
    check_certificate(info.certificate)
    check_signing_certificate(time, info.certificate)
    subject = subject_warning(info)
    if subject is not None:
        _warn(progress, soft(policy, "subject_name", subject.code, subject.message))
    claimed = claimed_number(placed)
    _warn(progress, check_kind(placed, info.certificate, policy))
    _warn(progress, check_number(placed, info.certificate, claimed, policy))
    _warn(progress, check_shared(placed, info.certificate, question.certificates, claimed, policy))
    question.certificates.setdefault(info.certificate.sha256, (placed, claimed))
    if question.binding is not None:
        progress.warnings.extend(ask_binding(question.binding, placed, info.certificate, claimed, time.at))
        progress.log.passed(8, info.certificate.common_name)
    elif policy.binding == "required":
        raise Refusal(
            SubIndication.SIG_CONSTRAINTS_FAILURE, "BINDING_MISSING", "Không có danh sách người ký để đối chiếu."
        )
    else:
        progress.log.passed(8, info.certificate.common_name)
        progress.log.not_run(8, "BINDING_NOT_ASKED", "Chưa đối chiếu với danh sách người ký của trường.")


def _check_evidence(question: Question, progress: Progress, info: KeyInfo, time: SigningTime) -> None:
    chain = check_chain(info, question.trust, time.at)
    evidence = check_revocation(chain, question.revocation, question.policy, time.at)
    progress.log.passed(9, " ← ".join(item.common_name for item in chain.certificates))
    if evidence is None:
        progress.log.not_run(9, "REVOCATION_NOT_ASKED", "Chính sách không hỏi tình trạng thu hồi.")
    else:
        progress.evidence = evidence


def _check_stamps(placed: Placed, question: Question, progress: Progress, time: SigningTime) -> None:
    if time.stamped and placed.signature is not None:
        judge = Judge(question.policy, question.trust, question.at, question.revocation)
        progress.stamp = check_stamps(placed.signature, time.at, judge)
        if progress.stamp is not None:
            _warn(progress, warning(progress.stamp, question.policy))


def _warn(progress: Progress, warning: ReportWarning | None) -> None:
    if warning is not None:
        progress.warnings.append(warning)


def finish(progress: Progress) -> SignatureReport:
    """The report on one signature after its last step."""
    placed, refusal, signer = progress.placed, progress.refusal, progress.certificate
    if refusal is not None:
        progress.log.fill(range(5, 11))
    sub = refusal.sub if refusal else None
    return SignatureReport(
        role=placed.slot.role,
        place=placed.place,
        indication=indication_of(sub),
        sub_indication=sub,
        code=refusal.code if refusal else "OK",
        message=f"Chữ ký {placed.slot.role} ({placed.place}): {refusal.message}" if refusal else "Chữ ký hợp lệ.",
        steps=progress.log.frozen(),
        signer=(signer.common_name or signer.subject) if signer else None,
        cccd=signer.cccd if signer else None,
        organisation_id=signer.organisation_id if signer else None,
        serial=signer.serial if signer else None,
        issuer=signer.issuer if signer else None,
        certificate_sha256=signer.sha256 if signer else None,
        signing_time=progress.signing_time,
        algorithm=progress.algorithm,
        digest=progress.digest,
        covers=placed.covers,
        warnings=tuple(progress.warnings),
        evidence=progress.evidence,
        stamp=progress.stamp,
    )
