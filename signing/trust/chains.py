"""Path validation (RFC 5280 § 6.1) of a signer's certificate at a time, remembered per certificate and period.

The path itself is built and checked by pyhanko-certvalidator without revocation: revocation is asked of the
`RevocationSource` separately, for every certificate of the path, at signing time. Never touches the network.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    ExpiredError,
    InvalidCertificateError,
    NotYetValidError,
    PathBuildingError,
    PathValidationError,
    ValidationError,
)

from signing.trust.certificates import CertificateFacts, read_certificate
from signing.trust.store import TrustStore

log = logging.getLogger("signing.trust")
# The library tells every failed path at WARNING; the verdict says it already.
logging.getLogger("pyhanko_certvalidator").setLevel(logging.ERROR)


class ChainVerdict(StrEnum):
    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"  # no path to a trust anchor
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    INVALID = "INVALID"  # a path was found and breaks a rule of RFC 5280
    UNDECIDED = "UNDECIDED"  # the certificates at hand brought the validation to an end without an answer


@dataclass(frozen=True, slots=True)
class Chain:
    """A verdict and the certificates relied on, leaf first, anchor last; good from `since` to `until`."""

    verdict: ChainVerdict
    certificates: tuple[CertificateFacts, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    detail: str = ""
    # what a valid path was found in; `another_way` looks there again
    store: TrustStore | None = field(default=None, repr=False, compare=False)
    extra: tuple[CertificateFacts, ...] = field(default=(), repr=False, compare=False)

    def holds_at(self, moment: datetime) -> bool:
        """Whether a remembered valid path also answers for this moment."""
        return self.since is not None and self.until is not None and self.since <= moment <= self.until


_MAX_REMEMBERED = 50_000
# More than the library's own allowance for clocks: so close to a date, what is found holds for that moment only.
_CLOSE = timedelta(seconds=5)
_lock = threading.Lock()


def build_chain(
    leaf: CertificateFacts, trust: TrustStore, *, at: datetime, extra: Sequence[CertificateFacts] = (),
    avoiding: frozenset[str] = frozenset(),
) -> Chain:  # fmt: skip
    """The path from `leaf` to an anchor as of the time `at`. `extra` are certificates that came with the signature.

    `avoiding`: SHA-256 of certificates through which it must not lead.
    """
    if at < leaf.not_before:
        return Chain(ChainVerdict.NOT_YET_VALID, (leaf,), detail=leaf.common_name)
    if at > leaf.not_after:
        return Chain(ChainVerdict.EXPIRED, (leaf,), detail=leaf.common_name)
    # A store's own path serves every signature of the certificate, whatever came along with it.
    found = (leaf.sha256, avoiding)
    remembered: Chain | None = trust.remembered.get(found)
    if remembered is not None and remembered.holds_at(at):
        return remembered
    # One that was not found is looked for again with other companions, or when other certificates are in force.
    failed = (*found, _season(at, (leaf, *trust.intermediates, *extra)), *sorted(item.sha256 for item in extra))
    if failed in trust.remembered:
        return cast("Chain", trust.remembered[failed])
    chain = _validate(leaf, trust, at, extra, avoiding)
    _remember(trust, found if chain.verdict is ChainVerdict.VALID else failed, chain)
    return chain


def another_way(chain: Chain, *, at: datetime, avoiding: frozenset[str]) -> Chain | None:
    """Another valid path for the leaf of a valid `chain`: a cross or renewed authority has several certificates."""
    if chain.store is None:
        return None
    way = build_chain(chain.certificates[0], chain.store, at=at, extra=chain.extra, avoiding=avoiding)
    return way if way.verdict is ChainVerdict.VALID else None


def _season(at: datetime, certificates: Sequence[CertificateFacts]) -> int | datetime:
    """The same number for moments between which no certificate begins or ends."""
    dates = [date for item in certificates for date in (item.not_before, item.not_after)]
    if any(abs(at - date) < _CLOSE for date in dates):
        return at
    return sum(date < at for date in dates)


def _remember(trust: TrustStore, key: object, chain: Chain) -> None:
    with _lock:
        if len(trust.remembered) >= _MAX_REMEMBERED:
            trust.remembered.clear()
        trust.remembered[key] = chain


def _validate(
    leaf: CertificateFacts, trust: TrustStore, at: datetime, extra: Sequence[CertificateFacts], avoiding: frozenset[str]
) -> Chain:
    # Whoever says that it issues nothing is trusted for itself alone, however it came among the anchors.
    anchors = [item for item in trust.anchors if item.may_issue or item.sha256 == leaf.sha256]
    if not anchors:
        return Chain(ChainVerdict.NOT_FOUND, (leaf,))
    shunned = avoiding | {leaf.sha256}
    context = ValidationContext(
        trust_roots=[_asn1(item) for item in anchors],
        other_certs=[_asn1(item) for item in (*trust.intermediates, *extra) if item.sha256 not in shunned],
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    validator = CertificateValidator(_asn1(leaf), validation_context=context)
    try:
        path = _run(validator.async_validate_path())
        return _found(path, trust, extra)
    except (PathBuildingError, ValidationError) as error:
        return Chain(_verdict(error), (leaf,), detail=str(error))
    except Exception as error:
        # R19: malformed ASN.1 surfaces as anything; it is never a valid path.
        log.warning("path validation ended in %s", type(error).__name__)
        return Chain(ChainVerdict.UNDECIDED, (leaf,), detail=type(error).__name__)


def _verdict(error: Exception) -> ChainVerdict:
    match error:
        case NotYetValidError():
            return ChainVerdict.NOT_YET_VALID
        case ExpiredError():
            return ChainVerdict.EXPIRED
        case PathBuildingError():
            return ChainVerdict.NOT_FOUND
        case PathValidationError() | InvalidCertificateError():
            return ChainVerdict.INVALID
        case _:
            return ChainVerdict.UNDECIDED


def _run(coroutine: Any) -> Any:
    """Run a coroutine that never waits (no fetching); works inside a running event loop too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    result: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _found(path: Any, trust: TrustStore, extra: Sequence[CertificateFacts]) -> Chain:
    certificates = [read_certificate(item.dump()) for item in path]
    anchor = path.trust_anchor.certificate
    if anchor is not None and certificates[-1:] != [read_certificate(anchor.dump())]:
        facts = read_certificate(anchor.dump())
        certificates = [item for item in certificates if item.sha256 != facts.sha256]
        certificates = [facts, *certificates]
    certificates.reverse()
    # The anchor's own dates do not count: trust in it is the administrator's word (RFC 5280 § 6.1.1 (d)).
    dated = certificates[:-1] or certificates
    return Chain(
        ChainVerdict.VALID,
        tuple(certificates),
        max(item.not_before for item in dated),
        min(item.not_after for item in dated),
        store=trust,
        extra=tuple(extra),
    )


def _asn1(facts: CertificateFacts) -> Any:
    return asn1_x509.Certificate.load(facts.der)
