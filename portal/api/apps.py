"""Django application of the room `portal.api`: the exchange format for schools' software, and REST. No rows."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "portal.api"
    label = "api"
    verbose_name = "Cửa cho phần mềm"
