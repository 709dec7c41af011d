"""Doors: `/ops/` and the style guide."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ochaq_web.core.policy import Act, page
from ochaq_web.jobs import selectors as jobs
from ochaq_web.ops import probes, selectors


@require_safe
@never_cache
@page(Act.OPS_SEE)
def index(request: HttpRequest) -> HttpResponse:
    """Is everything well?"""
    services, queues, caches = probes.together(probes.processes, probes.queues, probes.caches)
    context = {
        "services": services,
        "queues": queues,
        "caches": caches,
        "outbox": probes.outbox(),
        "jobs": {"counts": jobs.job_counts(), "recent": jobs.jobs_recent(10)},
        "indexes": selectors.indexes(),
    }
    return render(request, "ops/index.html", context)


@require_safe
@page(Act.OPS_SEE)
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in every state."""
    return render(request, "ops/styleguide.html")
