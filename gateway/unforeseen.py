"""Failures of our own programme during an exchange with the Ministry: taken for a doubt, never for an end.

One answer that we stumble over must stop neither the other packages nor the probe that opens the line again. Without
this, a fault in our own reading of one package would keep every package behind it waiting for ever.
"""

from __future__ import annotations

import logging
from traceback import extract_tb

from django.db import InterfaceError, OperationalError

from gateway.ministry.errors import OwnFault

logger = logging.getLogger(__name__)

# The database is away: nothing can be written down now, and the lease brings the package back.
DATABASE_AWAY = (OperationalError, InterfaceError)


def own_fault(trouble: Exception, *, during: str) -> OwnFault:
    """Log kind and place of `trouble`, never its message (it may quote a child's data), and name it for the tables.

    Call it in an `except Exception` after the `except DATABASE_AWAY` that lets those pass.
    """
    frames = extract_tb(trouble.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-6:]))
    logger.error("own_fault during=%s: %s at %s", during, type(trouble).__name__, places or "?")
    return OwnFault(trouble)
