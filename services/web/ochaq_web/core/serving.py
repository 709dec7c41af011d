"""The layer around Django that answers `/livez`, `/readyz` and `/metrics` without touching it."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any

import orjson
import psycopg
import redis
from ochaq_shared.health import Answer, Health
from ochaq_shared.problems import CONTENT_TYPE, Problem

from ochaq_web.config.environment import environment

# The gateway sends lengths; only other services stream to us, and none of them sends more than this at once.
MOST_BYTES = 32 * 1024 * 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Serving:
    """Health endpoints first, Django behind."""

    def __init__(self, application: Application, health: Health | None = None) -> None:
        self.application = application
        self.health = health or health_of("serve")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.health.answer(f"{environ.get('PATH_INFO', '/')}?{environ.get('QUERY_STRING', '')}")
        if answer is None and _is_chunked(environ):
            answer = _give_length(environ)
        if answer is None:
            return self.application(environ, start_response)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]


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
    with psycopg.connect(environment().database_url, connect_timeout=1, autocommit=True) as connection:
        connection.execute("SELECT 1")


def check_redis() -> None:
    with redis.Redis.from_url(environment().redis_url, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
        client.ping()
