"""Doors: pages that belong to no single app."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import set_language
from ochaq_shared.problems import Problem

from ochaq_web.core import problems


@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """`GET /ws/` without an upgrade: shows notifications as they come."""
    return render(request, "live/notifications.html")


@csrf_exempt
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language; signed-in readers keep it on every device.

    Without a token: the form stands on every page, and a token's cookie would keep visitors' pages out of the gateway's
    cache. A foreign site could at most choose the language of somebody who is signed out (the session is SameSite).
    """
    response = set_language(request)
    chosen = request.POST.get("language", "")
    if request.user.is_authenticated and chosen in dict(settings.LANGUAGES):
        request.user.language = chosen
        request.user.save(update_fields=["language"])
    return response


@require_GET
def problem_kind(request: HttpRequest, code: str) -> HttpResponse:
    """The page a problem's `type` points at: what the code means."""
    kind = problems.explain(code)
    if kind is None:
        raise Problem("not_found")
    if problems.wants_json(request):
        return JsonResponse(kind)
    return render(request, "errors/problem.html", {"problem": kind})
