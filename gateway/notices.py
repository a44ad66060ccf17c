"""Tells people what concerns them, once: the log, and whoever settings.GATEWAY_NOTIFY names (journal and mail).

Called inside the transaction that makes the news true, so a notice and its cause are kept or lost together; a mail
server that is away never stops a delivery.
"""

from __future__ import annotations

import logging
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)

Event = Literal["PAUSED", "RESUMED", "EXPIRES", "DISCREPANCIES", "MISSED", "FAULT"]


def tell(*, event: Event, endpoint: str, cause: str, message: str) -> None:
    """Hand the news to the portal; trouble there is logged and changes nothing here."""
    logger.warning("notice %s", event.lower(), extra={"endpoint": endpoint, "cause": cause})
    named = getattr(settings, "GATEWAY_NOTIFY", "")
    if not named:
        return
    try:
        with transaction.atomic():
            import_string(named)(event=event, endpoint=endpoint, cause=cause, message=message)
    except Exception:
        # Delivery goes on whatever the listener does; the history on the endpoint page has the event all the same.
        logger.exception("notice not taken", extra={"event": event, "cause": cause})
