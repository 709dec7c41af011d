"""Addresses of this app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.library import pages as views

pages: list[URLPattern | URLResolver] = [path("files/", views.browse, name="files")]
api: list[URLPattern | URLResolver] = []
internal: list[URLPattern | URLResolver] = []
