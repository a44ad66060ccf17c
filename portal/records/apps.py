"""Django application of the room `portal.records`."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "portal.records"
    label = "records"
    verbose_name = "Học bạ"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.records import checks  # noqa: F401
