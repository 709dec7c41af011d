"""Keeping a reader at the newest commit while the event loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from ochaq_search.engines.base import StudentReader

log = structlog.get_logger(__name__)


class Follower:
    """Refreshes one reader whenever its engine says that there may be something new."""

    def __init__(self, reader: StudentReader) -> None:
        self._reader = reader
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._task = asyncio.create_task(self._follow(), name="follow-index")
        try:
            yield
        finally:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def check(self) -> None:
        """Raises when there is no index to read, or nobody is looking for newer commits."""
        _ = self._reader.generation
        if self._task is None or self._task.done():
            raise RuntimeError("the reader is not followed")

    async def _follow(self) -> None:
        async for _ in self._reader.changes():
            try:
                # Opening a large commit takes milliseconds, which belong to the requests.
                await asyncio.to_thread(self._reader.refresh)
            except Exception:
                # A follower that ended would leave this process at an old index for ever; the next change is soon.
                log.exception("index.refresh_failed")
