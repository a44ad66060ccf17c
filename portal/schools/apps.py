"""Django application of the room `portal.schools`."""

from django.apps import AppConfig


class SchoolsConfig(AppConfig):
    name = "portal.schools"
    label = "schools"
    verbose_name = "Trường và chứng thư số"
    default_auto_field = "django.db.models.BigAutoField"
