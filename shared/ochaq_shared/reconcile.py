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
SELECT checked_until, tries, next_at <= clock_timestamp() AS due,
       clock_timestamp() - %s * interval '1 second' AS until
FROM outbox_reconciled WHERE queue = %s
"""
_BEGIN = "INSERT INTO outbox_reconciled (queue) VALUES (%s) ON CONFLICT DO NOTHING"
_SAVE = """
UPDATE outbox_reconciled
SET checked_until = %s, tries = %s, next_at = clock_timestamp() + %s * interval '1 second' WHERE queue = %s
"""
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
            return sum(self._look_after(connection, receipts, publisher, queue) for queue in queues)

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

    def _look_after(self, connection: Any, receipts: Receipts, publisher: Publisher, queue: topology.Queue) -> int:
        if not _one(connection, "SELECT pg_try_advisory_lock(%s, hashtext(%s))", LOCK_CLASS, queue.name):
            return 0
        try:
            state = connection.cursor(row_factory=namedtuple_row).execute(_STATE, (self._after, queue.name)).fetchone()
            if state is None:
                # From now on: a queue that is new here gets what was before it by `ochaq outbox replay`.
                connection.execute(_BEGIN, (queue.name,))
                return 0
            if not state.due or state.until <= state.checked_until:
                return 0
            found = self._send_missing(connection, receipts, publisher, queue, state)
            connection.execute(_SAVE, (*self._next(queue, state, found), queue.name))
            return found.resent
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (LOCK_CLASS, queue.name))

    def _next(self, queue: topology.Queue, state: Any, found: _Found) -> tuple[datetime, int, float]:
        """Where to go on, how often that place was tried, and the seconds to wait until then."""
        if found.first is None:
            return state.until, 0, 0.0
        if found.behind:
            return found.first, state.tries, 0.0
        # What was sent again is looked at again, for the queue may be lost a second time; but not for ever: a consumer
        # that gives no receipts would get everything every few minutes.
        tries = state.tries + 1 if found.first == state.checked_until else 1
        if tries < TRIES:
            return found.first, tries, self._after
        log.error("relay.resend_given_up", queue=queue.name, since=found.first.isoformat(), tries=tries)
        return state.until, 0, 0.0

    def _send_missing(
        self, connection: Any, receipts: Receipts, publisher: Publisher, queue: topology.Queue, state: Any
    ) -> _Found:
        found = _Found()
        bounds = (state.checked_until, state.until, EVENTS_EXCHANGE, pattern(queue.bindings))
        for rows in _chunks(connection, _PUBLISHED, bounds):
            unknown = set(receipts.missing(queue.name, [row.event_id for row in rows]))
            missing = [row for row in rows if row.event_id in unknown]
            if missing and found.first is None:
                found.first = missing[0].published_at
                found.behind = self._is_behind(publisher, queue)
            if found.behind:
                return found
            for start in range(0, len(missing), BATCH):
                found.resent += self._send(connection, publisher, queue, missing[start : start + BATCH])
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

    def _send(self, connection: Any, publisher: Publisher, queue: topology.Queue, missing: Sequence[Any]) -> int:
        times = [row.created_at for row in missing]
        values = ([row.id for row in missing], min(times), max(times))
        rows = connection.cursor(row_factory=namedtuple_row).execute(_ROWS, values).fetchall()
        verdicts = publisher.publish([message_again(row, queue.name) for row in rows])
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
