"""Waits for PostgreSQL end by the client's own clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from ochaq_shared import postgres
from ochaq_shared.postgres import BoundedAsyncConnection, BoundedConnection, Outage, patience


@pytest.fixture(autouse=True)
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """One for each test: what these provoke must not close the way for others in this process."""
    fresh = Outage(rest=60)
    monkeypatch.setattr(postgres, "outage", fresh)
    yield fresh
    postgres.wait_at_most(None)


def test_a_wait_that_takes_too_long_ends_and_closes_its_connection(servers: Any, outage: Outage) -> None:
    with BoundedConnection.connect(servers.postgres, autocommit=True) as connection:
        began = time.monotonic()
        with patience(0.3), pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.3 s"):
            connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 2
        assert connection.closed
    with pytest.raises(psycopg.OperationalError, match="away"):
        outage.enter()


def test_the_limit_of_the_process_holds_where_nothing_else_is_said(servers: Any) -> None:
    postgres.wait_at_most(0.3)
    with BoundedConnection.connect(servers.postgres, autocommit=True) as connection:
        with patience(10):
            connection.execute("SELECT pg_sleep(0.6)")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(20)")


def test_without_a_limit_a_statement_takes_what_it_takes(servers: Any) -> None:
    with BoundedConnection.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("SELECT pg_sleep(0.5)")


def test_a_wait_for_notifications_keeps_its_own_limit(servers: Any) -> None:
    with BoundedConnection.connect(servers.postgres, autocommit=True) as connection, patience(0.1):
        connection.execute("LISTEN nothing")
        assert list(connection.notifies(timeout=0.4)) == []
        assert not connection.closed


def test_copying_in_many_pieces_is_bounded_by_piece(servers: Any) -> None:
    with BoundedConnection.connect(servers.postgres) as connection, patience(1):
        connection.execute("CREATE TEMPORARY TABLE pieces (n int)")
        with connection.cursor().copy("COPY pieces FROM STDIN") as copy:
            for number in range(6):
                copy.write_row((number,))
                time.sleep(0.25)
        assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (6,)


async def test_an_event_loop_has_the_same(servers: Any, outage: Outage) -> None:
    async with await BoundedAsyncConnection.connect(servers.postgres, autocommit=True) as connection:
        began = time.monotonic()
        with patience(0.3), pytest.raises(psycopg.OperationalError, match="did not answer"):
            await connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 2
        assert connection.closed
    with pytest.raises(psycopg.OperationalError, match="away"):
        outage.enter()
