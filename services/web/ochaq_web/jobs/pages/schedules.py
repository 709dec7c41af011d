"""Doors: `/ops/schedules/`, what starts by itself. Every step is a form of its own, so nothing here needs a script."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from ochaq_shared.problems import Problem

from ochaq_web.core.policy import Act, page
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import schedules as rules
from ochaq_web.jobs.forms import ScheduleForm
from ochaq_web.jobs.models import JobSchedule

NEXT = 5
HISTORY = 30
USUAL = {"cron": "0 6 * * *", "misfire": "once", "enabled": True}


@require_safe
@never_cache
@page(Act.JOBS_OPERATE)
def schedules(request: HttpRequest) -> HttpResponse:
    """Everything that starts by itself."""
    rows = JobSchedule.objects.select_related("last_job").order_by("-enabled", "next_at", "name")
    return render(request, "ops/schedules.html", {"schedules": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page(Act.JOBS_OPERATE)
def schedule_new(request: HttpRequest) -> HttpResponse:
    """Make one."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page(Act.JOBS_OPERATE)
def schedule(request: HttpRequest, name: str) -> HttpResponse:
    """Change one, and see what it started."""
    return _edit(request, _known(name))


@require_POST
@page(Act.JOBS_OPERATE)
def schedule_run(request: HttpRequest, name: str) -> HttpResponse:
    """Start its job now; the next time stays what it is."""
    job = rules.schedule_run_now(name=name, actor=request.user)
    return see_other(reverse("job-page", args=(job.id,)))


@require_POST
@page(Act.JOBS_OPERATE)
def schedule_switch(request: HttpRequest, name: str) -> HttpResponse:
    """Switch it on or off."""
    rules.schedule_save(name=name, actor=request.user, new=False, enabled=request.POST.get("enabled") == "true")
    return see_other(reverse("ops-schedules"))


@require_POST
@page(Act.JOBS_OPERATE)
def schedule_remove(request: HttpRequest, name: str) -> HttpResponse:
    """Remove it; one that is gone already is gone."""
    rules.schedule_remove(name=name, actor=request.user)
    messages.success(request, _("The schedule is removed."))
    return see_other(reverse("ops-schedules"))


def _edit(request: HttpRequest, known: JobSchedule | None) -> HttpResponse:
    start = _values(known) if known else {**USUAL, "time_zone": getattr(request.user, "time_zone", "UTC")}
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial=start, exists=known is not None)
    upcoming: list[datetime] = []
    try:
        if request.method != "POST":
            upcoming = rules.next_times(start, NEXT)
        elif form.is_valid():
            upcoming = rules.next_times(form.cleaned_data, NEXT)
            if "preview" not in request.POST:
                _save(request, form, known)
                return see_other(reverse("ops-schedules"))
    except Problem as problem:
        if problem.status not in (409, 422) or request.method != "POST":
            raise
        form.refused(problem)
    context = {
        "form": form,
        "schedule": known,
        "next": upcoming,
        "slots": known.slots.select_related("job").order_by("-slot")[:HISTORY] if known else [],
    }
    return render(request, "ops/schedule.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: ScheduleForm, known: JobSchedule | None) -> None:
    values = {field: form.cleaned_data[field] for field in rules.FIELDS}
    name = known.name if known else form.cleaned_data["name"]
    rules.schedule_save(name=name, actor=request.user, new=known is None, **values)
    messages.success(request, _("Saved."))


def _known(name: str) -> JobSchedule:
    found = JobSchedule.objects.filter(name=name).first()
    if found is None:
        raise Problem("not_found")
    return found


def _values(known: JobSchedule) -> dict[str, Any]:
    return {field: getattr(known, field) for field in rules.FIELDS}
