"""Django application of the room `portal.rehearsal`: it has commands and no rows of its own."""

from django.apps import AppConfig


class RehearsalConfig(AppConfig):
    name = "portal.rehearsal"
    label = "rehearsal"
    verbose_name = "Tỉnh mẫu để diễn tập"
