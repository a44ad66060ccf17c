"""Django application of the room `portal.web`: pages only, no rows of its own."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "portal.web"
    label = "web"
    verbose_name = "Trang web"
