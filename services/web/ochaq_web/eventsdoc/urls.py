"""Addresses of this app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.eventsdoc import pages as views

pages: list[URLPattern | URLResolver] = [
    path("ops/events/", views.events, name="ops-events"),
    path("ops/events/asyncapi.json", views.document, name="ops-asyncapi"),
]
api: list[URLPattern | URLResolver] = []
internal: list[URLPattern | URLResolver] = []
