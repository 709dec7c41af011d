"""Wires everything; the only file that knows all others.

`serve` answers HTTP, `relay` moves the outbox to RabbitMQ, `consume` processes uploads and sweeps, `migrate` brings
the database to its newest shape.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from ochaq_shared.asgi import App, ServiceMiddleware
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.topology import FILES_EVENTS
from ochaq_shared.health import Health, HealthServer
from ochaq_shared.identity import Verifier
from ochaq_shared.relay import Relay
from ochaq_shared.settings import load
from ochaq_shared.telemetry import configure

from ochaq_files import consumers
from ochaq_files.api import build_app
from ochaq_files.maintenance import Maintenance
from ochaq_files.service import Service
from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import UNAVAILABLE, Database, check, migration_lock, sync_engine
from ochaq_files.storage.objects import LocalObjects, Objects, S3Objects
from ochaq_files.storage.scratch import Scratch
from ochaq_files.sweeping import Sweeper
from ochaq_files.uploads import Uploads

log = structlog.get_logger(__name__)

SERVICE = "files"
WORKER_THREADS = 16
STALL_SECONDS = 60.0
MIGRATE_PATIENCE = 120.0
GRACE_SECONDS = 20


def main(arguments: Sequence[str]) -> int:
    commands: dict[str, Callable[[FilesSettings], None]] = {
        "serve": serve,
        "relay": relay,
        "consume": consume,
        "migrate": migrate,
    }
    parser = argparse.ArgumentParser(prog="python -m ochaq_files", description=__doc__)
    parser.add_argument("command", choices=sorted(commands))
    chosen = parser.parse_args(arguments).command
    settings = load(FilesSettings)
    configure(SERVICE, chosen, settings.log_level)
    commands[chosen](settings)
    return 0


def serve(settings: FilesSettings) -> None:
    """Answer HTTP until told to stop."""
    service = build_service(settings)
    health = _health(settings, "serve", service.objects)
    app = build_app(service, partial(_lifespan, service))
    watched = ServiceMiddleware(cast(App, app), health=health, service=SERVICE)
    uvicorn.run(
        watched,
        host=settings.bind_host,
        port=settings.bind_port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def relay(settings: FilesSettings) -> None:
    """Move the outbox to RabbitMQ until told to stop."""
    health = Health(SERVICE, "relay", stall_after=STALL_SECONDS)
    mover = Relay(SERVICE, settings.database_url, settings.amqp_url, health)
    _until_stopped(settings, health, mover.run, mover.stop)


def consume(settings: FilesSettings) -> None:
    """Process uploads and sweep until told to stop."""
    objects = build_objects(settings)
    health = _health(settings, "consume", objects, stall_after=STALL_SECONDS)
    engine = sync_engine(settings.database_url)
    sweeper = Sweeper(Database(settings.database_url, pool=2), objects, Scratch(settings.spool_dir))
    maintenance = Maintenance(settings, sweeper, engine)
    maintenance.start()
    work = consumers.EngineWork(engine)
    processor = InboxProcessor(consumers.CONSUMER, work, consumers.handlers(engine, work, maintenance.read_head))
    consumer = Consumer(settings.amqp_url, FILES_EVENTS, processor, health)
    try:
        _until_stopped(settings, health, consumer.run, consumer.stop)
    finally:
        maintenance.stop()
        engine.dispose()


def migrate(settings: FilesSettings) -> None:
    """Bring the database to its newest shape; waits a while for a server that is still starting."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    deadline = time.monotonic() + MIGRATE_PATIENCE
    while True:
        engine = sync_engine(settings.database_url)
        try:
            config.attributes["engine"] = engine
            with migration_lock(engine):
                command.upgrade(config, "head")
            return
        except UNAVAILABLE as error:
            if time.monotonic() > deadline:
                sys.exit(f"PostgreSQL at OCHAQ_DATABASE_URL did not answer for {MIGRATE_PATIENCE:.0f} seconds.")
            log.info("migrate.waiting", error=type(error).__name__)
            time.sleep(0.5)
        finally:
            engine.dispose()


def build_service(settings: FilesSettings) -> Service:
    database = Database(settings.database_url)
    objects = build_objects(settings)
    return Service(
        settings=settings,
        database=database,
        objects=objects,
        spool=Scratch(settings.spool_dir),
        uploads=Uploads(database, objects, lease_seconds=settings.claim_lease_seconds),
        verifier=Verifier(settings.jwks_file, SERVICE),
    )


def build_objects(settings: FilesSettings) -> Objects:
    """The object store that the settings name; they were checked to be complete."""
    if settings.object_store == "local":
        return LocalObjects(Path(str(settings.object_dir)), sendfile=settings.sendfile)
    return S3Objects(
        endpoint=str(settings.s3_endpoint),
        bucket=str(settings.s3_bucket),
        access_key=str(settings.s3_access_key),
        secret_key=str(settings.s3_secret_key),
        region=settings.s3_region,
    )


@asynccontextmanager
async def _lifespan(service: Service, _app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKER_THREADS, "worker"))
    # What a killed predecessor left half written on this machine's disks.
    await asyncio.to_thread(lambda: (service.spool.sweep(), service.objects.sweep()))
    yield
    await service.database.close()


def _health(settings: FilesSettings, process: str, objects: Objects, stall_after: float | None = None) -> Health:
    health = Health(SERVICE, process, stall_after=stall_after)
    health.check("postgres", partial(check, settings.database_url))
    health.check("objects", objects.check)
    return health


def _until_stopped(settings: FilesSettings, health: Health, run: Callable[[], None], stop: Callable[[], None]) -> None:
    """Run a loop in this thread, with its health beside it, until SIGTERM or SIGINT."""

    def on_signal(_number: int, _frame: Any) -> None:
        health.draining = True
        stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    server = HealthServer(health, settings.bind_host, settings.bind_port)
    server.start()
    try:
        run()
    finally:
        threading.Thread(target=server.stop, daemon=True).start()
