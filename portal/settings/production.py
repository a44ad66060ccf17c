"""Production: PostgreSQL and Redis are the machine's own, nginx stands in front, secrets come from files.

Fails closed: a missing secret ends the start with a sentence that says which file to write.
"""

from django.core.exceptions import ImproperlyConfigured

from portal.settings.base import *
from portal.settings.env import ENV


def _required(value: str, *, name: str, hint: str) -> str:
    if not value:
        raise ImproperlyConfigured(f"HOCBA_{name.upper()} chưa có / is missing. {hint}")
    return value


_HINT = (
    "Ghi vào tệp bí mật `{file}` trong thư mục credentials của systemd hoặc HOCBA_SECRETS_DIR (0400). "
    "/ Write it into the file `{file}` of the credentials folder."
)

SECRET_KEY = _required(
    ENV.secret_key.get_secret_value() if ENV.secret_key else "",
    name="secret_key",
    hint=_HINT.format(file="hocba_secret_key"),
)
if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured(
        "HOCBA_SECRET_KEY quá ngắn: cần ít nhất 50 ký tự ngẫu nhiên. / is too short: 50 random characters at least."
    )
_required(
    "" if ENV.public_host in {"", "127.0.0.1", "localhost"} else ENV.public_host,
    name="public_host",
    hint="Đặt tên miền mà các trường truy cập. / Set the host name that schools use.",
)
_required(
    ENV.pg_host, name="pg_host", hint="Thư mục socket hoặc máy chủ PostgreSQL. / PostgreSQL's socket folder or host."
)
_required(
    ENV.broker_url, name="broker_url", hint="Ví dụ / for example redis+socket:///run/redis/redis.sock?virtual_host=0"
)

ALLOWED_HOSTS = [ENV.public_host]
CSRF_TRUSTED_ORIGINS = [f"https://{ENV.public_host}"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
AXES_IPWARE_PROXY_COUNT = 1

STATIC_ROOT = VAR / "static"
WHITENOISE_USE_FINDERS = False
RECORDS = {"check_revocation": True}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
