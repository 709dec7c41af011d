"""The little that outbox, inbox and idempotency need of a database, for every driver this house uses.

Django's connection, a synchronous SQLAlchemy connection and a psycopg connection all reach psycopg 3 in the end, so
one SQL text with `%s` placeholders serves them; only the way to run it differs.
"""

from __future__ import annotations

from typing import Any, Protocol


class Rows(Protocol):
    """What running a statement gives back."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


def execute(connection: Any, sql: str, params: tuple[Any, ...] = ()) -> Rows:
    """Run one statement in the connection's current transaction and return its rows."""
    if hasattr(connection, "exec_driver_sql"):  # SQLAlchemy
        result: Rows = connection.exec_driver_sql(sql, params)
        return result
    cursor = connection.cursor()  # Django, psycopg
    cursor.execute(sql, params)
    rows: Rows = cursor
    return rows
