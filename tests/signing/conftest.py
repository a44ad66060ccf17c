"""The cast of the signing tests: a small province's PKI, its trust store, valid records of both layouts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import signing
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.pki import Flaw, Pki
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import Province, make_province
from portal.rehearsal.records import make_record
from portal.rehearsal.spelling import SPELLINGS

PROFILES = Path(__file__).parents[2] / "portal" / "records" / "profiles"


@dataclass(frozen=True)
class Cast:
    """School 0 is a primary school, school 1 a lower secondary one."""

    province: Province
    pki: Pki
    trust: signing.TrustStore
    primary: signing.SignaturePolicy
    secondary: signing.SignaturePolicy
    now: datetime

    def record(self, school: int = 0, number: int = 7, spelling: str | None = None, flaw: Flaw | None = None) -> bytes:
        chosen = next((item for item in SPELLINGS if item.name == spelling), SPELLINGS[0])
        assert flaw is None
        return make_record(self.province, self.pki, self.province.schools[school], number, spelling=chosen).data

    def policy(self, school: int) -> signing.SignaturePolicy:
        return self.secondary if school else self.primary

    def verify(self, data: bytes, school: int = 0, **more: object) -> signing.Report:
        return signing.verify(data, self.policy(school), self.trust, at=self.now, **more)  # type: ignore[arg-type]


def _policy(name: str) -> signing.SignaturePolicy:
    data = tomllib.loads((PROFILES / name / "policy.toml").read_text("utf-8"))
    return replace(signing.policy_from_mapping(data), revocation="off")


@pytest.fixture(scope="session")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    now = datetime.now(UTC)
    calendar = Calendar.last_finished(now)
    province = make_province(seed=1, calendar=calendar)
    pki = open_pki(tmp_path_factory.mktemp("pki"), seed="1", calendar=calendar)
    authorities = (pki.root, pki.public_issuer, pki.special_issuer)
    trust = signing.TrustStore.from_certificates(
        item.identity.certificate.public_bytes(Encoding.DER) for item in authorities
    )
    return Cast(province, pki, trust, _policy("primary_1_0"), _policy("secondary_2_0"), now)


@pytest.fixture(scope="session")
def record(cast: Cast) -> Callable[..., bytes]:
    return cast.record
