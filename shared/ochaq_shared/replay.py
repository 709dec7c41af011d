"""Publishing a stretch of the past once more, out of the outbox: for a new consumer, or one that lost its own state.

In the order `(txid, id)`, up to the oldest transaction that still runs: then every event of the stretch is there, and
those of one subject come in the order of their commits. Consumers that handled an event before drop it by their inbox
or its version, so a replay may be broken off and begun anew at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Publisher
from ochaq_shared.outbox import EVENTS_EXCHANGE
from ochaq_shared.outbox_partitions import KEEP_DAYS
from ochaq_shared.outbox_rows import COLUMNS, message_again
from ochaq_shared.reconcile import pattern

BATCH = 500

# Commands are not replayed: what was once asked for is not asked for again. What is pending goes out by itself.
_STRETCH = """
FROM outbox o
WHERE o.created_at >= %(since)s AND o.created_at < %(until)s AND o.exchange = %(exchange)s
  AND o.published_at IS NOT NULL AND o.txid {} pg_snapshot_xmin(pg_current_snapshot())
  AND '.' || o.routing_key ~ %(keys)s AND o.type LIKE %(types)s
  AND (o.txid, o.id) > (%(txid)s::xid8, %(id)s)
"""
_COUNT = f"SELECT o.type, count(*) {_STRETCH.format('<')} GROUP BY o.type ORDER BY o.type"
_READ = f"SELECT {COLUMNS}, o.txid::text AS txid {_STRETCH.format('<')} ORDER BY o.txid, o.id"
_HELD_BACK = f"SELECT count(*) {_STRETCH.format('>=')}"


class ReplayRefused(Exception):
    """The stretch cannot be replayed; the text says why."""


class ReplayStopped(Exception):
    """The broker did not take what came after `position`."""

    def __init__(self, position: Position, sent: int, why: str) -> None:
        super().__init__(f"{sent} events were sent, up to {position}; then: {why}")
        self.position, self.sent = position, sent


@dataclass(frozen=True)
class Position:
    """A place in the order of a replay, written `txid:id`."""

    txid: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.txid}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError for what is no position."""
        txid, id_ = text.split(":")
        return cls(int(txid), int(id_))


@dataclass(frozen=True)
class Stretch:
    """Which events: made from `since` until before `until`, of types that fit the glob, later than `after`.

    With `queue`, only what that queue is bound to, and sent to it alone; else to everybody.
    """

    since: datetime
    until: datetime
    types: str = "*"
    queue: str | None = None
    after: Position = Position()

    def __post_init__(self) -> None:
        oldest = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
        if self.since >= self.until:
            raise ReplayRefused("the stretch ends before it begins.")
        if self.since < oldest:
            kept = oldest.isoformat(timespec="seconds")
            raise ReplayRefused(f"the outbox keeps {KEEP_DAYS} days: what was before {kept} may be gone in part.")
        if self.queue is not None and self.queue not in _bindings():
            raise ReplayRefused(f"{self.queue} is no queue of events: there are {', '.join(_bindings())}.")

    def parameters(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "until": self.until,
            "exchange": EVENTS_EXCHANGE,
            "keys": pattern(_bindings()[self.queue] if self.queue else ("#",)),
            "types": _like(self.types),
            "txid": str(self.after.txid),
            "id": self.after.id,
        }


def count(connection: psycopg.Connection[Any], stretch: Stretch) -> list[tuple[str, int]]:
    """How many events of each type a replay would send."""
    return connection.execute(_COUNT, stretch.parameters()).fetchall()


def held_back(connection: psycopg.Connection[Any], stretch: Stretch) -> int:
    """How many events of the stretch wait for a transaction to end that began before them, and are not sent yet."""
    row = connection.execute(_HELD_BACK, stretch.parameters()).fetchone()
    return int(row[0]) if row else 0


def replay(connection: psycopg.Connection[Any], amqp_url: str, stretch: Stretch) -> tuple[int, Position]:
    """Send the stretch with confirms; how many events, and the position of the last.

    Raises `ReplayStopped`, which knows how far it came: a `Stretch` with that `after` goes on from there.
    """
    sent, position = 0, stretch.after
    with _publisher(amqp_url) as publisher:
        for rows in _batches(connection, stretch):
            try:
                verdicts = publisher.publish([message_again(row, stretch.queue) for row in rows])
            except BrokerUnavailable as error:
                raise ReplayStopped(position, sent, str(error)) from error
            refused = next(filter(None, verdicts), None)
            if refused:
                raise ReplayStopped(position, sent, f"an event was {refused}")
            sent, position = sent + len(rows), Position(int(rows[-1].txid), rows[-1].id)
    return sent, position


def _batches(connection: psycopg.Connection[Any], stretch: Stretch) -> Iterator[list[Any]]:
    with connection.transaction(), connection.cursor(name="replay", row_factory=namedtuple_row) as cursor:
        cursor.execute(_READ, stretch.parameters())
        while rows := cursor.fetchmany(BATCH):
            yield rows


@contextmanager
def _publisher(amqp_url: str) -> Iterator[Publisher]:
    publisher = Publisher(amqp_url)
    try:
        yield publisher
    finally:
        publisher.close()


def _bindings() -> dict[str, tuple[str, ...]]:
    return {queue.name: queue.bindings for queue in topology.QUEUES if queue.exchange == EVENTS_EXCHANGE}


def _like(glob: str) -> str:
    """A glob as a pattern for LIKE."""
    for special in ("\\", "%", "_"):
        glob = glob.replace(special, f"\\{special}")
    return glob.replace("*", "%").replace("?", "_")
