"""The relay: moves outbox rows to RabbitMQ in order per aggregate, with confirms, and forgets them after a while.

Each relay holds session-level advisory locks on some of the shards, so any number of relays may run and each
aggregate's messages go through one of them at a time. Rows are marked only after the broker confirmed them: a relay
killed in between sends twice, and the inbox drops the second.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import structlog
from prometheus_client import Gauge
from psycopg.rows import namedtuple_row

from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.health import Health
from ochaq_shared.outbox import SHARDS, WAKE_CHANNEL
from ochaq_shared.outbox_partitions import maintain
from ochaq_shared.telemetry import EVENTS_PUBLISHED, stories

log = structlog.get_logger(__name__)

BATCH = 200
POLL_SECONDS = 0.5
MAINTAIN_SECONDS = 3600.0
MEASURE_SECONDS = 5.0
LOCK_CLASS = 717

OLDEST = Gauge("ochaq_outbox_oldest_seconds", "Age of the oldest message that is not yet published", ["service"])
PENDING = Gauge("ochaq_outbox_pending", "Messages that are not yet published", ["service"])

# A message that could not be published parks the later ones of its subject, not its shard.
_PICK = """
SELECT o.id, o.created_at, o.event_id::text AS event_id, o.type, o.lane, o.exchange, o.routing_key, o.headers, o.body
FROM outbox o
WHERE o.published_at IS NULL AND o.shard = ANY(%s) AND (o.next_at IS NULL OR o.next_at <= now())
  AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.subject = o.subject AND p.id < o.id
                  AND p.published_at IS NULL AND p.next_at > now())
ORDER BY o.lane, o.id
LIMIT %s
FOR UPDATE OF o SKIP LOCKED
"""
_MARK = """
UPDATE outbox o SET published_at = clock_timestamp()
FROM unnest(%s::bigint[], %s::timestamptz[]) AS done(id, created_at)
WHERE o.id = done.id AND o.created_at = done.created_at
"""
_PARK = """
UPDATE outbox
SET attempts = attempts + 1, last_error = %s, next_at = now() + least(attempts + 1, 60) * interval '1 second'
WHERE id = %s AND created_at = %s
"""
_LAG = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM outbox WHERE published_at IS NULL
"""


@dataclass
class Relay:
    """One relay process of one service's outbox."""

    service: str
    database_url: str
    amqp_url: str
    health: Health

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self._publisher = Publisher(self.amqp_url)
        self._connection: psycopg.Connection[Any] | None = None
        self._maintained = self._measured = -1e9
        self.health.check("postgres", self._check_postgres)
        self.health.check("rabbitmq", self._check_rabbitmq)

    def stop(self) -> None:
        """Ask `run` to return after the batch in hand."""
        self.stopping.set()

    def run(self) -> None:
        """Relay until stopped, reconnecting with capped, jittered backoff."""
        failures = 0
        while not self.stopping.is_set():
            self.health.beat()
            try:
                self._session()
                failures = 0
            except (psycopg.Error, BrokerUnavailable) as error:
                failures += 1
                log.warning("relay.interrupted", error=f"{type(error).__name__}: {error}")
                self._drop_connection()
                self.stopping.wait(min(5.0, 0.1 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._drop_connection()
        self._publisher.close()

    def _session(self) -> None:
        """Work until something fails or we are stopped."""
        connection = self._open()
        self._publisher.open()
        while not self.stopping.is_set():
            self.health.beat()
            self._housekeeping(connection)
            shards = self._hold_shards(connection)
            if not shards or not self._relay_batch(connection, shards):
                self._rest(connection)

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            # Keepalives let PostgreSQL notice a lost host and free our shards.
            connection = psycopg.connect(
                self.database_url, autocommit=True, connect_timeout=5, row_factory=namedtuple_row, keepalives_idle=10
            )
            connection.execute("SET statement_timeout = '10s'")
            connection.execute(f"LISTEN {WAKE_CHANNEL}")
            self._connection = connection
            self._held: set[int] = set()
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _hold_shards(self, connection: psycopg.Connection[Any]) -> list[int]:
        """Our shards. Missing ones are tried for again, so that a dead relay's shards are taken over."""
        missing = [shard for shard in range(SHARDS) if shard not in self._held]
        if missing:
            sql = "SELECT s FROM unnest(%s::int[]) AS s WHERE pg_try_advisory_lock(%s, s)"
            self._held.update(row[0] for row in connection.execute(sql, (missing, LOCK_CLASS)).fetchall())
        return sorted(self._held)

    def _relay_batch(self, connection: psycopg.Connection[Any], shards: Sequence[int]) -> bool:
        """Publish one batch; True when there may be more."""
        with connection.transaction():
            rows = connection.execute(_PICK, (list(shards), BATCH)).fetchall()
            if not rows:
                return False
            verdicts = self._publisher.publish([_message(row) for row in rows])
            sent = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict is None]
            connection.execute(_MARK, ([row.id for row in sent], [row.created_at for row in sent]))
            for row, verdict in zip(rows, verdicts, strict=True):
                if verdict is not None:
                    connection.execute(_PARK, (verdict, row.id, row.created_at))
        for row in sent:
            EVENTS_PUBLISHED.labels(self.service, str(row.lane)).inc()
        log.info("relay.sent", messages=len(sent), parked=len(rows) - len(sent), request_ids=stories(map(_story, sent)))
        return True

    def _rest(self, connection: psycopg.Connection[Any]) -> None:
        """Sleep until somebody commits something, or for the poll that is the truth."""
        self._publisher.tick()
        if not self._publisher.connected:
            raise BrokerUnavailable("the connection to RabbitMQ was lost")
        for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
            return

    def _housekeeping(self, connection: psycopg.Connection[Any]) -> None:
        now = time.monotonic()
        if now - self._maintained > MAINTAIN_SECONDS:
            maintain(connection)
            self._maintained = now
        if now - self._measured > MEASURE_SECONDS:
            pending, oldest = connection.execute(_LAG).fetchone() or (0, 0.0)
            PENDING.labels(self.service).set(pending)
            OLDEST.labels(self.service).set(oldest)
            self._measured = now

    def _check_postgres(self) -> None:
        if self._connection is None or self._connection.closed:
            raise ConnectionError("not connected")

    def _check_rabbitmq(self) -> None:
        if not self._publisher.connected or self._publisher.blocked:
            raise BrokerUnavailable("blocked" if self._publisher.blocked else "not connected")


def _story(row: Any) -> str:
    """The request id that a message carries: an event in its envelope, a command in its headers."""
    envelope = row.body if isinstance(row.body, dict) else {}
    return str(envelope.get("requestid") or row.headers.get("ochaq_request_id") or "")


def _message(row: Any) -> Message:
    return Message(row.event_id, row.exchange, row.routing_key, orjson.dumps(row.body), row.headers, row.type)
