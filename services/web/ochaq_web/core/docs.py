"""Doors: the API's description, as JSON and as two readable pages with their scripts from our own static files."""

from __future__ import annotations

import orjson
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from ochaq_web.core import openapi

# Swagger UI and Redoc write style elements; scripts stay ours alone. Redoc searches in a worker it makes from a blob.
LOOSER = {"style-src": ["'unsafe-inline'"], "worker-src": ["blob:"]}


@require_GET
def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(orjson.dumps(openapi.document(), default=str), content_type="application/json")


@require_GET
@ensure_csrf_cookie
@csp_update(LOOSER)
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "core/swagger.html")


@require_GET
@csp_update(LOOSER)
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "core/redoc.html")
