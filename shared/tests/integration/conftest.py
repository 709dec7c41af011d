"""A database with the shared tables and a vhost, for one test each."""

from __future__ import annotations

import psycopg
import pytest
from ochaq_servers import Servers
from ochaq_shared.outbox import RELAY_SQL, SCHEMA_SQL
from outbox_rig import Rig


def _database(servers: Servers) -> str:
    database = servers.database("shared")
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA_SQL)
        connection.execute(RELAY_SQL)
        connection.execute("CREATE TABLE effect (position bigserial, event_id uuid, subject text, version int)")
    return database


@pytest.fixture
def rig(servers: Servers) -> Rig:
    return Rig(_database(servers), servers.amqp_url())


@pytest.fixture(scope="module")
def module_rig(servers: Servers) -> Rig:
    """A database for a whole module whose tests clean up by themselves; no broker."""
    return Rig(_database(servers), "")
