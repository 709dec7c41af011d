"""The administration's window on ops."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ochaq_web.ops.models import IndexState, OpsAction

admin.site.site_header = "Ochaq"
admin.site.site_title = "Ochaq"
admin.site.index_title = "Administration"
admin.site.site_url = "/"


class LookOnly(admin.ModelAdmin):
    """Rows that rules and events write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IndexState)
class IndexStateAdmin(LookOnly):
    list_display = ("index", "documents", "seconds", "rebuilt_at")


@admin.register(OpsAction)
class OpsActionAdmin(LookOnly):
    list_display = ("at", "actor", "via", "action", "status", "outcome", "reason")
    list_filter = ("action", "status", "via")
    search_fields = ("actor__icontains", "reason__icontains", "trace__exact")
    date_hierarchy = "at"
    show_full_result_count = False
