"""A database with the shared tables and a vhost, for one test each."""

from __future__ import annotations

import psycopg
import pytest
from ochaq_servers import Servers
from ochaq_shared.outbox import SCHEMA_SQL
from outbox_rig import Rig


@pytest.fixture
def rig(servers: Servers) -> Rig:
    database = servers.database("shared")
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA_SQL)
        connection.execute("CREATE TABLE effect (position bigserial, event_id uuid, subject text, version int)")
    return Rig(database, servers.amqp_url())
