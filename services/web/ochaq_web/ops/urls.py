"""Addresses of this app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.ops import pages as views

pages: list[URLPattern | URLResolver] = [
    path("ops/", views.index, name="ops"),
    path("ops/dead-letters/", views.dead_letters, name="dead-letters"),
    path("ops/styleguide/", views.styleguide, name="styleguide"),
]
api: list[URLPattern | URLResolver] = []
internal: list[URLPattern | URLResolver] = []
