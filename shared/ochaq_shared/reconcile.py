"""Sending again what a queue lost: purged, deleted, or gone with its broker's disk.

Every event that was published a while ago must have a receipt of each queue that is bound to its type. What has none
is sent once more, straight to that queue, and dropped there by the inbox if it had been handled after all. A queue in
which messages wait is behind, not robbed: then nothing is sent, and its place is kept. Why: docs/decisions/0010.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter
from psycopg.rows import namedtuple_row

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.bus.publisher import Publisher
from ochaq_shared.outbox import EVENTS_EXCHANGE
from ochaq_shared.outbox_rows import COLUMNS, message_again
from ochaq_shared.receipts import Receipts
from ochaq_shared.telemetry import stories

log = structlog.get_logger(__name__)

AFTER_SECONDS = 300.0
EVERY_SECONDS = 30.0
TRIES = 3
CHUNK = 1000
BATCH = 200
LOCK_CLASS = 719

RESENT = Counter("ochaq_events_resent_total", "Events sent again because a queue had lost them", ["service", "queue"])

_STATE = """
SELECT checked_until AS since, clock_timestamp() - %s * interval '1 second' AS until
FROM outbox_reconciled WHERE queue = %s
"""
_BEGIN = "INSERT INTO outbox_reconciled (queue) VALUES (%s) ON CONFLICT DO NOTHING"
_ADVANCE = "UPDATE outbox_reconciled SET checked_until = %s WHERE queue = %s"
_DUE = "SELECT id, since, until, tries FROM outbox_resent WHERE queue = %s AND look_at <= clock_timestamp() ORDER BY id"
_REMEMBER = """
INSERT INTO outbox_resent (queue, since, until, look_at)
VALUES (%s, %s, %s, clock_timestamp() + %s * interval '1 second')
"""
_AGAIN = """
UPDATE outbox_resent
SET since = %s, tries = tries + 1, look_at = clock_timestamp() + %s * interval '1 second' WHERE id = %s
"""
_FORGET = "DELETE FROM outbox_resent WHERE id = %s"
_PUBLISHED = """
SELECT o.id, o.created_at, o.published_at, o.event_id::text AS event_id FROM outbox o
WHERE o.published_at >= %s AND o.published_at < %s AND o.exchange = %s AND '.' || o.routing_key ~ %s
ORDER BY o.published_at, o.id
"""
_ROWS = f"""
SELECT {COLUMNS} FROM outbox o WHERE o.id = ANY(%s::bigint[]) AND o.created_at BETWEEN %s AND %s ORDER BY o.id
"""  # noqa: S608 - constants


@dataclass
class _Found:
    """What one look at a queue found: the time of the first event without a receipt, and how many were sent again."""

    first: datetime | None = None
    resent: int = 0
    behind: bool = False


@dataclass(frozen=True)
class _Round:
    """What one round works with."""

    connection: Any
    receipts: Receipts
    publisher: Publisher

    def rows(self, sql: str, *params: Any) -> list[Any]:
        return self.connection.cursor(row_factory=namedtuple_row).execute(sql, params).fetchall()  # type: ignore[no-any-return]


class Reconciler:
    """One relay process's reconciler, in a thread of its own. Of several, one looks after a queue at a time.

    `after`: the age in seconds at which an event should have been handled.
    """

    def __init__(
        self, service: str, database_url: str, amqp_url: str, redis_url: str, *, after: float = AFTER_SECONDS
    ) -> None:
        self._service = service
        self._database_url = database_url
        self._amqp_url = amqp_url
        self._redis_url = redis_url
        self._after = after
        self._every = min(EVERY_SECONDS, after)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after the batch in hand."""
        self._stopping.set()

    def join(self, timeout: float = 10) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def round(self) -> int:
        """Look after every queue of events once; how many events were sent again. Raises what its servers raise."""
        receipts, publisher = Receipts(self._redis_url), Publisher(self._amqp_url)
        options: dict[str, Any] = {"connect_timeout": 5, "application_name": "ochaq-reconciler"}
        with (
            closing(receipts),
            closing(publisher),
            closing(psycopg.connect(self._database_url, autocommit=True, **options)) as connection,
        ):
            connection.execute("SET statement_timeout = '30s'")
            queues = [queue for queue in topology.QUEUES if queue.exchange == EVENTS_EXCHANGE]
            now = _Round(connection, receipts, publisher)
            return sum(self._look_after(now, queue) for queue in queues)

    def _run(self) -> None:
        # The first round at once: a queue is looked after from then on, and what it loses before that is not noticed.
        while True:
            try:
                self.round()
            except (
                Exception
            ) as error:  # one of three servers is away, or came back: the next round begins where this did
                log.warning("relay.reconcile_failed", error=f"{type(error).__name__}: {error}")
            if self._stopping.wait(self._every * random.uniform(0.8, 1.0)):  # noqa: S311 - jitter
                return

    def _look_after(self, now: _Round, queue: topology.Queue) -> int:
        if not _one(now.connection, "SELECT pg_try_advisory_lock(%s, hashtext(%s))", LOCK_CLASS, queue.name):
            return 0
        try:
            states = now.rows(_STATE, self._after, queue.name)
            if not states:
                # From now on: a queue that is new here gets what was before it by `ochaq outbox replay`.
                now.connection.execute(_BEGIN, (queue.name,))
                return 0
            again = sum(self._look_again(now, queue, stretch) for stretch in now.rows(_DUE, queue.name))
            return again + self._look_further(now, queue, states[0])
        finally:
            now.connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (LOCK_CLASS, queue.name))

    def _look_further(self, now: _Round, queue: topology.Queue, state: Any) -> int:
        """At what has grown old enough since the last round."""
        if state.until <= state.since:
            return 0
        found = self._send_missing(now, queue, state)
        if found.behind:
            now.connection.execute(_ADVANCE, (found.first, queue.name))
            return 0
        with now.connection.transaction():
            if found.first is not None:
                now.connection.execute(_REMEMBER, (queue.name, found.first, state.until, self._after))
            now.connection.execute(_ADVANCE, (state.until, queue.name))
        return found.resent

    def _look_again(self, now: _Round, queue: topology.Queue, stretch: Any) -> int:
        """At what was sent again, for the queue may have been lost a second time; but not for ever: a consumer that
        gives no receipts would get everything every few minutes."""
        found = self._send_missing(now, queue, stretch, send=stretch.tries < TRIES)
        if found.behind:
            return 0
        if found.resent:
            now.connection.execute(_AGAIN, (found.first, self._after, stretch.id))
            return found.resent
        if found.first is not None:
            since = found.first.isoformat()
            log.error("relay.resend_given_up", queue=queue.name, since=since, tries=stretch.tries)
        now.connection.execute(_FORGET, (stretch.id,))
        return 0

    def _send_missing(self, now: _Round, queue: topology.Queue, stretch: Any, *, send: bool = True) -> _Found:
        """Sends again what was published in `stretch` (since, until) and has no receipt; without `send` only looks."""
        found = _Found()
        bounds = (stretch.since, stretch.until, EVENTS_EXCHANGE, pattern(queue.bindings))
        for rows in _chunks(now.connection, _PUBLISHED, bounds):
            unknown = set(now.receipts.missing(queue.name, [row.event_id for row in rows]))
            missing = [row for row in rows if row.event_id in unknown]
            if missing and found.first is None:
                found.first = missing[0].published_at
                found.behind = self._is_behind(now.publisher, queue)
            if found.behind or (missing and not send):
                return found
            for start in range(0, len(missing), BATCH):
                found.resent += self._send(now, queue, missing[start : start + BATCH])
                if self._stopping.is_set():
                    return found
        return found

    def _is_behind(self, publisher: Publisher, queue: topology.Queue) -> bool:
        publisher.open()  # declares the queue if it is not there: then nothing waits in it
        connection = connect(self._amqp_url)
        try:
            channel = connection.channel()
            return any(topology.depth(channel, name)[0] > 0 for name in (queue.name, queue.alone))
        finally:
            close(connection)

    def _send(self, now: _Round, queue: topology.Queue, missing: Sequence[Any]) -> int:
        times = [row.created_at for row in missing]
        rows = now.rows(_ROWS, [row.id for row in missing], min(times), max(times))
        verdicts = now.publisher.publish([message_again(row, queue.name) for row in rows])
        refused = next(filter(None, verdicts), None)
        if refused:
            raise BrokerUnavailable(f"an event could not be sent again to {queue.name}: {refused}")
        RESENT.labels(self._service, queue.name).inc(len(rows))
        told = stories(row.story for row in rows)
        log.warning("relay.resent", queue=queue.name, events=len(rows), request_ids=told)
        return len(rows)


def pattern(bindings: Sequence[str]) -> str:
    """A regular expression for the keys that a topic exchange routes by these bindings, each with a dot before it."""
    return f"^({'|'.join(_binding(binding) for binding in bindings)})$"


def _binding(binding: str) -> str:
    words = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    return "".join(words.get(word, rf"\.{re.escape(word)}") for word in binding.split("."))


def _chunks(connection: Any, sql: str, params: tuple[Any, ...]) -> Iterator[list[Any]]:
    """Rows of a statement, `CHUNK` at a time, held by the server: a lost queue may have been a long one."""
    with connection.transaction(), connection.cursor(name="reconcile", row_factory=namedtuple_row) as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(CHUNK):
            yield rows


def _one(connection: Any, sql: str, *params: Any) -> Any:
    return connection.execute(sql, params).fetchone()[0]
