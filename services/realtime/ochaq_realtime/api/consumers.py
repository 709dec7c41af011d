"""The WebSocket door as a Channels consumer, without a channel layer: events reach sockets through the hub."""

from __future__ import annotations

from typing import Any

import structlog
from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import StopConsumer
from ochaq_shared.identity import Identity, bearer
from ochaq_shared.problems import Problem
from ochaq_shared.telemetry import request_id_from
from prometheus_client import Counter

from ochaq_realtime.api.origins import header, origin_allowed
from ochaq_realtime.connection import FORBIDDEN, GOING_AWAY, SIGNED_OUT, Connection
from ochaq_realtime.outbound import Outbound
from ochaq_realtime.runtime import Runtime

log = structlog.get_logger(__name__)

TOPICS = {"/ws/": ("user",), "/ws/task/": ("user", "tasks"), "/ws/tasks/": ("user", "tasks")}

HANDSHAKES = Counter("ochaq_live_handshakes_total", "WebSocket handshakes", ["outcome"])


class SocketConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket from handshake to disconnect: origin first, then identity, then the rules of `Connection`."""

    channel_layer_alias = None

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._connection: Connection | None = None
        self._outbound: Outbound | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Channels' own loop makes two tasks and a queue per socket for layers we do not use."""
        self.scope = scope
        self.base_send = send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            return

    async def dispatch(self, message: Any) -> None:
        """Without the thread hop with which Channels cleans up Django's database connections: there are none."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_connect(self, _message: Any) -> None:
        headers = self.scope["headers"]
        identity = self._identity()
        if self.scope["path"] not in TOPICS or not origin_allowed(
            headers, self._runtime.settings.origins, identified=identity is not None
        ):
            HANDSHAKES.labels("refused").inc()
            log.info("ws.origin_denied", origin=header(headers, b"origin")[:200])
            await self.send({"type": "websocket.close"})
            return
        await self.send({"type": "websocket.accept"})
        self._outbound = self._runtime.outbound(self.scope, self.base_send)
        self._begin(identity)
        # The credentials of the handshake need not lie in memory for as long as the socket lives.
        self.scope["headers"] = []

    async def websocket_receive(self, message: Any) -> None:
        if self._connection is not None:
            await self._connection.receive(message.get("text"))

    async def websocket_disconnect(self, _message: Any) -> None:
        if self._outbound is not None:
            self._outbound.gone()
        if self._connection is not None:
            self._runtime.sockets.remove(self._connection)
            self._connection.close()
        raise StopConsumer

    def _begin(self, identity: Identity | None) -> None:
        outbound = self._outbound
        assert outbound is not None
        code = self._refusal(identity)
        if identity is None or code is not None:
            HANDSHAKES.labels("closed").inc()
            outbound.close(code or SIGNED_OUT)
            return
        settings = self._runtime.settings
        request_id = request_id_from(header(self.scope["headers"], b"x-request-id"))
        connection = Connection(self._runtime.hub, outbound, identity, request_id, settings.max_messages_per_second)
        if not self._runtime.sockets.add(connection):
            outbound.close(SIGNED_OUT)
            return
        self._connection = connection
        HANDSHAKES.labels("opened").inc()
        log.info("ws.opened", request_id=request_id, user_id=identity.subject)
        connection.open(TOPICS[self.scope["path"]], settings.heartbeat_seconds)

    def _refusal(self, identity: Identity | None) -> int | None:
        if identity is None:
            return SIGNED_OUT
        if identity.is_service:
            return FORBIDDEN
        return GOING_AWAY if self._runtime.sockets.draining else None

    def _identity(self) -> Identity | None:
        """The person the gateway vouches for; None for a stranger and for a token that does not hold."""
        try:
            token = bearer(header(self.scope["headers"], b"authorization"))
            return None if token is None else self._runtime.verifier.verify(token)
        except Problem as failure:
            log.warning("token.rejected", code=failure.code)
            return None
