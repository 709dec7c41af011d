"""Daphne, with what it lacks: 1012 on SIGTERM, back-pressure, pings out of step.

Importing this module installs uvloop and Twisted's asyncio reactor on it, so only the composition root does.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import structlog
import uvloop

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # before daphne.server makes its loop

from daphne.server import Server  # noqa: E402
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol  # noqa: E402
from ochaq_shared.asgi import App  # noqa: E402
from twisted.internet import reactor  # noqa: E402

from ochaq_realtime.runtime import TRANSPORT, Runtime  # noqa: E402

log = structlog.get_logger(__name__)

# Daphne pings every socket in the same moment and closes those older than a day; the wheel and the rules do that here.
NEVER = 10**9


class DaphneTransport:
    """Frames straight to the socket when nothing waits before them, else into Twisted's buffers.

    `dataBuffer` and `_tempDataLen` are Twisted's own names for what it still holds; a contract test pins them.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if transport is None or self._protocol.state != self._protocol.STATE_OPEN:
            return
        if not transport.dataBuffer and not transport._tempDataLen:
            data = data[self._try(transport.socket, data) :]
        if data:
            transport.write(data)

    def buffered(self) -> int:
        transport = self._protocol.transport
        return 0 if transport is None else len(transport.dataBuffer) + transport._tempDataLen

    def heard(self) -> bool:
        heard: bool = self._protocol.heard
        self._protocol.heard = False
        return heard

    def abort(self) -> None:
        if self._protocol.transport is not None:
            self._protocol.transport.abortConnection()

    @staticmethod
    def _try(socket: Any, data: bytes) -> int:
        try:
            return int(socket.send(data))
        except OSError:
            # Full, or broken: Twisted finds out which when it writes.
            return 0


class HearingProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Remembers that the peer sent something: pongs never reach an ASGI application."""

    heard = True

    def dataReceived(self, data: bytes) -> None:
        self.heard = True
        super().dataReceived(data)

    def onOpen(self) -> None:
        """Lets go of the handshake: four copies of its headers, credentials included, per idle socket."""
        self.clean_headers: list[Any] = []
        self.http_headers: dict[str, str] = {}
        self.http_request_data = b""
        self.request.headers = {}
        super().onOpen()

    def serverClose(self, code: int | None = None) -> None:
        """Daphne's own goes through a check for the codes that applications may use, and 1012 is none of them."""
        self.sendCloseFrame(code=1000 if code is None else code)


class HearingFactory(WebSocketFactory):  # type: ignore[misc]
    protocol = HearingProtocol

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A client that breaks the protocol hears why (1002, 1007, 1009) instead of a dropped connection.
        self.setProtocolOptions(failByDrop=False)


class DrainingServer(Server):  # type: ignore[misc]
    """Daphne's server with our transport in the scope and our way to stop."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            scope[TRANSPORT] = DaphneTransport(protocol)
        return super().create_application(protocol, scope)


def run(app: App, runtime: Runtime) -> None:
    """Serves until SIGTERM or SIGINT, then says goodbye and returns."""
    # Daphne looks the class up by this name when it starts and offers no other way to choose the protocol.
    import daphne.server

    daphne.server.WebSocketFactory = HearingFactory
    settings = runtime.settings
    server: Any = DrainingServer(
        app,
        endpoints=[f"tcp:port={settings.bind_port}:interface={settings.bind_host}:backlog=4096"],
        signal_handlers=False,
        ping_interval=NEVER,
        websocket_timeout=-1,
        websocket_max_message_size=settings.max_message_bytes,
        websocket_max_frame_size=settings.max_message_bytes,
        verbosity=1,
        ready_callable=lambda: reactor.callWhenRunning(_begin, server, runtime),
    )
    server.run()


def _begin(server: Any, runtime: Runtime) -> None:
    loop = asyncio.get_event_loop()
    runtime.start()
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        if not stopping:
            stopping.append(loop.create_task(_stop(server, runtime)))

    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, stop)
    log.info("serve.ready", server="daphne", port=runtime.settings.bind_port)


async def _stop(server: Any, runtime: Runtime) -> None:
    for listening in server.listeners:
        # A Deferred that fired with the port: from here on nobody new comes in.
        listening.addCallback(lambda port: port and port.stopListening())
    await runtime.stop()
    reactor.stop()  # type: ignore[misc]
