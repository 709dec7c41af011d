"""Jobs in Django's admin: to look at, and to stop or repeat through the same rules as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from ochaq_shared.problems import Problem

from ochaq_web.jobs import schedules, services
from ochaq_web.jobs.models import Job, JobEvent, JobSchedule, JobScheduleSlot


class ReadOnly:
    """Rows change by rules alone: a state typed into a form would have no event and no command."""

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


class NothingToChange(ReadOnly):
    def has_change_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


class TimelineInline(NothingToChange, admin.TabularInline):
    model = JobEvent
    fields = ("seq", "at", "kind", "actor", "data")
    readonly_fields = fields
    ordering = ("seq",)
    extra = 0


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("id", "kind", "status", "percent", "owner", "attempt", "lease_owner", "created_at", "finished_at")
    list_filter = ("status", "kind", "queue")
    list_select_related = ("owner",)
    raw_id_fields = ("parent",)
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
                rule(job_id=job_id, actor=str(request.user.pk), reason="admin")
                done += 1
            except Problem:
                refused += 1
        self.message_user(request, ngettext("%d job.", "%d jobs.", done) % done, messages.SUCCESS)
        if refused:
            text = ngettext("%d job is in another state.", "%d jobs are in another state.", refused) % refused
            self.message_user(request, text, messages.WARNING)


class ScheduleForm(forms.ModelForm):
    """Checked by the rules, so that each complaint stands beside its field."""

    actor: Any

    class Meta:
        model = JobSchedule
        fields = ("name", *schedules.FIELDS)

    def clean(self) -> dict[str, Any]:
        found = dict(super().clean() or {})
        if not self.errors:
            self._ask_the_rules(found)
        return found

    def _ask_the_rules(self, found: dict[str, Any]) -> None:
        name = found.get("name") or self.instance.name
        values = {field: found[field] for field in schedules.FIELDS if field in found}
        try:
            schedules.schedule_check(name=name, actor=self.actor, **values)
        except Problem as problem:
            for error in problem.errors:
                field = error.pointer.strip("/").split("/")[0]
                self.add_error(field if field in self.fields else None, error.detail)


class SlotInline(NothingToChange, admin.TabularInline):
    model = JobScheduleSlot
    fields = ("slot", "fired_at", "outcome", "missed", "job")
    readonly_fields = fields
    ordering = ("-slot",)
    extra = 0
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobScheduleSlot]:
        return super().get_queryset(request).filter(fired_at__gt=Now() - timedelta(days=1))


@admin.register(JobSchedule)
class JobScheduleAdmin(admin.ModelAdmin):
    form = ScheduleForm
    list_display = ("name", "kind", "cron", "every_seconds", "time_zone", "enabled", "next_at", "last_slot")
    list_filter = ("enabled", "kind")
    inlines = (SlotInline,)
    actions = ("run_now",)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return type("ScheduleFormOfOne", (super().get_form(request, *args, **kwargs),), {"actor": request.user})

    def get_readonly_fields(self, request: HttpRequest, obj: JobSchedule | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def save_model(self, request: HttpRequest, obj: JobSchedule, form: Any, change: bool) -> None:
        values = {field: form.cleaned_data[field] for field in schedules.FIELDS}
        saved = schedules.schedule_save(name=obj.name, actor=request.user, **values)
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: JobSchedule) -> None:
        schedules.schedule_remove(name=obj.name, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[JobSchedule]) -> None:
        for name in list(queryset.values_list("name", flat=True)):
            schedules.schedule_remove(name=name, actor=request.user)

    @admin.action(description=_("Start the selected schedules' jobs now"), permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[JobSchedule]) -> None:
        for name in list(queryset.values_list("name", flat=True)):
            schedules.schedule_run_now(name=name, actor=request.user)
