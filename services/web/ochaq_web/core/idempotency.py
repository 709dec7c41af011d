"""Idempotency-Key for API views that write: `@idempotent` on the method is all a view does.

Creating needs it so that a repetition creates nothing more. A change needs it too: a request that was given up may
still sit in a process that stands still, and would be carried out later, over changes that were made in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from ochaq_shared.idempotency import Replay, Scope, begin, body_hash, finish
from ochaq_shared.problems import Problem
from rest_framework.request import Request
from rest_framework.response import Response

from ochaq_web.core.rendering import HouseJSON

# What the first answer said about the resource it made; everything else (ids of requests, dates) is the replay's own.
KEPT_HEADERS = ("Content-Type", "Location", "ETag")

Method = Callable[..., HttpResponse]

PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body within 24 hours get the first answer again, with `Idempotency-Replayed: true`.",
)


def idempotent(method: Method) -> Method:
    """Run the view in one transaction with its key: a success is stored and replayed, anything else leaves no trace."""

    @wraps(method)
    def keyed(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return method(view, request, *args, **kwargs)
        scope, fingerprint = _scope(request), body_hash(request._request.body)
        with transaction.atomic():
            replay = begin(connection, scope, key, fingerprint)
            if replay:
                return _replayed(replay)
            response = _rendered(method(view, request, *args, **kwargs))
            if response.status_code < 400:
                finish(
                    connection,
                    scope,
                    key,
                    fingerprint,
                    status=response.status_code,
                    headers={name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
                    body=response.content,
                )
            else:
                transaction.set_rollback(True)
        return response

    return keyed


def _scope(request: Request) -> Scope:
    match = request._request.resolver_match
    if not request.user.is_authenticated:
        raise Problem("auth.required")
    # The path, not the route: the same key on two resources of one kind means two requests.
    return Scope(str(request.user.pk), request.method or "", request.path if match else "")


def _rendered(response: HttpResponse) -> HttpResponse:
    """The bytes have to exist inside the transaction; DRF would render them after the view."""
    if not isinstance(response, Response):
        return response
    content = b"" if response.data is None else HouseJSON().render(response.data)
    plain = HttpResponse(content, status=response.status_code, content_type="application/json")
    if not content:
        del plain.headers["Content-Type"]
    for name, value in response.headers.items():
        # DRF decides the type when it renders; until then the header holds Django's guess.
        if name != "Content-Type":
            plain.headers[name] = value
    return plain


def _replayed(replay: Replay) -> HttpResponse:
    response = HttpResponse(replay.body, status=replay.status)
    for name, value in replay.headers.items():
        response.headers[name] = value
    response.headers["Idempotency-Replayed"] = "true"
    return response
