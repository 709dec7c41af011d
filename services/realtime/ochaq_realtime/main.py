"""The composition root: reads the settings, builds one process, runs it until it is told to stop."""

from __future__ import annotations

import signal
import sys
from typing import Any

from ochaq_shared import telemetry
from ochaq_shared.settings import load
from redis import Redis

from ochaq_realtime.settings import RealtimeSettings

USAGE = "usage: python -m ochaq_realtime serve|consume\n"


def main(arguments: list[str] | None = None) -> None:
    words = sys.argv[1:] if arguments is None else arguments
    if words not in (["serve"], ["consume"]):
        sys.stderr.write(USAGE)
        sys.exit(2)
    settings = load(RealtimeSettings)
    telemetry.configure("realtime", words[0], settings.log_level)
    if words == ["serve"]:
        serve(settings)
    else:
        consume(settings)


def serve(settings: RealtimeSettings) -> None:
    """Sockets, on the server that the settings name."""
    from ochaq_realtime import runtime
    from ochaq_realtime.api import app

    built = runtime.build(settings)
    # Each module sets up its own event loop when it is imported, so only the chosen one is.
    if settings.realtime_server == "daphne":
        from ochaq_realtime.servers import daphne as server
    else:
        from ochaq_realtime.servers import uvicorn as server  # type: ignore[no-redef]
    server.run(app.build(built), built)


def consume(settings: RealtimeSettings) -> None:
    """The projector: one thread of work, one of health."""
    from ochaq_shared.bus import topology
    from ochaq_shared.bus.consumer import Consumer
    from ochaq_shared.health import Health, HealthServer
    from ochaq_shared.receipts import Receipts

    from ochaq_realtime.consumers import Projection

    health = Health("realtime", "consume", stall_after=120.0)
    redis = Redis.from_url(settings.redis_url, socket_timeout=4, socket_connect_timeout=4)
    health.check("redis", lambda: _ping(redis))
    receipts = Receipts(settings.redis_url)
    projection = Projection(redis, health.beat)
    consumer = Consumer(settings.amqp_url, topology.REALTIME_PROJECT, projection, health, receipts=receipts)
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: consumer.stop())
    consumer.run()


def _ping(redis: Any) -> None:
    redis.ping()
