"""Problem answers for ASGI services, without importing a web framework.

`install` registers handlers on any Starlette-shaped application (FastAPI included); the answer is a plain ASGI
callable, which is all that Starlette asks of a response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog

from ochaq_shared.problems import CONTENT_TYPE, FieldError, Problem, code_for_status
from ochaq_shared.telemetry import current_request_id

log = structlog.get_logger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class ProblemResponse:
    """An ASGI callable that answers with one problem."""

    # Starlette's middleware and FastAPI look at these two on any response object.
    background = None

    def __init__(self, problem: Problem, request_id: str = "", public_url: str = "") -> None:
        self.status_code = problem.status
        self.body = orjson.dumps(problem.body(request_id or current_request_id(), public_url))
        self.raw_headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in problem.headers.items()),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else self.body})


def install(
    app: Any, *, validation_error: type[Exception], http_exception: type[Exception], public_url: str = ""
) -> None:
    """Make every failure of `app` a problem: our own, the framework's, its validation errors, and the unexpected."""

    async def on_problem(_request: Any, error: Problem) -> ProblemResponse:
        return ProblemResponse(error, public_url=public_url)

    async def on_http(_request: Any, error: Any) -> ProblemResponse:
        problem = Problem(code_for_status(error.status_code), headers=getattr(error, "headers", None) or {})
        return ProblemResponse(problem, public_url=public_url)

    async def on_validation(_request: Any, error: Any) -> ProblemResponse:
        return ProblemResponse(from_validation(error.errors()), public_url=public_url)

    async def on_unexpected(_request: Any, error: Exception) -> ProblemResponse:
        log.error("request.failed", exc_info=error)
        return ProblemResponse(Problem("internal"), public_url=public_url)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(http_exception, on_http)
    app.add_exception_handler(validation_error, on_validation)
    app.add_exception_handler(Exception, on_unexpected)


def from_validation(errors: list[dict[str, Any]]) -> Problem:
    """A problem from pydantic-shaped errors; a body that is no JSON at all is malformed rather than invalid."""
    if any(error["type"] in {"json_invalid", "json_type"} for error in errors):
        return Problem("request.malformed", "The body is not valid JSON.")
    found = tuple(FieldError(_pointer(e["loc"]), e["type"], e["msg"]) for e in errors)
    return Problem("request.invalid", "Some values are missing or wrong.", errors=found)


def _pointer(loc: tuple[Any, ...]) -> str:
    parts = list(loc)
    if parts and parts[0] == "body":
        return "/" + "/".join(str(part) for part in parts[1:])
    return str(parts[-1]) if parts else ""
