"""Doors: `/ops/`, the dead letters and the style guide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from ochaq_web.core.policy import Act, allows, page, require
from ochaq_web.core.redirects import see_other
from ochaq_web.jobs import selectors as jobs
from ochaq_web.ops import actions, database, letters, probes, selectors
from ochaq_web.ops.alarms import alarms
from ochaq_web.ops.forms import LettersForm
from ochaq_web.ops.outage import stands_in


@require_safe
@never_cache
@stands_in(Act.OPS_SEE)
@page(Act.OPS_SEE)
def index(request: HttpRequest) -> HttpResponse:
    """Is everything well?"""
    looks = (probes.processes, probes.queues, probes.caches, probes.outboxes, database.look)
    services, queues, caches, others, found = probes.together(*looks)
    seen = selectors.broker_seen()
    outboxes = [probes.outbox(), *others]
    context = {
        "alarms": alarms(processes=services, queues=queues, outboxes=outboxes, seen=seen, database=found),
        "services": services,
        "queues": queues,
        "caches": caches,
        "outbox": outboxes[0],
        "outboxes": outboxes,
        "broker": seen,
        "jobs": {"counts": jobs.job_counts(), "recent": jobs.jobs_recent(10)},
        "indexes": selectors.indexes(),
    }
    return render(request, "ops/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@page(Act.OPS_SEE)
def dead_letters(request: HttpRequest) -> HttpResponse:
    """What nobody could handle: look at it, send it back or drop it, and who did so before."""
    if request.method != "POST":
        return _dead_letters(request, LettersForm(), request.GET.get("queue", ""), request.GET.get("type", ""))
    require(request.user, Act.OPS_ACT)
    form = LettersForm(request.POST, keys=request.POST.getlist("letter"))
    if not form.is_valid():
        queue, kind = request.POST.get("queue", ""), request.POST.get("type", "")
        return _dead_letters(request, form, queue, kind, status=422)
    asked = form.cleaned_data
    actor = str(getattr(request.user, "email", ""))
    actions.action_request(action=asked["act"], actor=actor, targets=form.targets(), reason=asked["reason"])
    messages.success(request, _("Written down. It is done within moments; what came of it stands below."))
    filters = {name: asked[name] for name in ("queue", "type") if asked[name]}
    return see_other(f"{reverse('dead-letters')}?{urlencode(filters)}" if filters else reverse("dead-letters"))


def _dead_letters(request: HttpRequest, form: LettersForm, queue: str, kind: str, *, status: int = 200) -> HttpResponse:
    looked = letters.look(queue=queue, kind=kind)
    one = looked.letter(request.GET.get("letter", ""))
    context: dict[str, Any] = {
        "looked": looked,
        "form": form,
        "queue": queue,
        "type": kind,
        "asked_for": request.GET.get("letter", ""),
        "one": letters.readable(one) if one else None,
        "actions": selectors.actions_recent(),
        "may_act": allows(request.user, Act.OPS_ACT),
        "reason_length": actions.REASON_LENGTH,
        "most": letters.MOST,
    }
    return render(request, "ops/dead_letters.html", context, status=status)


@require_safe
@page(Act.OPS_SEE)
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in every state."""
    return render(request, "ops/styleguide.html")
