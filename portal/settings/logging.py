"""Logs: one line per event to stderr, no child's data in them.

Names, numbers, dates of birth and file contents never reach a log call; as a second net, key-value pairs whose key
sounds like personal data are blanked before rendering.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from portal.settings.env import ENV

__all__ = ["LOGGING"]

_PERSONAL = frozenset(
    [
        "name",
        "full_name",
        "ho_va_ten",
        "ho_ten",
        "cccd",
        "so_cccd",
        "dinh_danh",
        "birth_date",
        "ngay_sinh",
        "address",
        "phone",
        "email",
        "password",
        "passphrase",
        "token",
        "secret",
        "authorization",
        "cookie",
        "pin",
        "content",
        "document",
    ]
)


def blank_personal(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that sounds like personal data or a secret."""
    for key in event:
        if key.lower() in _PERSONAL:
            event[key] = "***"
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    blank_personal,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_RENDERER: Any = (
    structlog.processors.JSONRenderer(ensure_ascii=False)
    if ENV.mode == "production"
    else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
)

structlog.configure(
    processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(ENV.log_level)),
    cache_logger_on_first_use=True,
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _RENDERER],
            "foreign_pre_chain": _SHARED,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["stderr"], "level": ENV.log_level},
    "loggers": {
        "django": {"level": "INFO"},
        # A line per request with its path is nginx's business; 4xx are not worth an alarm.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "celery": {"level": "INFO"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "gunicorn": {"level": "INFO"},
        "psycopg.pool": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
