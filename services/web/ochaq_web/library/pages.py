"""Door: `/files/`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from ochaq_shared.problems import Problem
from ochaq_shared.telemetry import current_request_id

from ochaq_web.accounts.services import identity_token
from ochaq_web.core.policy import Act, page
from ochaq_web.library import shelves


@require_safe
@never_cache
@page(Act.FILES_USE)
def browse(request: HttpRequest) -> HttpResponse:
    """One folder; when files is away the frame stays and says so."""
    folder = request.GET.get("folder", "").strip("/")
    token = identity_token(request, audience="files")
    found = shelves.shelf(folder=folder, cursor=request.GET.get("cursor"), token=token)
    context = {
        "folder": folder,
        "crumbs": shelves.crumbs(folder),
        "folders": found.folders,
        "files": found.files,
        "archive_url": shelves.archive_url(folder),
        "next_url": found.next_url,
        "previous_url": found.previous_url,
        "upload_url": "/api/v1/files/",
        "error": _shown(found.problem),
    }
    return render(request, "files/browse.html", context, status=found.problem.status if found.problem else 200)


def _shown(problem: Problem | None) -> dict[str, object] | None:
    return problem.body(current_request_id()) if problem else None
