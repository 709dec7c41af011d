"""Addresses that belong to no single app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path
from django.views.generic import RedirectView

from ochaq_web.core import docs
from ochaq_web.core import pages as views

_to_files = RedirectView.as_view(url="/files/", permanent=True)

pages: list[URLPattern | URLResolver] = [
    path("ws/", views.live, name="live"),
    path("i18n/setlang/", views.language, name="set_language"),
    path("openapi.json", docs.document, name="openapi"),
    path("swagger/", docs.swagger, name="swagger"),
    path("redoc/", docs.redoc, name="redoc"),
    path("problems/<str:code>", views.problem_kind, name="problem_kind"),
    # Addresses of the lessons this school grew from.
    path("core/upload/", _to_files),
    path("core/download/", _to_files),
    re_path(r"^django-rq/", RedirectView.as_view(url="/ops/", permanent=True)),
]
api: list[URLPattern | URLResolver] = []
internal: list[URLPattern | URLResolver] = []
