"""The addresses for software: the exchange format under api/trao-doi/, REST under api/v1/, and the health check."""

from django.urls import path, re_path

from portal.api import views

urlpatterns = [
    path("api/trao-doi/token", views.token, name="exchange-token"),
    path("api/trao-doi/hoc-ba/gui", views.submit, name="exchange-submit"),
    path("api/trao-doi/hoc-ba/ket-qua", views.query, name="exchange-query"),
    path("api/trao-doi/chung-thu-so/dang-ky", views.register_certificate, name="exchange-register-certificate"),
    path("api/trao-doi/chung-thu-so/trang-thai", views.query_certificate, name="exchange-query-certificate"),
    path("api/trao-doi/thu-hoi/gui", views.request_recall, name="exchange-recall"),
    path("api/trao-doi/thu-hoi/ket-qua", views.query_recall, name="exchange-query-recall"),
    re_path(r"^api/trao-doi(?:/.*)?$", views.unknown_address, name="exchange-unknown"),
    path("api/v1/batches/<uuid:batch_id>", views.batch, name="rest-batch"),
    path("healthz", views.health, name="health"),
]
