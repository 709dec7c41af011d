"""The administration's window on ops."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ochaq_web.ops.models import IndexState

admin.site.site_header = "Ochaq"
admin.site.site_title = "Ochaq"
admin.site.index_title = "Administration"
admin.site.site_url = "/"


@admin.register(IndexState)
class IndexStateAdmin(admin.ModelAdmin):
    """To look at only: events write these rows."""

    list_display = ("index", "documents", "seconds", "rebuilt_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
