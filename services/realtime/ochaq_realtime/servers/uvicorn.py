"""uvicorn, one setting away: the same application and the same rules."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import structlog
import uvicorn
import uvloop
from ochaq_shared.asgi import App
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ochaq_realtime.runtime import TRANSPORT, Runtime

log = structlog.get_logger(__name__)


class HearingProtocol(WebSocketsSansIOProtocol):
    """Remembers that the peer sent something: pongs never reach an ASGI application."""

    heard = True

    def data_received(self, data: bytes) -> None:
        self.heard = True
        super().data_received(data)


class UvicornTransport:
    __slots__ = ("_protocol",)

    def __init__(self, protocol: HearingProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        if not self._protocol.close_sent and not self._protocol.transport.is_closing():
            self._protocol.transport.write(data)

    def buffered(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def heard(self) -> bool:
        heard, self._protocol.heard = self._protocol.heard, False
        return heard

    def abort(self) -> None:
        self._protocol.transport.abort()


def run(app: App, runtime: Runtime) -> None:
    """Serves until SIGTERM or SIGINT, then says goodbye and returns."""

    async def with_transport(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            # uvicorn hands out a bound method of the connection's protocol.
            scope[TRANSPORT] = UvicornTransport(send.__self__)
        await app(scope, receive, send)

    settings = runtime.settings
    config = uvicorn.Config(
        with_transport,
        host=settings.bind_host,
        port=settings.bind_port,
        ws=HearingProtocol,
        ws_max_size=settings.max_message_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=4096,
        timeout_graceful_shutdown=5,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(uvicorn.Server(config), runtime))


async def _serve(server: uvicorn.Server, runtime: Runtime) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    runtime.start()
    serving = loop.create_task(server._serve())
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, stopping.set)
    log.info("serve.ready", server="uvicorn", port=runtime.settings.bind_port)
    await asyncio.wait([serving, loop.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
    for listening in server.servers:
        listening.close()
    await runtime.stop()
    server.should_exit = True
    await serving
