"""The application: routers, problem answers, OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from ochaq_shared.problems import Problem, asgi
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ochaq_files.api import content, files, folders, uploads
from ochaq_files.service import Service
from ochaq_files.storage.database import UNAVAILABLE, temporary

log = structlog.get_logger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

PROBLEM: dict[str, Any] = {
    "description": "What went wrong (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
    },
}


def build_app(service: Service, lifespan: Lifespan) -> FastAPI:
    """The files API. `service` holds what its routes work with."""
    app = FastAPI(
        title="Ochaq files",
        version="1",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=dict.fromkeys((400, 401, 403, 404, 409, 412, 413, 415, 416, 422, 503), PROBLEM),
    )
    app.state.service = service
    for router in (files.router, uploads.router, content.router, folders.router):
        app.include_router(router)
    public_url = service.settings.public_url
    asgi.install(app, validation_error=RequestValidationError, http_exception=HTTPException, public_url=public_url)
    _answer_outages(app, public_url)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Add the shape of a problem to the OpenAPI document, which no route returns by itself."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"].setdefault("Problem", PROBLEM_SCHEMA)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it


def _answer_outages(app: FastAPI, public_url: str) -> None:
    """A database that is away is a 503 with a time to come back, not a fault of ours."""

    async def on_database_error(_request: Request, error: Exception) -> asgi.ProblemResponse:
        if temporary(error):
            log.warning("database.unavailable", error=type(error).__name__)
            return asgi.ProblemResponse(Problem("unavailable", retry_after=2), public_url=public_url)
        log.error("request.failed", exc_info=error)
        return asgi.ProblemResponse(Problem("internal"), public_url=public_url)

    for kind in (DBAPIError, *UNAVAILABLE):
        app.add_exception_handler(kind, on_database_error)  # type: ignore[arg-type] # ProblemResponse is an ASGI callable, as Starlette needs
