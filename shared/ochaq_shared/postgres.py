"""Connections to PostgreSQL whose waits end, and the memory that it is away.

A server that is frozen (SIGSTOP, a hung disk, a paused machine) keeps its sockets: its kernel acknowledges every byte,
so TCP's clocks do not run, and `statement_timeout` is a clock of the very process that stands still. Only the client's
own clock ends such a wait. A wait that took too long closes its connection, because what the server still has to say
on it belongs to nobody any more; the server then ends the statement itself (`client_connection_check_interval`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.rows import Row

T = TypeVar("T")

INTERVAL = 0.1
"""Seconds between two looks at a socket that says nothing, as psycopg has it."""

_standard: float | None = None
_chosen: ContextVar[float | None] = ContextVar("patience", default=None)


def wait_at_most(seconds: float | None) -> None:
    """How long this process waits for one answer of PostgreSQL; None, the default, is for ever. Set when it starts."""
    global _standard
    _standard = seconds


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Wait at most so long for each answer inside this block, whatever the process does elsewhere."""
    token = _chosen.set(seconds)
    try:
        yield
    finally:
        _chosen.reset(token)


class Outage:
    """Whether PostgreSQL is away. While it is, one caller at a time tries it and all others fail at once.

    Without it, each request waits its own time in vain, and others wait for the threads and connections it holds.
    """

    def __init__(self, *, rest: float = 0.5, trial: float = 4.0) -> None:
        """`rest`: seconds between two trials; `trial`: seconds after which a trial without an outcome is forgotten."""
        self._rest = rest
        self._trial = trial
        self._lock = threading.Lock()
        self._away = False
        self._closed_until = 0.0
        self._answered_at = 0.0

    @property
    def is_known(self) -> bool:
        """Whether the last try failed."""
        return self._away

    def enter(self) -> float:
        """The moment a try begins, for `failed`. Raises `psycopg.OperationalError` while the server is away."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                raise psycopg.OperationalError("PostgreSQL is away; it was tried a moment ago")
            if self._away:
                self._closed_until = now + self._trial
            return now

    def failed(self, began: float) -> None:
        """A try that began then got no answer. It says nothing of the server when somebody else got one since."""
        with self._lock:
            if began >= self._answered_at:
                self._away = True
                self._closed_until = time.monotonic() + self._rest

    def answered(self) -> None:
        """The server answered."""
        with self._lock:
            self._away = False
            self._closed_until = 0.0
            self._answered_at = time.monotonic()


outage = Outage()
"""Of the one PostgreSQL that a process works with."""


class BoundedConnection(psycopg.Connection[Row]):
    """psycopg's connection, with waits that end in `psycopg.OperationalError`."""

    def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:
        began, bound = time.monotonic(), _bound()
        try:
            return super().wait(gen, interval, bound if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:  # the caller's own limit, such as the one of `notifies`
                raise
            self.close()
            raise _unanswered(began, bound) from None


class BoundedAsyncConnection(psycopg.AsyncConnection[Row]):
    """The same for an event loop."""

    async def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:  # noqa: ASYNC109
        began, bound = time.monotonic(), _bound()
        try:
            return await super().wait(gen, interval, bound if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            await self.close()
            raise _unanswered(began, bound) from None


def _bound() -> float | None:
    chosen = _chosen.get()
    return _standard if chosen is None else chosen


def _unanswered(began: float, bound: float | None) -> psycopg.OperationalError:
    outage.failed(began)
    return psycopg.OperationalError(f"PostgreSQL did not answer within {bound} s; the connection was closed")
