"""Workers and the broker. The broker only nudges: losing all of it loses no record, for the schedule is in rows.

No ETA, no countdown, no result backend: a long ETA runs twice on this broker, and a result nobody reads is a leak.
"""

from typing import Any

from celery.schedules import crontab

from portal.settings.env import ENV

CELERY_BROKER_URL = ENV.broker_url or ENV.places.broker_url
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    # A task of a killed worker comes back soon; database leases stay the truth (stack.md 1.4 no. 7).
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    # Whoever nudges must not wait for a broker that is away: one more try at once, then the tick will find the work.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
# Memory of a worker stays flat over a year's load; a fresh child costs a fork only.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000

CELERY_TIMEZONE = "Asia/Ho_Chi_Minh"
CELERY_ENABLE_UTC = True

CELERY_TASK_DEFAULT_QUEUE = "records"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {
    "portal.*": {"queue": "records"},
    "gateway.*": {"queue": "forwarding"},
}

# Ticks look into the database for whatever a lost nudge left behind. One that nobody took in time is worthless; the
# time is two minutes because a worker whose clock is ahead of beat's by more than that would take none at all.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "gateway-tick": {"task": "gateway.tasks.tick", "schedule": 2.0, "options": {"expires": 120}},
    "records-tick": {"task": "portal.records.tasks.tick", "schedule": 2.0, "options": {"expires": 120}},
    # Revocation lists are fetched before they run out, never while somebody waits.
    "trust-refresh": {"task": "portal.schools.tasks.refresh", "schedule": 60.0, "options": {"expires": 50}},
    "trust-prewarm": {
        "task": "portal.schools.tasks.prewarm",
        "schedule": crontab(hour="2", minute="17"),
        "options": {"expires": 3600},
    },
    "audit-seal": {"task": "portal.audit.tasks.seal", "schedule": 60.0, "options": {"expires": 50}},
}
