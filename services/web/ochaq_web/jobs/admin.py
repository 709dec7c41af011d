"""Jobs in Django's admin: to look at, and to stop or repeat through the same rules as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from ochaq_shared.problems import Problem

from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job, JobEvent


class ReadOnly:
    """Rows change by rules alone: a state typed into a form would have no event and no command."""

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


class TimelineInline(ReadOnly, admin.TabularInline):
    model = JobEvent
    fields = ("seq", "at", "kind", "actor", "data")
    readonly_fields = fields
    ordering = ("seq",)
    extra = 0

    def has_change_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("id", "kind", "status", "percent", "owner", "attempt", "lease_owner", "created_at", "finished_at")
    list_filter = ("status", "kind", "queue")
    list_select_related = ("owner",)
    search_fields = ("id__exact", "owner__email__istartswith", "trace__exact")
    date_hierarchy = "created_at"
    inlines = (TimelineInline,)
    actions = ("cancel_jobs", "retry_jobs")
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> list[str]:
        return [field.name for field in self.model._meta.fields]

    @admin.action(description=_("Cancel the selected jobs"), permissions=["change"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, services.job_cancel)

    @admin.action(description=_("Run the selected jobs again"), permissions=["change"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._each(request, queryset, services.job_retry)

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], rule: Callable[..., Job]) -> None:
        done = refused = 0
        for job_id in queryset.values_list("pk", flat=True):
            try:
                rule(job_id=job_id, actor=str(request.user.pk))
                done += 1
            except Problem:
                refused += 1
        self.message_user(request, ngettext("%d job.", "%d jobs.", done) % done, messages.SUCCESS)
        if refused:
            text = ngettext("%d job is in another state.", "%d jobs are in another state.", refused) % refused
            self.message_user(request, text, messages.WARNING)
