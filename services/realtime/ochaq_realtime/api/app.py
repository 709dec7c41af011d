"""The ASGI application: health and metrics, sockets, and a problem for everything else."""

from __future__ import annotations

from typing import Any

from ochaq_shared.asgi import App, ServiceMiddleware
from ochaq_shared.problems import Problem
from ochaq_shared.problems.asgi import ProblemResponse

from ochaq_realtime.api.consumers import SocketConsumer
from ochaq_realtime.runtime import Runtime


def build(runtime: Runtime) -> App:
    socket = SocketConsumer.as_asgi(runtime=runtime)
    public_url = runtime.settings.public_url

    async def route(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await socket(scope, receive, send)
        elif scope["type"] == "http":
            await ProblemResponse(Problem("not_found"), public_url=public_url)(scope, receive, send)

    return ServiceMiddleware(route, health=runtime.health, service="realtime")
