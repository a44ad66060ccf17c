"""The settings of this room as one frozen value: how evidence of revocation is fetched (TRUST of a mode).

The only place of `portal.schools` that reads settings. Whether revocation is asked at all is a setting of the records.
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from signing.online import Link
from signing.revocation import Freshness


@dataclass(frozen=True)
class TrustConf:
    """What an administrator may set."""

    fetch: bool = True  # False: lists come as files only (`manage.py trust load`)
    refresh_hours: float = 24.0  # a list is asked for again after so long, even if it would still do
    # Evidence on a signer's certificate: how old at the verdict, and how long before the signature.
    evidence_max_age_hours: float = 24.0
    evidence_before_signing_hours: float = 24.0
    proxy: str = ""
    ca_file: Path | None = None
    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    max_list_bytes: int = 20 * 1024 * 1024
    alarm_after_hours: float = 4.0

    @property
    def link(self) -> Link:
        return Link(
            connect_seconds=self.connect_seconds, read_seconds=self.read_seconds, ca_file=self.ca_file,
            proxy=self.proxy or None,
        )  # fmt: skip

    @property
    def freshness(self) -> Freshness:
        return Freshness(
            timedelta(hours=self.evidence_max_age_hours), timedelta(hours=self.evidence_before_signing_hours)
        )

    @property
    def longest_wait(self) -> timedelta:
        return timedelta(hours=self.refresh_hours)


def trust_conf() -> TrustConf:
    """The values in force; cheap, and never kept across tests."""
    given = dict(getattr(settings, "TRUST", {}))
    unknown = given.keys() - {field.name for field in fields(TrustConf)}
    if unknown:
        raise ValueError(f"unknown settings in TRUST: {', '.join(sorted(unknown))}")
    return TrustConf(**given)
