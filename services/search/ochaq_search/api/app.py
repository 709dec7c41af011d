"""The ASGI application of `serve`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from ochaq_shared.asgi import App, ServiceMiddleware
from ochaq_shared.health import Health
from ochaq_shared.identity import Verifier
from ochaq_shared.problems import asgi as problems
from starlette.exceptions import HTTPException

from ochaq_search.api.students import router
from ochaq_search.students import StudentSearch

Following = Callable[[], AbstractAsyncContextManager[None]]


def make_app(
    students: StudentSearch, verifier: Verifier, health: Health, following: Following, public_url: str
) -> ServiceMiddleware:
    """`following` is entered for the life of the application: it keeps the reader at the newest commit."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with following():
            yield

    app = FastAPI(
        title="Ochaq search", version="0.1.0", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.state.students = students
    app.state.verifier = verifier
    problems.install(app, validation_error=RequestValidationError, http_exception=HTTPException, public_url=public_url)
    app.include_router(router)
    return ServiceMiddleware(cast(App, app), health=health, service="search")
