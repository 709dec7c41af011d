"""`serve`: answers HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI
from ochaq_shared.asgi import App, ServiceMiddleware
from ochaq_shared.identity import Verifier
from ochaq_shared.postgres import wait_at_most

from ochaq_files.api import build_app
from ochaq_files.processes.running import SERVICE
from ochaq_files.processes.wiring import build_health, build_objects
from ochaq_files.service import Service
from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import REQUEST_WAITS, Database
from ochaq_files.storage.scratch import Scratch
from ochaq_files.uploads import Uploads

WORKER_THREADS = 16
GRACE_SECONDS = 20


def run(settings: FilesSettings) -> None:
    """Answer HTTP until told to stop."""
    wait_at_most(REQUEST_WAITS)
    service = build_service(settings)
    health = build_health(settings, "serve", service.objects)
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


@asynccontextmanager
async def _lifespan(service: Service, _app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKER_THREADS, "worker"))
    # What a killed predecessor left half written on this machine's disks.
    await asyncio.to_thread(lambda: (service.spool.sweep(), service.objects.sweep()))
    yield
    await service.objects.close()
    await service.database.close()
