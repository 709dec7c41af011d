"""Handling each event once: the inbox row and the effect are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import structlog

from ochaq_shared.bus.delivery import Delivery, Outcome, explain
from ochaq_shared.bus.versions import Ordered
from ochaq_shared.database import execute
from ochaq_shared.events.base import CloudEvent, Fact, UnknownEvent
from ochaq_shared.telemetry import bind_request
from ochaq_shared.unavailable import Unavailable

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5
KEEP_DAYS = 14

Handler = Callable[[CloudEvent, Any], None]


class UnitOfWork(Protocol):
    """A service's way to open a transaction, and a savepoint inside it."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Yields the connection; commits when the block ends well."""

    def savepoint(self, connection: Any) -> AbstractContextManager[Any]:
        """Rolls back to its start when the block raises."""


# A row that a counted failure left behind is not a duplicate: it is handled again, and its attempts grow. Plain
# DO NOTHING would make the redelivery look handled and lose the effect.
_CLAIM = """
INSERT INTO inbox AS i (consumer, source, event_id)
SELECT %s, s, e FROM unnest(%s::text[], %s::uuid[]) AS new(s, e)
ON CONFLICT (consumer, source, event_id) DO UPDATE SET attempts = i.attempts + 1 WHERE i.done_at IS NULL
RETURNING event_id::text, attempts
"""
_DONE = "UPDATE inbox SET done_at = now(), error = NULL WHERE consumer = %s AND event_id = ANY(%s::uuid[])"
_FAILED = "UPDATE inbox SET error = %s WHERE consumer = %s AND event_id = %s::uuid"
_UNCOUNT = "UPDATE inbox SET attempts = attempts - 1, error = %s WHERE consumer = %s AND event_id = %s::uuid"
_ANEW = """
UPDATE inbox SET attempts = 0, error = NULL
WHERE consumer = %s AND event_id = ANY(%s::uuid[]) AND done_at IS NULL
"""

# How the database API (PEP 249) names a database that is away, restarting or out of room; every driver follows it.
_OUTAGES = frozenset({"OperationalError", "InterfaceError"})


class InboxProcessor:
    """Runs one handler per fact type inside the inbox's transaction.

    A batch is tried as a whole; when any of its events fails, that is undone and each runs in a savepoint of its own.
    So the failing event is counted and waits in a retry queue while its neighbours go on, and batches without failure,
    nearly all, do not pay for savepoints (docs/decisions/0014). After `MAX_ATTEMPTS` tries an event is dead. Facts
    nobody handles are marked done.
    """

    def __init__(self, consumer: str, unit_of_work: UnitOfWork, handlers: Mapping[type[Fact], Handler]) -> None:
        self._consumer = consumer
        self._work = unit_of_work
        self._handlers = dict(handlers)

    def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per delivery, in order. Raises when the database is away: then nothing was handled."""
        try:
            return self._together(deliveries)
        except Exception as error:
            if _is_outage(error):
                raise
            # Something in the batch breaks the transaction itself: a check at its commit, an id that is none.
            if len(deliveries) > 1:
                return [self.process([delivery])[0] for delivery in deliveries]
            return [self._count_failure(deliveries[0], error)]

    def _together(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        unique = {delivery.event.id: delivery for delivery in deliveries}
        with self._work.transaction() as connection:
            attempts = self._claim(connection, list(unique.values()))
            # Claimed nowhere: handled before, so it is over.
            fresh = [delivery.event for event_id, delivery in unique.items() if event_id in attempts]
            outcomes = self._handle(connection, fresh, attempts)
            done = [event_id for event_id, outcome in outcomes.items() if outcome.acked]
            if done:
                execute(connection, _DONE, (self._consumer, done))
        return [outcomes.get(delivery.event.id, Outcome.handled()) for delivery in deliveries]

    def _claim(self, connection: Any, deliveries: Sequence[Delivery]) -> dict[str, int]:
        anew = [delivery.event.id for delivery in deliveries if delivery.replayed]
        if anew:
            execute(connection, _ANEW, (self._consumer, anew))
        sources = [delivery.event.source for delivery in deliveries]
        ids = [delivery.event.id for delivery in deliveries]
        return dict(execute(connection, _CLAIM, (self._consumer, sources, ids)).fetchall())

    def _handle(self, connection: Any, events: Sequence[CloudEvent], attempts: Mapping[str, int]) -> dict[str, Outcome]:
        if len(events) > 1 and self._all_succeed(connection, events, attempts):
            return {event.id: Outcome.handled() for event in events}
        return {event.id: self._handle_one(connection, event, attempts[event.id]) for event in events}

    def _all_succeed(self, connection: Any, events: Sequence[CloudEvent], attempts: Mapping[str, int]) -> bool:
        """Handle all of them or none; which one failed, and how, is found out by handling each alone."""
        try:
            with self._work.savepoint(connection):
                for event in events:
                    self._run(connection, event, attempts[event.id])
        except Exception as error:
            log.info("events.one_by_one", events=len(events), error=type(error).__name__)
            return False
        return True

    def _handle_one(self, connection: Any, event: CloudEvent, attempts: int) -> Outcome:
        try:
            with self._work.savepoint(connection):
                self._run(connection, event, attempts)
        except Exception as error:  # any failure of one event must leave its neighbours alone
            return self._failed(connection, event, attempts, error)
        return Outcome.handled()

    def _run(self, connection: Any, event: CloudEvent, attempts: int) -> None:
        with bind_request(event.requestid, event.traceparent, event_id=event.id, event_type=event.type):
            what = event.fact()
            handler = self._handlers.get(type(what))
            if isinstance(handler, Ordered):
                handler.in_turn(connection, self._consumer, event, what, last_try=attempts >= MAX_ATTEMPTS)
            elif handler is not None:
                handler(event, what)

    def _failed(self, connection: Any, event: CloudEvent, attempts: int, error: Exception) -> Outcome:
        with bind_request(event.requestid, event.traceparent, event_id=event.id, event_type=event.type):
            log.warning("event.failed", attempts=attempts, exc_info=error)
        told = explain(error)
        postponed = isinstance(error, Unavailable)
        # NUL has no place in PostgreSQL's text.
        execute(connection, _UNCOUNT if postponed else _FAILED, (told.replace("\0", ""), self._consumer, event.id))
        if postponed:
            return Outcome.postponed(told, attempts)
        if isinstance(error, UnknownEvent):
            return Outcome.hopeless(told, attempts)
        return Outcome.failed(told, attempts, MAX_ATTEMPTS)

    def _count_failure(self, delivery: Delivery, error: Exception) -> Outcome:
        try:
            with self._work.transaction() as connection:
                attempts = self._claim(connection, [delivery]).get(delivery.event.id)
                if attempts is None:
                    return Outcome.handled()
                return self._failed(connection, delivery.event, attempts, error)
        except Exception as second:
            if _is_outage(second):
                raise
            # Not even its try can be noted.
            return Outcome.hopeless(explain(error), delivery.attempts)


def _is_outage(error: Exception) -> bool:
    return any(kind.__name__ in _OUTAGES for kind in type(error).__mro__)


def sweep(connection: Any) -> None:
    """Forget handled events older than the outbox's replay window."""
    execute(connection, "DELETE FROM inbox WHERE received_at < now() - %s * interval '1 day'", (KEEP_DAYS,))
