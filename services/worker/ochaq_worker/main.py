"""Wires the worker together; the only file that knows all others."""

from __future__ import annotations

import os
import sys

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
    # Celery waits for ever on SIGTERM; as SIGQUIT it gives running jobs a moment and leaves. The lease does the rest.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    commands[sys.argv[1]](settings)


def work(settings: WorkerSettings) -> None:
    """Take jobs from the queues."""
    from ochaq_worker.engine import run_worker

    health = Health("worker", "work")
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    run_worker(settings, health)


def beat(settings: WorkerSettings) -> None:
    """Send what is due by the clock."""
    from ochaq_worker.engine import run_beat

    health = Health("worker", "beat", stall_after=60)
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    run_beat(settings, health)
