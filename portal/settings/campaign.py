"""The throwaway environment of the fault campaign: as embedded, with short leases so that minutes show what hours hide.

Named through DJANGO_SETTINGS_MODULE by `portal.rehearsal.campaign` only; nobody else's data is ever behind it.
"""

from portal.settings.embedded import *

RECORDS = {
    **RECORDS,
    "lease_seconds": 6,
    "recheck_seconds": 2,
    "recheck_longest_seconds": 10,
    "linger_seconds": 0.2,
    "package_records": 3,
    "min_free_bytes": 16_000_000,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "visibility_timeout": 30}
