"""Wires the worker together; the only file that knows all others."""

from __future__ import annotations

import signal
import sys
import threading

from ochaq_shared.health import Health, HealthServer
from ochaq_shared.settings import load
from ochaq_shared.telemetry import configure

from ochaq_worker.settings import WorkerSettings

USAGE = "usage: python -m ochaq_worker work|beat\n"


def main() -> None:
    """Run one of the two processes until it is told to stop."""
    commands = {"work": work, "beat": beat}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.stderr.write(USAGE)
        sys.exit(2)
    settings = load(WorkerSettings)
    configure("worker", sys.argv[1], settings.log_level)
    commands[sys.argv[1]](settings)


def work(settings: WorkerSettings) -> None:
    """Take jobs from the queues."""
    from ochaq_worker.engine import run_worker

    health = Health("worker", "work")
    health.check("broker", _require_consumer)  # until Celery has one, and puts a better check in this one's place
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    run_worker(settings, health)


def beat(settings: WorkerSettings) -> None:
    """Start what is due by the clock."""
    from ochaq_worker.scheduling import Clock
    from ochaq_worker.web import open_web

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health = Health("worker", "beat", stall_after=60)
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    Clock(open_web(settings), health).run(stop)


def _require_consumer() -> None:
    raise ConnectionError("not connected to RabbitMQ yet")
