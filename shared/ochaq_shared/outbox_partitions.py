"""The outbox's daily partitions: made ahead, dropped after the replay window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import structlog
from psycopg import sql

log = structlog.get_logger(__name__)

AHEAD_DAYS = 2
KEEP_DAYS = 14
_NAMES = r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^outbox_\d{8}$'"


def maintain(connection: psycopg.Connection[Any]) -> None:
    """Make the partitions of today and the next days, drop those older than the replay window."""
    today = datetime.now(UTC).date()
    present = {row[0] for row in connection.execute(_NAMES).fetchall()}
    for day in (today + timedelta(days=offset) for offset in range(AHEAD_DAYS + 1)):
        if _name(day) not in present:
            _create(connection, day)
    for name in sorted(present):
        if name < _name(today - timedelta(days=KEEP_DAYS)):
            _drop(connection, name)
    # Rows that came before their day's partition was made are forgotten one by one.
    connection.execute("DELETE FROM outbox_default WHERE published_at < now() - %s * interval '1 day'", (KEEP_DAYS,))


def _name(day: date) -> str:
    return f"outbox_{day:%Y%m%d}"


def _create(connection: psycopg.Connection[Any], day: date) -> None:
    statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF outbox FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(_name(day)), sql.Literal(f"{day} 00:00+00"), sql.Literal(f"{day + timedelta(days=1)} 00:00+00")
    )
    try:
        _patiently(connection, statement)
    except (
        psycopg.errors.CheckViolation,
        psycopg.errors.LockNotAvailable,
        psycopg.errors.InvalidObjectDefinition,
    ) as error:
        # Rows of that day are in the default partition already, or somebody holds the table: writing goes on there.
        log.warning("outbox.partition_not_made", partition=_name(day), error=str(error))


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop an old partition, but never one that still holds a message nobody published."""
    pending = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE published_at IS NULL)").format(sql.Identifier(name))
    row = connection.execute(pending).fetchone()
    if not row or row[0]:
        return
    try:
        _patiently(connection, sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    except psycopg.errors.LockNotAvailable as error:
        log.warning("outbox.partition_not_dropped", partition=name, error=str(error))
    else:
        log.info("outbox.partition_dropped", partition=name)


def _patiently(connection: psycopg.Connection[Any], statement: sql.Composed) -> None:
    """Run what locks the whole outbox, or give up soon: every insert waits behind the one who waits for that lock."""
    connection.execute("SET lock_timeout = '1s'")
    try:
        connection.execute(statement)
    finally:
        connection.execute("RESET lock_timeout")
