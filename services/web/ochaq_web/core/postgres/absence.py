"""Since when PostgreSQL takes no connections of this process, for people who want to know.

Not the same as `ochaq_shared.postgres.outage`, which decides who tries next: connections of a pool may go on working
while no new one is to be had.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg


class Absence:
    """What tries to connect have met. A process that hardly tries knows little: see `forget`."""

    def __init__(self, forget: float = 120.0) -> None:
        """`forget`: seconds without a failed try after which the next one counts as the first."""
        self._forget = forget
        self._lock = threading.Lock()
        self._since: float | None = None
        self._failed_at = 0.0

    @property
    def since(self) -> datetime | None:
        """When the first of the tries failed that have been failing since; None while they do not."""
        with self._lock:
            known = self._since is not None and time.time() - self._failed_at <= self._forget
            return datetime.fromtimestamp(self._since, UTC) if known and self._since is not None else None

    def failed(self) -> None:
        """A connection could not be had."""
        with self._lock:
            now = time.time()
            if self._since is None or now - self._failed_at > self._forget:
                self._since = now
            self._failed_at = now

    def answered(self) -> None:
        """A new connection was taken."""
        with self._lock:
            self._since = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what comes of a try to make a new connection."""
        try:
            yield
        except psycopg.OperationalError:
            self.failed()
            raise
        self.answered()


absence = Absence()
"""Of the one PostgreSQL that this process works with."""
