"""The addresses of the portal: pages for people, the exchange door and REST for software. Nothing else is served."""

import importlib.util

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(room)) for room in ("portal.api.urls", "portal.web.urls") if importlib.util.find_spec(room)
]
