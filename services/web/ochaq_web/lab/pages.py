"""Door: `/ops/lab/`. It starts races and shows them; without JavaScript a reload shows how far they are."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ochaq_web.core.policy import Act, allows, page
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs.services import job_enqueue
from ochaq_web.lab import selectors
from ochaq_web.lab.chart import chart_of

ROWS = (100, 500, 1_000, 2_000)
ROUNDS = (1, 2, 3, 5)
USUAL_ROWS, USUAL_ROUNDS = 500, 3
LATEST = 10


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page(Act.LAB_RUN)
def lab(request: HttpRequest) -> HttpResponse:
    """Start a race, watch the latest one or look at the one that the address names."""
    if request.method == "POST":
        return _start(request)
    races = selectors.races_recent(LATEST)
    chosen = _chosen(request.GET.get("race", "")) or (races[0] if races else None)
    context = {
        "race": chosen,
        "laps": selectors.laps_of(chosen["job"]["id"]) if chosen else [],
        "chart": chart_of(chosen["rounds"]) if chosen else None,
        "mine": chosen is not None and _may_act(request, chosen["job"]),
        "races": races,
        "row_choices": ROWS,
        "round_choices": ROUNDS,
        "usual_rows": USUAL_ROWS,
        "usual_rounds": USUAL_ROUNDS,
    }
    return render(request, "ops/lab.html", context)


def _start(request: HttpRequest) -> HttpResponse:
    params = {"rows": _number(request, "rows"), "rounds": _number(request, "rounds")}
    # The form carries a key of its own showing, so pressing the button twice starts one race.
    key = request.POST.get("idempotency_key", "")[:64]
    dedupe_key = f"form:{request.user.pk}:{key}" if key else None
    job_enqueue(kind=selectors.RACE, params=params, owner=request.user, dedupe_key=dedupe_key)
    return see_other(reverse("ops-lab"))


def _number(request: HttpRequest, name: str) -> int | str:
    """A number where there is one; anything else is left for the kind's own check to refuse by name."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _chosen(text: str) -> dict[str, Any] | None:
    """The race that an address names; an address that names none shows the latest."""
    try:
        return selectors.race_named(uuid.UUID(text))
    except ValueError:
        return None


def _may_act(request: HttpRequest, job: dict[str, Any]) -> bool:
    return job["owner"] == str(request.user.pk) or allows(request.user, Act.JOBS_OPERATE)
