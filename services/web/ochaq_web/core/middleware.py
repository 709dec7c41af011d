"""What every request goes through: its id, its log line, its metrics, its language and its problems."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from ochaq_shared import failpoints
from ochaq_shared.telemetry import REQUEST_SECONDS, REQUESTS, bind_request, request_id_from

from ochaq_web.core import problems

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

log = structlog.get_logger("access")

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestContext:
    """Binds the gateway's request id to logs, events and the answer; writes the access log; counts."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_from(request.headers.get("X-Request-Id"))
        began = time.perf_counter()
        with bind_request(request_id, request.headers.get("traceparent", "")):
            response = self.get_response(request)
            if request.method not in SAFE_METHODS:
                failpoints.hit("web.answered")
            response.headers["X-Request-Id"] = request_id
            _record(request, response.status_code, time.perf_counter() - began)
        return response


def _record(request: HttpRequest, status: int, seconds: float) -> None:
    match = request.resolver_match
    # Only a route's template may become a label: raw paths would make one time series per id.
    route = f"/{match.route}" if match else "unmatched"
    method = request.method or ""
    REQUESTS.labels("web", method, route, str(status)).inc()
    REQUEST_SECONDS.labels("web", route).observe(seconds)
    log.info("http.request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 2))


class PageLanguage(LocaleMiddleware):
    """Pages speak the reader's language; the API always speaks English, so that its answers can be cached."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path.startswith(problems.JSON_PATHS):
            translation.activate("en")
            request.LANGUAGE_CODE = "en"
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(problems.JSON_PATHS):
            return response
        return super().process_response(request, response)


class ProblemAnswers:
    """Turns what a page's view raises into a problem; API views have DRF's handler for the same."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return problems.answer(request, problems.problem_from(error))
