"""The sweeps' clock: an event loop in a thread of the `consume` process, which also reads objects for its consumer."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import Engine

from ochaq_files.processing import processing_begin, processing_finish, unprocessed
from ochaq_files.settings import FilesSettings
from ochaq_files.storage.objects import Span
from ochaq_files.sweeping import Sweeper

log = structlog.get_logger(__name__)

READ_SECONDS = 60
RECORDS_INTERVAL = 600.0


class Maintenance:
    """Sweeps again and again until stopped; a sweep that fails is tried again at its next turn."""

    def __init__(self, settings: FilesSettings, sweeper: Sweeper, engine: Engine) -> None:
        self._settings = settings
        self._sweeper = sweeper
        self._engine = engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def read_head(self, key: str, count: int, size: int) -> bytes:
        """The first bytes of an object, for callers in other threads."""
        if not count:
            return b""
        reading = asyncio.run_coroutine_threadsafe(self._sweeper.objects.read([Span(key, 0, count, size)]), self._loop)
        return bytes(reading.result(timeout=READ_SECONDS)[0])

    def process_stalled(self) -> int:
        """Process files whose event got lost; returns how many there were."""
        with self._engine.begin() as connection:
            stalled = unprocessed(connection, self._settings.stalled_after_seconds)
        for file_id in stalled:
            processing_begin(self._engine, file_id)
            with self._engine.begin() as connection:
                processing_finish(connection, file_id, self.read_head)
        if stalled:
            log.warning("sweep.stalled_processed", count=len(stalled))
        return len(stalled)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        settings, sweeper = self._settings, self._sweeper
        every = settings.sweep_interval_seconds
        jobs: list[tuple[float, Callable[[], Awaitable[object]]]] = [
            (every, lambda: asyncio.to_thread(sweeper.sweep_unfinished)),
            (every, sweeper.sweep_claims),
            (every, lambda: asyncio.to_thread(self.process_stalled)),
            (settings.orphan_interval_seconds, lambda: sweeper.sweep_orphans(settings.orphan_grace_seconds)),
            (RECORDS_INTERVAL, sweeper.sweep_records),
        ]
        # The loop holds its tasks only weakly.
        running = [self._loop.create_task(_forever(interval, job)) for interval, job in jobs]
        self._loop.run_forever()
        for task in running:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))
        self._loop.run_until_complete(sweeper.objects.close())
        self._loop.run_until_complete(sweeper.database.close())
        self._loop.close()


async def _forever(interval: float, job: Callable[[], Awaitable[object]]) -> None:
    while True:
        # Replicas that started together drift apart, so that they do not sweep in step.
        await asyncio.sleep(interval * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        try:
            await job()
        except Exception:  # a server is away or a disk is full: the next turn tries again
            log.exception("sweep.failed")
