"""Door: `/result/`, one's own jobs. The page works without JavaScript; the live socket only makes it move."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST
from ochaq_shared.problems import Problem

from ochaq_web.core.pagination import paginate
from ochaq_web.core.policy import Act, page
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import actions, selectors
from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.models import Job, Status

PER_PAGE = 20


@require_GET
@page(Act.JOBS_USE)
def result(request: HttpRequest) -> HttpResponse:
    """My jobs, filtered by the address."""
    status, kind = _known(request, "status", Status.values), _known(request, "kind", list(KINDS))
    jobs = selectors.job_filter(selectors.jobs_of(request.user), status=status, kind=kind)
    found = paginate(request, jobs, ("-id",), limit=PER_PAGE)
    context = {
        "jobs": [selectors.job_row(job) for job in found.rows],
        "status": status,
        "kind": kind,
        "statuses": Status.values,
        "kinds": sorted(KINDS),
        "next_url": found.next_url,
        "previous_url": found.previous_url,
    }
    return render(request, "jobs/result.html", context)


@require_POST
@page(Act.JOBS_USE)
def cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Stop a job; one that is over already is simply shown as it is."""
    return _act(request, lambda: actions.job_stop(actor=request.user, job_id=job_id))


@require_POST
@page(Act.JOBS_USE)
def retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Run a job again; one that runs already is simply shown as it is."""
    return _act(request, lambda: actions.job_again(actor=request.user, job_id=job_id))


def _act(request: HttpRequest, do: Callable[[], Job]) -> HttpResponse:
    try:
        do()
    except Problem as problem:
        # The state changed between showing the button and pressing it: the page to come tells the new one.
        if problem.status != 409:
            raise
    return see_other(_back(request))


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if wanted and safe else reverse("result")


def _known(request: HttpRequest, name: str, values: list[str]) -> str:
    """A filter of the address bar; a word we do not know filters nothing."""
    value = request.GET.get(name, "")
    return value if value in values else ""
