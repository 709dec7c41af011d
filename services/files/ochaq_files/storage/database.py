"""The database: one engine, and transactions around plain synchronous rules.

Rules are functions of a SQLAlchemy `Connection`. The API runs them on an asynchronous engine through `run_sync`, the
consumer calls them directly, so that one rule serves both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import structlog
from ochaq_shared.outbox import wake
from ochaq_shared.postgres import BoundedAsyncConnection, BoundedConnection, outage, patience
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# The client's clock ends a wait for a server that does not answer (ochaq_shared.postgres), the server's own a statement
# that takes too long, the socket's a wait for a machine that vanished.
REQUEST_WAITS = 4.5
CHECK_SECONDS = 1.0
_CONNECT: dict[str, Any] = {
    "connect_timeout": 2,
    "options": "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=60000"
    " -c client_connection_check_interval=1000",
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
    "application_name": "ochaq_files",
}

_EMITTED = "ochaq_emitted"

UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)
"""What SQLAlchemy raises when the server is away, busy or refusing; a later try may work."""


class Database:
    """Transactions for the API's event loop. While PostgreSQL is known to be away they fail at once."""

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self._engine = create_async_engine(
            _sqlalchemy(url),
            pool_size=pool,
            max_overflow=5,
            pool_timeout=1.5,
            pool_pre_ping=True,
            connect_args={**_CONNECT, "async_creator_fn": BoundedAsyncConnection.connect},
        )

    async def run(self, rule: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`rule(connection, *args)` in one transaction: committed when it returns, rolled back when it raises."""
        async with self._begin() as connection:
            result = await connection.run_sync(rule, *args, **kwargs)
            emitted = await connection.run_sync(_take_emitted)
        if emitted:
            await self._wake_relay()
        return result

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        began = outage.enter()
        try:
            # The pool asks a connection whether it still works before it lends it.
            with patience(CHECK_SECONDS):
                connection = await self._engine.connect()
        except UNAVAILABLE:
            outage.failed(began)
            raise
        outage.answered()
        try:
            async with connection.begin():
                yield connection
        finally:
            await connection.close()

    async def _wake_relay(self) -> None:
        try:
            async with self._begin() as connection:
                await connection.run_sync(wake)
        except UNAVAILABLE as error:
            # What was to be told is committed; the relay finds it by its own poll a moment later.
            log.info("outbox.wake_failed", error=type(error).__name__)

    async def close(self) -> None:
        await self._engine.dispose()


def note_emitted(connection: Connection) -> None:
    """Remember that this transaction wrote to the outbox, so that the relay is woken after the commit."""
    connection.info[_EMITTED] = True


def _take_emitted(connection: Connection) -> bool:
    return bool(connection.info.pop(_EMITTED, False))


def sync_engine(url: str) -> Engine:
    """An engine for the processes without an event loop."""
    return create_engine(
        _sqlalchemy(url),
        creator=partial(BoundedConnection.connect, url, **_CONNECT),
        pool_size=3,
        max_overflow=2,
        pool_timeout=5,
        pool_pre_ping=True,
    )


@contextmanager
def migration_lock(engine: Engine) -> Iterator[None]:
    """One migration at a time, whoever else starts one."""
    with engine.connect() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(718, 0)"))
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(718, 0)"))
            connection.commit()


def check(url: str) -> None:
    """Raises when the database cannot be asked within three seconds."""
    with patience(CHECK_SECONDS), BoundedConnection.connect(url, connect_timeout=2) as connection:
        connection.execute("SELECT 1 FROM alembic_version")


def temporary(error: Exception) -> bool:
    """True when the failure says that the database is unavailable rather than that the request is wrong."""
    return isinstance(error, UNAVAILABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _sqlalchemy(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]
