"""Looking at every part of the house from outside, in parallel and with short time limits.

Each function answers with what it saw; a part that does not answer is a finding, never an exception.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
import redis
import structlog
from amqp.exceptions import AMQPError, NotFound
from django.db import connection
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect

from ochaq_web.config.environment import environment

log = structlog.get_logger(__name__)

_LAG = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM outbox WHERE published_at IS NULL
"""
TIMEOUT = httpx.Timeout(1.5, connect=0.5)
Result = TypeVar("Result")


def together(*looks: Callable[[], Any]) -> list[Any]:
    """Run looks side by side; they must not use Django's database connection."""
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        return [future.result() for future in [pool.submit(look) for look in looks]]


def processes() -> list[dict[str, Any]]:
    """Each process of the supervisor's list and whether it is ready; empty where there is no such list."""
    path = environment().status_file
    if path is None or not path.exists():
        return []
    try:
        rows = json.loads(path.read_text())
    except ValueError:
        log.warning("ops.status_file_unreadable", path=str(path))
        return []
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_process, rows))


def _process(row: dict[str, Any]) -> dict[str, Any]:
    host, port = str(row.get("host", "127.0.0.1")), int(row["port"])
    if row.get("kind") == "server":
        ready, detail = _accepts(host, port)
    else:
        ready, detail = _answers(
            f"http://{host}:{port}/{'healthz' if row.get('kind') == 'gateway' else 'readyz?verbose'}"
        )
    state = "running" if ready else "not ready"
    return {"name": row["name"], "pid": row.get("pid"), "state": state, "ready": ready, "detail": detail}


def _accepts(host: str, port: int) -> tuple[bool, str]:
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError as error:
        return False, type(error).__name__
    return True, ""


def _answers(url: str) -> tuple[bool, str]:
    try:
        response = httpx.get(url, timeout=TIMEOUT, trust_env=False)
    except httpx.HTTPError as error:
        return False, type(error).__name__
    return response.status_code == 200, _failing(response)


def _failing(response: httpx.Response) -> str:
    """The names of the checks that do not hold."""
    try:
        checks = response.json()["checks"]
        return ", ".join(f"{name}: {check['error']}" for name, check in checks.items() if not check["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def queues() -> list[dict[str, Any]] | dict[str, str]:
    """Ready messages and consumers of every queue, asked of the broker itself; `unacked` needs its management API."""
    try:
        opened = connect(environment().amqp_url)
    except BrokerUnavailable as error:
        return {"error": str(error)}
    names = [*(queue.name for queue in topology.QUEUES), topology.DEAD_QUEUE, topology.UNROUTED_QUEUE]
    try:
        return [_queue(opened, name) for name in names]
    except (OSError, AMQPError) as error:
        return {"error": type(error).__name__}
    finally:
        close(opened)


def _queue(opened: Any, name: str) -> dict[str, Any]:
    # The broker closes the channel on a passive declare of a missing queue, so each gets its own.
    channel = opened.channel()
    try:
        ready, consumers = topology.depth(channel, name)
    except NotFound:
        return {"name": name, "error": "not declared yet", "ready": None, "unacked": None, "consumers": None}
    channel.close()
    return {"name": name, "ready": ready, "unacked": None, "consumers": consumers}


def caches() -> dict[str, Any]:
    """Hits and misses of the Redis server behind the caches."""
    try:
        with redis.Redis.from_url(environment().cache_url, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
            stats: Any = client.info("stats")
    except redis.RedisError as error:
        return {"hits": None, "misses": None, "error": type(error).__name__}
    return {"hits": stats["keyspace_hits"], "misses": stats["keyspace_misses"]}


def outbox() -> dict[str, Any]:
    """How far the relay is behind."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        pending, oldest = cursor.fetchone()
    return {"pending": pending, "oldest_seconds": round(oldest, 1)}
