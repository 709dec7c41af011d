"""Doors: `/result/`, one's own jobs, and the page of each. They work without JavaScript; the socket makes them move."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from ochaq_shared.problems import Problem

from ochaq_web.core.pagination import paginate
from ochaq_web.core.policy import Act, allows, page
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import actions, selectors
from ochaq_web.jobs.finding import jobs_wanted
from ochaq_web.jobs.forms import REASON_LENGTH, JobFilterForm
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.stories import job_story

PER_PAGE = 20
AT_ONCE = 50  # cards that a page which is already open may ask for anew


@require_safe
@never_cache
@page(Act.JOBS_USE)
def result(request: HttpRequest) -> HttpResponse:
    """My jobs, filtered by the address. `only` names the jobs whose cards an open page wants to see again."""
    mine = selectors.jobs_of(request.user)
    if "only" in request.GET:
        rows = list(mine.filter(id__in=_ids(request.GET["only"])))
        return render(request, "jobs/result.html", {"jobs": [selectors.job_row(row) for row in rows]})
    form = JobFilterForm(request.GET)
    wanted = form.wanted()
    found = paginate(request, jobs_wanted(mine, wanted), ("-id",), limit=PER_PAGE)
    context = {
        "jobs": [selectors.job_row(row) for row in found.rows],
        "form": form,
        "narrows": wanted.narrows,
        "next_url": found.next_url,
        "previous_url": found.previous_url,
    }
    return render(request, "jobs/result.html", context)


@require_safe
@never_cache
@page(Act.JOBS_USE)
def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """One job with all that is known of it; operators may open anybody's."""
    found = selectors.job_for(request.user, job_id)
    context = {
        "job": selectors.job_row(found),
        "story": job_story(found, request.user),
        "mine": found.owner_id == request.user.pk,
        "operates": allows(request.user, Act.JOBS_OPERATE),
        "reason_length": REASON_LENGTH,
    }
    return render(request, "jobs/job.html", context)


@require_POST
@page(Act.JOBS_USE)
def cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Stop a job; one that is over already is simply shown as it is."""
    return _act(request, lambda: actions.job_stop(actor=request.user, job_id=job_id, reason=_reason(request)))


@require_POST
@page(Act.JOBS_USE)
def retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Run a job again; one that runs already is simply shown as it is."""
    return _act(request, lambda: actions.job_again(actor=request.user, job_id=job_id, reason=_reason(request)))


def _act(request: HttpRequest, do: Callable[[], Job]) -> HttpResponse:
    try:
        do()
    except Problem as problem:
        if problem.status != 409:
            raise
        # The state changed between showing the button and pressing it: the page to come tells the new one.
        messages.info(request, _("The job had changed meanwhile; this is how it is now."))
    return see_other(_back(request))


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:REASON_LENGTH]


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if wanted and safe else reverse("result")


def _ids(text: str) -> list[uuid.UUID]:
    """Those of the comma-separated ids that are ids."""
    found = []
    for part in text.split(",")[:AT_ONCE]:
        try:
            found.append(uuid.UUID(part))
        except ValueError:
            continue
    return found
