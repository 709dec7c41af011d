"""Addresses of this app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.lab import internal as doors
from ochaq_web.lab import pages as views

pages: list[URLPattern | URLResolver] = [
    path("ops/lab/", views.lab, name="ops-lab"),
]
api: list[URLPattern | URLResolver] = []
internal: list[URLPattern | URLResolver] = [
    path("lab/clear", doors.ClearView.as_view(), name="internal-lab-clear"),
    path("lab/save", doors.SaveView.as_view(), name="internal-lab-save"),
    path("lab/delete", doors.DeleteView.as_view(), name="internal-lab-delete"),
    path("lab/batches", doors.BatchesView.as_view(), name="internal-lab-batches"),
    path("lab/purges", doors.PurgesView.as_view(), name="internal-lab-purges"),
    path("lab/count", doors.CountView.as_view(), name="internal-lab-count"),
]
