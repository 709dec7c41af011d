"""`relay`: moves the outbox to RabbitMQ."""

from __future__ import annotations

from ochaq_shared.health import Health
from ochaq_shared.reconcile import Reconciler
from ochaq_shared.relay import Relay

from ochaq_files.processes.running import SERVICE, STALL_SECONDS, run_until_stopped
from ochaq_files.settings import FilesSettings


def run(settings: FilesSettings) -> None:
    """Move the outbox to RabbitMQ until told to stop."""
    health = Health(SERVICE, "relay", stall_after=STALL_SECONDS)
    mover = Relay(SERVICE, settings.database_url, settings.amqp_url, health)
    servers = (settings.database_url, settings.amqp_url, settings.redis_url)
    reconciler = Reconciler(SERVICE, *servers, after=settings.resend_after_seconds)

    def stop() -> None:
        mover.stop()
        reconciler.stop()

    reconciler.start()
    run_until_stopped(settings, health, mover.run, stop)
    reconciler.join()
