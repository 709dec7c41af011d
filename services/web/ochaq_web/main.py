"""The composition root: each command starts one process. Nothing is imported before the command that needs it.

`relay` and granian's parent process stay small because they never import Django.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ochaq_shared import telemetry

from ochaq_web.config.environment import environment

USAGE = "usage: python -m ochaq_web serve|relay|consume|migrate|seed|manage [arguments]"


def main(arguments: list[str] | None = None) -> None:
    """Run the command named first; exits 2 when there is no such command."""
    words = sys.argv[1:] if arguments is None else arguments
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        sys.stderr.write(f"{USAGE}\n")
        sys.exit(2)
    command(words[1:])


def serve(arguments: list[str]) -> None:
    """The HTTP server: granian with WSGI threads, Django only in its worker processes."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    settings = environment()
    telemetry.configure("web", "serve", settings.log_level)
    Granian(
        "ochaq_web.config.wsgi:application",
        address=settings.bind_host,
        port=settings.bind_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        websockets=False,
        workers=settings.web_workers,
        # As many requests as there are `web_threads` are at work (core.serving); the other threads hold those that wait
        # for their turn, and answer `/livez` while all at work wait for a database that does not answer.
        blocking_threads=settings.web_threads * 4,
        backlog=1024,
        # Connections, not requests: idle ones of the gateway count, and must not keep others from being accepted.
        backpressure=256,
        respawn_failed_workers=True,
        workers_kill_timeout=25,
        log_enabled=False,
    ).serve()


def relay(arguments: list[str]) -> None:
    """The outbox of web, on its way to RabbitMQ."""
    from ochaq_shared.health import Health, HealthServer
    from ochaq_shared.reconcile import Reconciler
    from ochaq_shared.relay import Relay

    settings = environment()
    telemetry.configure("web", "relay", settings.log_level)
    health = Health("web", "relay", stall_after=60)
    process = Relay("web", settings.database_url, settings.amqp_url, health)
    servers = (settings.database_url, settings.amqp_url, settings.redis_url)
    reconciler = Reconciler("web", *servers, after=settings.resend_after_seconds)
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    _on_signal(process.stop, reconciler.stop)
    reconciler.start()
    process.run()
    reconciler.join()


def consume(arguments: list[str]) -> None:
    """The events that web listens to, and everything it does by the clock."""
    settings = _django("consume")
    from ochaq_shared import postgres
    from ochaq_shared.bus.consumer import Consumer
    from ochaq_shared.bus.inbox import InboxProcessor
    from ochaq_shared.bus.topology import WEB_EVENTS
    from ochaq_shared.health import HealthServer
    from ochaq_shared.receipts import Receipts

    from ochaq_web.core import events
    from ochaq_web.core.serving import health_of
    from ochaq_web.core.ticking import Ticking
    from ochaq_web.core.work import DjangoWork

    # Sweeps may take their time, but must end before the process counts as stalled.
    postgres.wait_at_most(30)
    health = health_of("consume", stall_after=60)
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    receipts = Receipts(settings.redis_url)
    consumer = Consumer(settings.amqp_url, WEB_EVENTS, processor, health, receipts=receipts)
    ticking = Ticking(events.tickers())
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    _on_signal(consumer.stop, ticking.stop)
    ticking.start()
    consumer.run()
    ticking.join()


def migrate(arguments: list[str]) -> None:
    """Wait for PostgreSQL, then apply what is missing; two at once take turns."""
    _django("migrate")
    from ochaq_web.core.migrating import migrate_when_ready

    migrate_when_ready()


def seed(arguments: list[str]) -> None:
    """Fill an empty demo school; changes nothing the second time. Refused without a demo password."""
    settings = _django("seed")
    if settings.demo_password is None:
        sys.stderr.write("seed needs OCHAQ_DEMO_PASSWORD, which production refuses (OCHAQ_MODE=demo or test).\n")
        sys.exit(2)
    from ochaq_web.accounts import seeding
    from ochaq_web.cookbook.seed import cookbook_seed
    from ochaq_web.students import services as students

    seeding.seed(settings.demo_password.get_secret_value())
    cookbook_seed()
    students.seed()


def manage(arguments: list[str]) -> None:
    """Django's own commands, such as `collectstatic` and `makemigrations`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ochaq_web.config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["python -m ochaq_web manage", *arguments])


def _django(process: str) -> Any:
    """Logs first, then Django; returns the environment."""
    settings = environment()
    telemetry.configure("web", process, settings.log_level)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ochaq_web.config.settings")
    import django

    django.setup()
    return settings


def _on_signal(*stops: Callable[[], None]) -> None:
    def stop(number: int, frame: Any) -> None:
        for each in stops:
            each()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "serve": serve,
    "relay": relay,
    "consume": consume,
    "migrate": migrate,
    "seed": seed,
    "manage": manage,
}
