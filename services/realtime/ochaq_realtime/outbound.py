"""The way out of one socket: frames as they are, a cap on what has not left yet, and an end that really ends.

Daphne has no back-pressure on sending (one client that never reads grew it by 263 MB), so the cap is kept here. What a
server must offer for that is the small `Transport`; each server's adapter lies in `servers/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from prometheus_client import Counter

from ochaq_realtime import frames

Send = Callable[[dict[str, Any]], Awaitable[None]]

SLOW_READER = 4408
# Ephemeral events are the first to go when a reader falls behind: their successors make them worthless.
EPHEMERAL_SHARE = 4
# A slow reader is given this long to take the close frame before the connection is torn down.
LAST_WORDS_SECONDS = 10.0

SLOW_READERS = Counter("ochaq_live_slow_readers_total", "Sockets cut because their outbound buffer was full")
EPHEMERAL_DROPPED = Counter("ochaq_live_ephemeral_dropped_total", "Ephemeral events not sent to readers falling behind")


class Transport(Protocol):
    """What a server's connection can do, below ASGI."""

    def write(self, data: bytes) -> None: ...

    def buffered(self) -> int:
        """Bytes accepted by `write` that the kernel has not taken yet."""

    def heard(self) -> bool:
        """Whether the peer sent anything since the last call."""

    def abort(self) -> None: ...


class Outbound:
    """Frames to one socket. After `close` or `abort` every send is a no-op."""

    __slots__ = ("_cap", "_closed", "_closing", "_send", "_transport")

    def __init__(self, send: Send, transport: Transport, cap: int) -> None:
        self._send = send
        self._transport = transport
        self._cap = cap
        self._closed = False
        self._closing: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        return self._closed

    def send(self, frame: bytes, *, ephemeral: bool = False) -> None:
        """Writes a whole frame; cuts the socket when its reader is too slow for it."""
        if self._closed:
            return
        if ephemeral and self._transport.buffered() > self._cap // EPHEMERAL_SHARE:
            EPHEMERAL_DROPPED.inc()
            return
        self._transport.write(frame)
        if self._transport.buffered() > self._cap:
            SLOW_READERS.inc()
            self.close(SLOW_READER)

    def ping(self) -> bool:
        """Sends a ping; False when nothing came from the peer since the last one."""
        heard = self._transport.heard()
        if not self._closed:
            self._transport.write(frames.PING)
        return heard

    def close(self, code: int) -> None:
        """Sends a close frame through the server, and tears the connection down if its peer does not take it."""
        if self._closed:
            return
        self._closed = True
        self._closing = asyncio.ensure_future(self._say_goodbye(code))

    def abort(self) -> None:
        self._closed = True
        self._transport.abort()

    def gone(self) -> None:
        """ASGI's disconnect came: nothing can be sent any more. A server may say so before our close frame has left,
        so the end of the connection is not for this to decide."""
        self._closed = True

    async def _say_goodbye(self, code: int) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code})
        finally:
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._transport.abort)
