"""What every ASGI service wraps itself in: health endpoints, request id, access log, metrics. Pure ASGI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ochaq_shared.health import Answer, Health
from ochaq_shared.telemetry import REQUEST_SECONDS, REQUESTS, bind_request, request_id_from

log = structlog.get_logger("access")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ServiceMiddleware:
    """Answers `/livez`, `/readyz` and `/metrics`; gives every other HTTP request its id, log line and metrics."""

    def __init__(self, app: App, *, health: Health, service: str) -> None:
        self.app = app
        self.health = health
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] in {"/livez", "/readyz", "/metrics"}:
            target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
            # Checks may block for their time limit, so they run beside the event loop; being alive needs no thread.
            live = scope["path"] == "/livez"
            answer = self.health.answer(target) if live else await asyncio.to_thread(self.health.answer, target)
            await _send_answer(answer, send)
            return
        await self._observed(scope, receive, send)

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        request_id = request_id_from(headers.get(b"x-request-id", b"").decode("latin-1"))
        began = time.perf_counter()
        status = 500

        async def send_with_id(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            await send(message)

        with bind_request(request_id, headers.get(b"traceparent", b"").decode("latin-1")):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # Only a route's template may become a label: raw paths would make one time series per id.
        route = getattr(scope.get("route"), "path", "unmatched")
        REQUESTS.labels(self.service, scope["method"], route, str(status)).inc()
        REQUEST_SECONDS.labels(self.service, route).observe(seconds)
        log.info(
            "http.request", method=scope["method"], route=route, status=status, duration_ms=round(seconds * 1000, 2)
        )


async def _send_answer(answer: Answer | None, send: Send) -> None:
    if answer is None:
        answer = Answer(404, "text/plain", b"not found")
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
