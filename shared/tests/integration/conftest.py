"""A database with the shared tables for one test each, and a vhost that all of them find empty."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg
import pytest
from ochaq_servers import Servers
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.outbox import RELAY_SQL, SCHEMA_SQL
from outbox_rig import Rig

QUICK_RUNG = "retry.test"
"""A waiting queue like those of the ladder, but for a tenth of a second."""


def _database(servers: Servers) -> str:
    database = servers.database("shared")
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA_SQL)
        connection.execute(RELAY_SQL)
        connection.execute("CREATE TABLE effect (position bigserial, event_id uuid, subject text, version int)")
    return database


@pytest.fixture(autouse=True)
def _consumers_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer looks whether it is to stop when nothing came for a while; nearly every test waits for that."""
    monkeypatch.setattr("ochaq_shared.bus.consumer.IDLE_SECONDS", 0.1)


@pytest.fixture(scope="session")
def vhost(servers: Servers) -> str:
    """One for all tests: a fresh one, with its queues, costs more time than most of them need."""
    return servers.amqp_url()


@pytest.fixture
def amqp(vhost: str) -> str:
    """The vhost with everything declared, nobody reading and nothing waiting, whatever the last test did to it."""
    with closing(connect(vhost)) as connection:
        channel = connection.channel()
        topology.declare(channel)
        # What a reader that just went had in hand comes back with its end: only then is empty empty.
        deadline = time.monotonic() + 10
        while any(found[1] for found in topology.depths(connection).values() if found):
            assert time.monotonic() < deadline, "an earlier test's consumer still reads"
            time.sleep(0.02)
        channel.queue_declare(QUICK_RUNG, durable=True, auto_delete=False, arguments=_WAITS)
        channel.exchange_declare(QUICK_RUNG, "fanout", durable=True, auto_delete=False)
        channel.queue_bind(QUICK_RUNG, QUICK_RUNG, "#")
        while sum(channel.queue_purge(name) for name in (*topology.names(), QUICK_RUNG)):
            pass
    return vhost


_WAITS = {
    "x-queue-type": "quorum",
    "x-message-ttl": 100,
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


@pytest.fixture
def quick_ladder(amqp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rung is the short one: as many tries as ever, by the same way, without the waits of production."""
    monkeypatch.setattr("ochaq_shared.bus.parking.LADDER", (QUICK_RUNG,))
    monkeypatch.setattr("ochaq_shared.bus.parking.POSTPONED", QUICK_RUNG)


@pytest.fixture
def rig(servers: Servers, amqp: str) -> Rig:
    return Rig(_database(servers), amqp)


@pytest.fixture(scope="module")
def module_rig(servers: Servers) -> Rig:
    """A database for a whole module whose tests clean up by themselves; no broker."""
    return Rig(_database(servers), "")
