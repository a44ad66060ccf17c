"""The scheduled duties beside forwarding: each one function that does its work once and says in numbers what it did.

`sync` decides when; nothing here knows of slots or beats. A duty that meets trouble of the line lets the error out.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

from gateway import circuit, outbox, receipts, reconciliation
from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient
from gateway.models import Endpoint, SyncRun

logger = logging.getLogger(__name__)


def reconcile(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Yesterday's submissions against the Ministry's answers."""
    since = (now - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    found = reconciliation.reconcile(client=client, since=since, until=now, now=now)
    return {"asked": found.asked, "unanswered": found.unanswered, "discrepancies": found.opened}


def catalogues(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """The Ministry's two catalogues, kept as they were last seen."""
    kinds = client.catalogue("signature_kinds")
    providers = client.catalogue("certificate_providers")
    Endpoint.objects.filter(name=client.description.name).update(
        catalogues={
            "signature_kinds": [entry.to_json() for entry in kinds],
            "certificate_providers": [entry.to_json() for entry in providers],
            "read_at": now.isoformat(),
        }
    )
    return {"signature_kinds": len(kinds), "certificate_providers": len(providers)}


def certificates(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Days left of the connection's certificate; a warning on each day of the list."""
    left = days_left(client.description, now=now)
    if left is None:
        return {}
    thresholds = client.description.schedule.certificate_warning_days
    if any(left <= days for days in thresholds):
        logger.warning("client certificate expires", extra={"days_left": left})
    return {"client_certificate_days_left": left}


def watch(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Leases that ran out, and packages that wait too long for their verdicts."""
    circuit.row(client.description)
    expired = outbox.expire_leases(now=now)
    late = receipts.overdue(description=client.description, now=now)
    noted = reconciliation.note_overdue(late[:500], now=now)
    return {"lease_expired": expired, "overdue": late.count(), "overdue_noted": noted}


def housekeeping(*, client: MinistryClient, now: datetime) -> dict[str, int]:
    """Documents whose verdicts are long in, and rows of runs nobody reads any more."""
    keep = timedelta(days=client.description.schedule.keep_documents_days)
    dropped = outbox.drop_documents(now=now, keep=keep)
    runs, _ = SyncRun.objects.filter(started_at__lt=now - timedelta(days=90)).delete()
    return {"documents_dropped": dropped, "runs_dropped": runs}


def days_left(description: EndpointDescription, *, now: datetime) -> int | None:
    """Whole days until the connection's certificate expires; None when there is none to read."""
    from signing.trust import read_certificate

    path = description.connection.client_certificate
    if not path or not Path(path).is_file():
        return None
    return (read_certificate(Path(path).read_bytes()).not_after - now).days
