"""The registration sheet: what the department must tell the Ministry so that the line is allowed (printable).

Facts only, from the endpoint's description and the certificate files; no secret stands in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.conf import EndpointDescription


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed and signed."""

    made_at: datetime
    endpoint: str
    base_url: str
    unit_code: str
    source_address: str
    registered_address: str
    certificate_subject: str
    certificate_serial: str
    certificate_sha256: str
    certificate_until: datetime | None
    our_contact: str
    their_contact: str


def sheet(description: EndpointDescription, *, now: datetime) -> Sheet:
    """The sheet for this endpoint."""
    from signing.trust import read_certificate

    line, about = description.connection, description.endpoint
    path = Path(line.client_certificate) if line.client_certificate else None
    facts = read_certificate(path.read_bytes()) if path and path.is_file() else None
    return Sheet(
        made_at=now,
        endpoint=about.title,
        base_url=about.base_url,
        unit_code=about.unit_code,
        source_address=line.source_address,
        registered_address=line.registered_address or line.source_address,
        certificate_subject=str(facts.subject) if facts else "",
        certificate_serial=facts.serial if facts else "",
        certificate_sha256=facts.sha256 if facts else "",
        certificate_until=facts.not_after if facts else None,
        our_contact=about.our_contact,
        their_contact=about.contact,
    )
