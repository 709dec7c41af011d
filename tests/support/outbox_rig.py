"""One service's database, relay and consumers on real servers, for tests of the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from ochaq_shared import outbox
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from ochaq_shared.relay import Relay


@dataclass
class Rig:
    """One service's database and broker, as the service sees them."""

    database: str
    amqp: str

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database)

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        relay = Relay("test", self.database, self.amqp, Health("test", "relay"))
        with running(relay.run, relay.stop):
            yield relay


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def emit(connection: Any, subject: int, version: int) -> str:
    """One event of a student into the outbox; its id."""
    return outbox.emit(connection, StudentRemoved(id=subject), subject=f"student:{subject}", version=version).id


def number(rig: Rig, sql: str, *params: Any) -> int:
    """The one number that a statement answers."""
    with rig.connect() as connection:
        row = connection.execute(sql, params).fetchone()
    assert row is not None
    return int(row[0])


def pending(rig: Rig) -> int:
    return number(rig, "SELECT count(*) FROM outbox WHERE published_at IS NULL")


@contextmanager
def running(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(15)
        assert not thread.is_alive()


@contextmanager
def consuming(consumer: Consumer) -> Iterator[None]:
    with running(consumer.run, consumer.stop):
        yield


class PsycopgWork:
    """A unit of work on one psycopg connection."""

    def __init__(self, database: str) -> None:
        self.connection = psycopg.connect(database, autocommit=True)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        with self.connection.transaction():
            yield self.connection

    def savepoint(self, connection: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
        return connection.transaction()
