"""The layer around Django that answers `/livez`, `/readyz` and `/metrics` without touching it."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from io import BytesIO
from typing import Any

import orjson
import redis
from ochaq_shared.health import Answer, Health
from ochaq_shared.postgres import BoundedConnection, outage, patience
from ochaq_shared.problems import CONTENT_TYPE, Problem

from ochaq_web.config.environment import environment
from ochaq_web.core.postgres.absence import absence

# The gateway sends lengths; only other services stream to us, and none of them sends more than this at once.
MOST_BYTES = 32 * 1024 * 1024

# What one answer of PostgreSQL may take: the gateway gives the identity exchange five seconds in all.
REQUEST_WAITS = 4.5
# Batches and purges work on many rows in one statement, and nobody sits before a screen for them.
BULK_WAITS = 30.0
BULK = "/internal/v1/students/"

# How long a request waits for its turn before it asks whether the database is there at all.
TURN_SECONDS = 1.0
CHECK_SECONDS = 1.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Serving:
    """Health endpoints first, Django behind, which answers only so many requests at a time."""

    def __init__(self, application: Application, health: Health | None = None, at_once: int | None = None) -> None:
        self.application = application
        self.health = health or health_of("serve")
        self._turns = threading.Semaphore(at_once or environment().web_threads)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.health.answer(f"{environ.get('PATH_INFO', '/')}?{environ.get('QUERY_STRING', '')}")
        if answer is None and _is_chunked(environ):
            answer = _give_length(environ)
        if answer is None:
            return self._ask(environ, start_response)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]

    def _ask(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        done = self._turns.release if self._take_turn() else _nothing
        bulk = environ.get("PATH_INFO", "").startswith(BULK)
        try:
            with patience(BULK_WAITS if bulk else REQUEST_WAITS):
                response = self.application(environ, start_response)
        except BaseException:
            done()
            raise
        if getattr(response, "streaming", False):
            return _Held(response, done)
        done()
        return response

    def _take_turn(self) -> bool:
        """Wait for a free place, but not behind those who wait for a database that does not answer.

        Who goes on without one finds the database known to be away and is answered 503 at once, if he needs it at all.
        """
        while not self._turns.acquire(timeout=0 if outage.is_known else TURN_SECONDS):
            if outage.is_known:
                return False
            began = time.monotonic()
            if not self.health.report()["ready"]:
                outage.failed(began)
                return False
        return True


def _nothing() -> None:
    """What is left to do for a request that holds no turn."""


class _Held:
    """A stream that keeps its turn until the server is done with it: it holds a database connection all the time."""

    def __init__(self, response: Iterable[bytes], done: Callable[[], None]) -> None:
        self._response = response
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        """Called by the server at the end of every answer, however it ended (PEP 3333)."""
        done, self._done = self._done, _nothing
        try:
            getattr(self._response, "close", _nothing)()
        finally:
            done()


def _is_chunked(environ: dict[str, Any]) -> bool:
    return not environ.get("CONTENT_LENGTH") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def _give_length(environ: dict[str, Any]) -> Answer | None:
    """Read a body of unknown length, because Django takes one without Content-Length for empty. None, or a refusal."""
    body = BytesIO()
    size, source = 0, environ["wsgi.input"]
    while piece := source.read(65_536):
        size += len(piece)
        if size > MOST_BYTES:
            return Answer(413, CONTENT_TYPE, orjson.dumps(Problem("too_large").body("")))
        body.write(piece)
    body.seek(0)
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = body, str(size)
    return None


def die_with_parent() -> None:
    """Have the kernel end this worker when granian's parent process is killed, or it would go on holding the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def health_of(process: str, *, stall_after: float | None = None) -> Health:
    """The health of one of this service's processes: PostgreSQL is critical, without Redis it is only slower."""
    health = Health("web", process, stall_after=stall_after)
    health.check("database", check_database)
    health.check("redis", check_redis, critical=False)
    return health


def check_database() -> None:
    # A connection of its own: a probe must see the server, not a pooled connection that may hide its absence.
    with (
        absence.noted(),
        patience(CHECK_SECONDS),
        BoundedConnection.connect(environment().database_url, connect_timeout=2, autocommit=True) as connection,
    ):
        connection.execute("SELECT 1")


def check_redis() -> None:
    with redis.Redis.from_url(environment().redis_url, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
        client.ping()
