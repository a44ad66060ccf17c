"""NIST path validation (PKITS) by the way that records go: the chain first, then lists, certificate by certificate.

A path that must not be valid never comes out good, but for the one that only a delta list tells of: those are not read
(RFC 5280 § 5.2.4 leaves it open). A valid one that we leave undecided is tried again; none of them is an error.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from signing.errors import TrustStoreUnreadable
from signing.revocation import Freshness, RevocationCache
from signing.trust import CertificateFacts, ChainVerdict, RevocationState, TrustStore, build_chain, read_certificate
from signing.vectors.index import read_index

FOLDER = Path(os.environ.get("HOCBA_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")
pytestmark = [
    pytest.mark.skipif(not (FOLDER / "INDEX.tsv").is_file(), reason=f"no vectors at {FOLDER} (set HOCBA_VECTORS)"),
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PATIENT = Freshness(timedelta(days=36_500), timedelta(days=36_500))
ONLY_BY_DELTA = {"InvaliddeltaCRLTest4EE.crt"}


def facts_of(path: Path) -> CertificateFacts | None:
    try:
        return read_certificate(path.read_bytes())
    except TrustStoreUnreadable:
        return None


def issuers_of(leaf: CertificateFacts, held: list[CertificateFacts]) -> tuple[CertificateFacts, ...]:
    """Those that the path can need, by name: with all of the set at hand every path takes a second."""
    names, found = {plain(leaf.issuer)}, []
    while new := [item for item in held if plain(item.subject) in names and item not in found]:
        found += new
        names |= {plain(item.issuer) for item in new}
    return tuple(found)


def plain(name: str) -> str:
    return "".join(name.casefold().split()).replace("\\", "")


def test_no_path_that_must_not_be_valid_comes_out_good():
    lines = [line for line in read_index(FOLDER) if line.set == "pki-pkits"]
    if not lines:
        pytest.skip("the vectors hold no pki-pkits")
    cache, held = RevocationCache(), []
    for line in lines:
        if line.path.endswith(".crl"):
            cache.add_crl((FOLDER / line.path).read_bytes())
        elif line.expected == "material" and (facts := facts_of(FOLDER / line.path)) is not None:
            held.append(facts)
    anchors = tuple(item for item in held if item.common_name == "Trust Anchor")
    authorities = [item for item in held if item.is_authority and item not in anchors]
    view = cache.as_of(NOW, PATIENT)
    good: dict[str, list[str]] = {"valid": [], "invalid": []}
    for line in lines:
        leaf = facts_of(FOLDER / line.path) if line.expected in good else None
        if leaf is None:
            continue
        chain = build_chain(leaf, TrustStore(anchors, issuers_of(leaf, authorities)), at=NOW)
        assert chain.verdict is not ChainVerdict.UNDECIDED
        states = {view.status(one.der, by.der, at=NOW).state for one, by in pairwise(chain.certificates)}
        if chain.verdict is ChainVerdict.VALID and states <= {RevocationState.GOOD}:
            good[line.expected].append(Path(line.path).name)
    assert set(good["invalid"]) <= ONLY_BY_DELTA
    assert len(good["valid"]) >= 60
