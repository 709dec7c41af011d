"""Looking at every part of the house from outside, in parallel and with short time limits.

Each function answers with what it saw; a part that does not answer is a finding, never an exception.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import httpx
import redis
import structlog
from amqp.exceptions import AMQPError
from django.db import connection
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from prometheus_client.parser import text_string_to_metric_families

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
    rows = _listed()
    if not rows:
        return []
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_process, rows))


def _listed() -> list[dict[str, Any]]:
    path = environment().status_file
    if path is None or not path.exists():
        return []
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text())
    except ValueError:
        log.warning("ops.status_file_unreadable", path=str(path))
        return []
    return rows


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
        response = _client().get(url)
    except httpx.HTTPError as error:
        return False, type(error).__name__
    return response.status_code == 200, _failing(response)


@cache
def _client() -> httpx.Client:
    """One for all looks: making one reads every certificate of the machine, which takes longer than all answers."""
    return httpx.Client(timeout=TIMEOUT, trust_env=False, headers={"Connection": "close"})


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
        opened = connect(environment().amqp_url, connect_timeout=1, timeout=2)
    except BrokerUnavailable as error:
        return {"error": str(error)}
    try:
        return [_queue(name, found) for name, found in topology.depths(opened).items()]
    except (OSError, AMQPError) as error:
        return {"error": type(error).__name__}
    finally:
        close(opened)


def _queue(name: str, found: tuple[int, int] | None) -> dict[str, Any]:
    row = {"name": name, "sort": _sort(name), "ready": None, "unacked": None, "consumers": None}
    if found is None:
        return {**row, "error": "not declared yet"}
    return {**row, "ready": found[0], "consumers": found[1]}


def _sort(name: str) -> str:
    """What a queue is for: work, waiting between tries, or what nobody handled."""
    if name in topology.RETRY_SECONDS:
        return "retry"
    if name in (topology.DEAD_QUEUE, topology.UNROUTED_QUEUE):
        return "stray"
    return "alone" if name.endswith(".alone") else "work"


def outboxes() -> list[dict[str, Any]]:
    """How far the relays of other services are behind, as they say themselves; ours is asked of our own database."""
    relays = [row for row in _listed() if row["name"].endswith("-relay") and not row["name"].startswith("web-")]
    return [_told_by_relay(row) for row in relays]


def _told_by_relay(row: dict[str, Any]) -> dict[str, Any]:
    service = row["name"].removesuffix("-relay")
    try:
        url = f"http://{row.get('host', '127.0.0.1')}:{row['port']}/metrics"
        text = _client().get(url).raise_for_status().text
    except httpx.HTTPError as error:
        return {"service": service, "pending": None, "oldest_seconds": None, "error": type(error).__name__}
    told = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("ochaq_outbox_")
        for sample in family.samples
    }
    pending, oldest = told.get("ochaq_outbox_pending"), told.get("ochaq_outbox_oldest_seconds")
    return {"service": service, "pending": None if pending is None else int(pending), "oldest_seconds": oldest}


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
    return {"service": "web", "pending": pending, "oldest_seconds": round(oldest, 1)}
