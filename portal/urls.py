"""The addresses of the portal: pages for people, the exchange door and REST for software. Nothing else is served."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.api.urls")),
    path("", include("portal.web.urls")),
]

handler400 = "portal.api.views.bad_request"
handler500 = "portal.api.views.server_error"
