"""The relay: moves outbox rows to RabbitMQ in order per aggregate, with confirms, and forgets them after a while.

Any number of relays share the shards, so each aggregate's messages go through one of them at a time. Rows are marked
only after the broker confirmed them: a relay killed in between sends twice, and the inbox drops the second.

What is pending is always read as a whole (`published_at IS NULL`), never from some id on: ids are given out before they
commit, and whoever reads on from the last one he saw loses those that commit late.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg.rows import namedtuple_row

from ochaq_shared import failpoints
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Publisher, PublishingBlocked
from ochaq_shared.health import Health
from ochaq_shared.outbox import WAKE_CHANNEL
from ochaq_shared.outbox_lag import Lag
from ochaq_shared.outbox_partitions import maintain
from ochaq_shared.outbox_rows import COLUMNS, message
from ochaq_shared.postgres import BoundedConnection, patience
from ochaq_shared.relay_shards import Shards
from ochaq_shared.telemetry import EVENTS_PUBLISHED, stories

log = structlog.get_logger(__name__)

BATCH = 200
# Nobody has to wake a relay: it looks by itself, often after there was something, seldom when there was nothing.
POLL_SECONDS = (0.05, 0.5)
BACKOFF_SECONDS = 2.5
PATIENCE_SECONDS = 30.0
MAINTAIN_SECONDS = 3600.0
MEASURE_SECONDS = 5.0

# No row locks: the shard's lock already makes these rows ours. No sorting of a whole backlog, whatever the planner
# thinks of it. And a server that notices within seconds when this machine is gone, so that others get its shards.
_SESSION = """
SET statement_timeout = '10s'; SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
SET work_mem = '32MB'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;
SET client_connection_check_interval = '1s'
"""
# A message that could not be published holds back those of its subject until its next try, not those of its shard.
_PICK = f"""
SELECT {COLUMNS}
FROM outbox o
WHERE o.published_at IS NULL AND o.shard = ANY(%s)
  AND o.subject NOT IN (SELECT p.subject FROM outbox p
                        WHERE p.published_at IS NULL AND p.next_at IS NOT NULL AND p.next_at > now())
ORDER BY o.lane, o.id
LIMIT %s
"""  # noqa: S608 - constants
# The times only tell the planner which daily partitions these ids are in.
_MARK = """
UPDATE outbox SET published_at = clock_timestamp()
WHERE id = ANY(%s::bigint[]) AND created_at BETWEEN %s AND %s AND published_at IS NULL
"""
_PARK = """
UPDATE outbox
SET attempts = attempts + 1, last_error = %s, next_at = now() + least(attempts + 1, 60) * interval '1 second'
WHERE id = %s AND created_at = %s
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
        self._lag = Lag(self.service)
        self._connection: psycopg.Connection[Any] | None = None
        self._maintained = self._measured = -1e9
        self._poll = POLL_SECONDS[0]
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
                # A frozen server keeps its sockets: only the client's own clock ends a wait for it.
                with patience(PATIENCE_SECONDS):
                    self._session()
                failures = 0
            except (psycopg.Error, BrokerUnavailable) as error:
                failures = failures + 1 if self._publisher.blocked or not self._worked else 1
                log.warning("relay.interrupted", error=f"{type(error).__name__}: {error}")
                self._stand_back(broker=isinstance(error, BrokerUnavailable))
                self.stopping.wait(min(BACKOFF_SECONDS, 0.1 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._drop_connection()
        self._publisher.close()

    def _session(self) -> None:
        """Work until something fails or we are stopped."""
        self._worked = False
        connection = self._open()
        self._housekeeping(connection)
        self._publisher.open()
        while not self.stopping.is_set():
            self.health.beat()
            self._housekeeping(connection)
            shards = self._shards.balanced()
            if not shards or not self._relay_batch(connection, shards):
                self._rest(connection)
            self._worked = True

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            connection = BoundedConnection.connect(
                self.database_url,
                autocommit=True,
                connect_timeout=5,
                row_factory=namedtuple_row,
                prepare_threshold=1,
                keepalives_idle=10,
                application_name="ochaq-relay",
            )
            connection.execute(_SESSION)
            connection.execute(f"LISTEN {WAKE_CHANNEL}")
            self._connection, self._shards = connection, Shards(connection)
        return self._connection

    def _stand_back(self, *, broker: bool) -> None:
        """Leave the shards to relays that can work; the database stays at hand for measuring while it answers."""
        try:
            if broker and self._connection is not None and not self._connection.closed:
                self._shards.release()
                return
        except psycopg.Error as error:
            log.warning("relay.interrupted", error=f"{type(error).__name__}: {error}")
        self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _relay_batch(self, connection: psycopg.Connection[Any], shards: Sequence[int]) -> bool:
        """Publish one batch; True when there is surely more."""
        rows = connection.execute(_PICK, (list(shards), BATCH)).fetchall()
        if not rows:
            return False
        self._poll = POLL_SECONDS[0]
        verdicts = self._publish(rows)
        failpoints.hit("relay.published")
        sent = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict is None]
        if sent:
            times = [row.created_at for row in sent]
            connection.execute(_MARK, ([row.id for row in sent], min(times), max(times)))
        for row, verdict in zip(rows, verdicts, strict=True):
            if verdict is not None:
                connection.execute(_PARK, (verdict, row.id, row.created_at))
        failpoints.hit("relay.marked")
        for lane, count in Counter(row.lane for row in sent).items():
            EVENTS_PUBLISHED.labels(self.service, str(lane)).inc(count)
        told = stories(row.story for row in sent)
        log.info("relay.sent", messages=len(sent), parked=len(rows) - len(sent), request_ids=told)
        return len(rows) == BATCH

    def _publish(self, rows: Sequence[Any]) -> list[str | None]:
        """Publish a batch; in a test of what consumers bear, out of order or several times over."""
        copies, window = failpoints.value("relay.duplicate", 1), failpoints.value("relay.shuffle", 1)
        order = [index for index in range(len(rows)) for _ in range(copies)]
        if window > 1:
            order = [index for start in range(0, len(order), window) for index in _mixed(order[start : start + window])]
        messages = [message(row) for row in rows]
        verdicts = self._publisher.publish([messages[index] for index in order])
        told = dict(zip(order, verdicts, strict=True))
        return [told[index] for index in range(len(rows))]

    def _rest(self, connection: psycopg.Connection[Any]) -> None:
        """Sleep until somebody commits something, or for the poll that is the truth."""
        self._publisher.tick()
        if not self._publisher.connected:
            raise BrokerUnavailable("the connection to RabbitMQ was lost")
        for _ in connection.notifies(timeout=self._poll, stop_after=1):
            return
        self._poll = min(self._poll * 2, POLL_SECONDS[1])

    def _housekeeping(self, connection: psycopg.Connection[Any]) -> None:
        now = time.monotonic()
        if now - self._maintained > MAINTAIN_SECONDS:
            # Noted before it is done: a partition that cannot be made now must not keep messages from leaving.
            self._maintained = now
            maintain(connection)
        if now - self._measured > MEASURE_SECONDS:
            self._lag.measure(connection)
            self._measured = now

    def _check_postgres(self) -> None:
        if self._connection is None or self._connection.closed:
            raise ConnectionError("not connected")

    def _check_rabbitmq(self) -> None:
        if self._publisher.blocked:
            raise PublishingBlocked("RabbitMQ has an alarm")
        if not self._publisher.connected:
            raise BrokerUnavailable("not connected")


def _mixed(indexes: list[int]) -> list[int]:
    return random.sample(indexes, len(indexes))
