"""Thin doors under `/internal/v1/`, for calls so frequent that a framework's view would be most of their cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec
import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from ochaq_shared.identity import bearer
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.core import identity, problems
from ochaq_web.core.parsing import loads

Shape = TypeVar("Shape")

PREFIX = "/internal/"

# A worker sends the token it signed with many calls; checking its signature takes longer than most of them.
KNOWN_SECONDS = 5.0
KNOWN_MOST = 256
_known: dict[str, float] = {}


def internal_door(shape: type[Shape]) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse]]:
    """A POST for services only: `view(body, **path)`, with a body of that msgspec shape, answers what becomes JSON.

    Refusals are raised as problems, which the middleware answers as everywhere: 401 without a service's token, 403 for
    a user's, 405, 400 and 422.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def door(request: HttpRequest, **path: Any) -> HttpResponse:
            if request.method != "POST":
                raise Problem("method_not_allowed", headers={"Allow": "POST"})
            _require_service(bearer(request.headers.get("Authorization")))
            answer = view(_read(request.body, shape), **path)
            return HttpResponse(orjson.dumps(answer), content_type="application/json")

        door.is_internal_door = True  # type: ignore[attr-defined]
        return door

    return decorate


class InternalDoors:
    """Middleware: a call for one of these doors goes straight there. Sessions, forms, languages and what protects
    browsers have nothing to do for a service, and would be most of the cost."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return self.get_response(request)
        if not getattr(match.func, "is_internal_door", False):
            return self.get_response(request)
        request.resolver_match = match
        translation.activate("en")
        try:
            answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
        except Exception as error:  # whatever it was, the caller gets a problem, and the log the rest
            return problems.json_answer(problems.problem_from(error))
        return answer


def _require_service(token: str | None) -> None:
    if token is None:
        raise Problem("auth.required")
    now = time.monotonic()
    if _known.get(token, 0.0) > now:
        return
    if not identity.internal_tokens().verify(token).is_service:
        raise Problem("auth.forbidden")
    if len(_known) >= KNOWN_MOST:
        _known.clear()
    _known[token] = now + KNOWN_SECONDS


def _read(body: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(loads(body), shape)
    except msgspec.ValidationError as error:
        raise Problem("request.invalid", errors=[FieldError("", "invalid", str(error))]) from error
