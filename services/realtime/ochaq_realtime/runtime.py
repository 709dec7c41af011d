"""What all sockets of a `serve` process share, and its beginning and end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ochaq_shared.health import Health
from ochaq_shared.identity import Verifier

from ochaq_realtime.hub import Hub
from ochaq_realtime.outbound import Outbound, Send, Transport
from ochaq_realtime.settings import RealtimeSettings
from ochaq_realtime.sockets import Sockets
from ochaq_realtime.streams import Streams

# A server's runner puts its connection's Transport into the scope under this name.
TRANSPORT = "ochaq.transport"


class NotConnected(Exception):
    """The subscription to Redis is not up."""


@dataclass
class Runtime:
    settings: RealtimeSettings
    health: Health
    verifier: Verifier
    sockets: Sockets
    streams: Streams
    hub: Hub
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begins to listen; to be called inside the server's event loop."""
        self._tasks = [asyncio.ensure_future(self.hub.run()), asyncio.ensure_future(self.sockets.turn())]

    async def stop(self) -> None:
        """Readiness goes first, then every socket hears 1012, then the rest."""
        self.health.draining = True
        await self.sockets.say_goodbye(self.settings.drain_seconds)
        for task in self._tasks:
            task.cancel()
        await self.hub.close()

    def outbound(self, scope: Any, send: Send) -> Outbound:
        transport: Transport = scope[TRANSPORT]
        return Outbound(send, transport, self.settings.max_outbound_bytes)


def build(settings: RealtimeSettings) -> Runtime:
    health = Health("realtime", "serve", stall_after=15.0)
    sockets = Sockets(settings.heartbeat_seconds, health.beat)
    streams = Streams(settings.redis_url)
    hub = Hub(streams, sockets.revoke)

    def check_redis() -> None:
        if not hub.connected:
            raise NotConnected

    health.check("redis", check_redis)
    return Runtime(settings, health, Verifier(settings.jwks_file, "realtime"), sockets, streams, hub)
