"""RFC 9457 problems for everything Django and DRF can raise: JSON for programs, a page for people."""

from __future__ import annotations

import sys
from typing import Any

import redis
import structlog
from django.contrib.auth.models import AnonymousUser
from django.core import exceptions as core
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template import loader
from django.utils.html import escape
from ochaq_shared.problems import CONTENT_TYPE, FieldError, Problem, code_for_status, define, kind_of
from ochaq_shared.telemetry import current_request_id
from rest_framework import exceptions as drf

from ochaq_web.config.environment import environment

log = structlog.get_logger(__name__)

define("auth.csrf", 403, "The form's protection token is missing or too old")

AUTHENTICATE = 'Bearer realm="ochaq"'
JSON_PATHS = ("/api/", "/internal/", "/openapi.json")

_SIMPLE: list[tuple[tuple[type[BaseException], ...], str]] = [
    ((Http404, core.ObjectDoesNotExist), "not_found"),
    ((core.PermissionDenied,), "auth.forbidden"),
    ((core.RequestDataTooBig,), "too_large"),
    ((core.BadRequest, core.SuspiciousOperation, UnreadablePostError, MultiPartParserError), "request.malformed"),
    ((IntegrityError,), "conflict"),
    # What PostgreSQL cannot hold: a NUL in a text, a number out of range.
    ((DataError,), "request.invalid"),
]
_AWAY = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)


def problem_from(error: BaseException) -> Problem:
    """The problem that tells a client about `error`; unknown errors become `internal` and are logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, drf.APIException):
        return _from_api(error)
    if isinstance(error, core.ValidationError):
        return Problem("request.invalid", errors=_validation_errors(error))
    if isinstance(error, _AWAY):
        log.warning("storage.unavailable", error=type(error).__name__, text=str(error)[:200])
        return Problem("unavailable", retry_after=2)
    for kinds, code in _SIMPLE:
        if isinstance(error, kinds):
            return Problem(code)
    log.error("request.failed", exc_info=error)
    return Problem("internal")


def _from_api(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        return Problem("request.invalid", errors=list(_flatten(error.detail)))
    if isinstance(error, drf.NotAuthenticated):
        return Problem("auth.required")
    if isinstance(error, drf.AuthenticationFailed):
        return Problem("auth.invalid_token")
    if isinstance(error, drf.Throttled):
        return Problem("rate_limited", retry_after=int(getattr(error, "wait", None) or 1))
    if error.status_code >= 500:
        log.error("request.failed", exc_info=error)
    return Problem(code_for_status(error.status_code))


def _flatten(detail: Any, pointer: str = "") -> Any:
    """DRF's nested errors as one list with JSON Pointers."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            name = "" if key == "non_field_errors" else f"/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from _flatten(value, pointer + name)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            yield from _flatten(value, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer, str(getattr(detail, "code", "invalid")), str(detail))


def _validation_errors(error: core.ValidationError) -> list[FieldError]:
    fields = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
    return [
        FieldError("" if name in {"", "__all__"} else f"/{name}", item.code or "invalid", " ".join(item.messages))
        for name, items in fields.items()
        for item in items
    ]


def answer_api_exception(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's EXCEPTION_HANDLER."""
    problem = problem_from(error)
    response = json_answer(problem)
    allowed = getattr(context.get("view"), "allowed_methods", None)
    if problem.status == 405 and allowed:
        response.headers["Allow"] = ", ".join(allowed)
    return response


def json_answer(problem: Problem) -> HttpResponse:
    """The problem as `application/problem+json`."""
    import orjson

    body = problem.body(current_request_id(), environment().public_url)
    return _with_headers(HttpResponse(orjson.dumps(body), status=problem.status, content_type=CONTENT_TYPE), problem)


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem in the form this client asked for."""
    if wants_json(request):
        return json_answer(problem)
    html = _page(request, problem)
    return _with_headers(HttpResponse(html, status=problem.status), problem)


def wants_json(request: HttpRequest) -> bool:
    """Programs ask by path or by `Accept`; whoever accepts anything gets the page."""
    if request.path.startswith(JSON_PATHS):
        return True
    return request.get_preferred_type(["text/html", "application/json", CONTENT_TYPE]) in {
        "application/json",
        CONTENT_TYPE,
    }


def _with_headers(response: HttpResponse, problem: Problem) -> HttpResponse:
    for name, value in problem.headers.items():
        response.headers[name] = value
    if problem.status == 401:
        response.headers.setdefault("WWW-Authenticate", AUTHENTICATE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, problem: Problem) -> str:
    if problem.status >= 500 or not hasattr(request, "user"):
        # The frame shows who is signed in, but a broken database must not break the page that says so.
        request.user = AnonymousUser()
    body = problem.body(current_request_id(), environment().public_url)
    try:
        return loader.render_to_string("errors/problem.html", {"problem": body}, request)
    except Exception as error:  # whatever broke the page must not hide the problem it was to show
        log.error("problem.page_failed", exc_info=error)
        title, detail = escape(problem.kind.title), escape(problem.detail)
        return (
            f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{detail}</p><p>{escape(current_request_id())}</p>"
        )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, problem_from(exception or core.BadRequest()))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, Problem("auth.forbidden"))


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(request, Problem("not_found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this inside the `except` block, which is where the exception can be found."""
    error = sys.exc_info()[1]
    return answer(request, problem_from(error) if error else Problem("internal"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log.warning("csrf.failed", reason=reason)
    return answer(request, Problem("auth.csrf", "Reload the page and send the form again."))


def explain(code: str) -> dict[str, Any] | None:
    """The catalogue's row of a code, for `/problems/<code>`."""
    try:
        kind = kind_of(code)
    except KeyError:
        return None
    return {"code": kind.code, "status": kind.status, "title": kind.title, "detail": kind.title}
