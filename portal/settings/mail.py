"""Mail to the officers in charge: pauses of the line, expiring certificates, discrepancies. Off until a host is named.

Without HOCBA_EMAIL_HOST nothing is sent and nothing fails: the journal and the endpoint page carry every notice anyway.
"""

from portal.settings.env import ENV

EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if ENV.email_host else 'dummy'}.EmailBackend"
EMAIL_HOST = ENV.email_host or "localhost"
EMAIL_PORT = ENV.email_port
EMAIL_USE_TLS = ENV.email_tls
EMAIL_HOST_USER = ENV.email_user
EMAIL_HOST_PASSWORD = ENV.email_password.get_secret_value() if ENV.email_password else ""
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENV.email_from
# Comma-separated addresses.
OFFICERS_EMAIL = [address.strip() for address in ENV.officers_email.split(",") if address.strip()]
