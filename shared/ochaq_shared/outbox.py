"""The transactional outbox: what happened is written in the same transaction as the rows it happened to.

The table is partitioned by day, so that old rows are dropped with their partition instead of leaving vacuum debt, and
sharded by subject, so that two relays keep the order of each aggregate. Why: docs/decisions/0001.
"""

from __future__ import annotations

import zlib
from functools import partial
from importlib.resources import files
from typing import Any

import orjson

from ochaq_shared import failpoints
from ochaq_shared.commands import Command
from ochaq_shared.database import execute
from ochaq_shared.events.base import CloudEvent, Fact

EVENTS_EXCHANGE = "ochaq.events"
COMMANDS_EXCHANGE = "ochaq.commands"
SHARDS = 8
WAKE_CHANNEL = "ochaq_outbox"

SCHEMA_SQL = (files("ochaq_shared") / "schema.sql").read_text()
"""DDL of outbox, inbox and idempotency, for the first migration of every service with a database."""
RELAY_SQL = (files("ochaq_shared") / "schema_relay.sql").read_text()
"""DDL of what the relay needs beside them, for the next migration; safe to run again."""

_COLUMNS = "event_id, type, source, subject, version, shard, lane, exchange, routing_key, headers, body"
_INSERT = f"""
INSERT INTO outbox ({_COLUMNS})
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb)
"""  # noqa: S608 - constants


def insertion(select: str) -> str:
    """SQL that writes messages out of a SELECT of all columns, in order from event_id to body, into the outbox.

    For rules that change a row and tell it in one statement; everybody else calls `emit` or `send`. Who uses it wakes
    the relay after the commit, and holds its facts against their models by a test.
    """
    return f"INSERT INTO outbox ({_COLUMNS}) {select}"


def wake(connection: Any) -> None:
    """Tell the relay that something was committed; best effort, the relay's poll is the truth.

    To be called after the commit: NOTIFY inside a business transaction would serialise all commits on one lock.
    """
    execute(connection, f"NOTIFY {WAKE_CHANNEL}")


def emit(connection: Any, what: Fact, *, subject: str, version: int) -> CloudEvent:
    """Write an event into the outbox of `connection`'s current transaction.

    Lock the aggregate's row before bumping its version and emitting: ids of one subject then follow commit order.
    """
    event = CloudEvent.of(what, subject=subject, version=version)
    _insert(
        connection,
        event.id,
        event.type,
        event.source,
        subject,
        version,
        what.lane,
        EVENTS_EXCHANGE,
        event.type,
        {},
        event.model_dump(),
    )
    return event


def send(connection: Any, command: Command) -> None:
    """Write a command into the outbox of `connection`'s current transaction."""
    _insert(
        connection,
        command.id,
        command.type,
        "/commands",
        command.subject,
        0,
        command.lane,
        COMMANDS_EXCHANGE,
        command.routing_key,
        command.headers,
        command.body,
    )


def shard_of(subject: str) -> int:
    """The shard of an aggregate; all its messages use this one."""
    return zlib.crc32(subject.encode()) % SHARDS


def _insert(
    connection: Any,
    message_id: str,
    kind: str,
    source: str,
    subject: str,
    version: int,
    lane: int,
    exchange: str,
    routing_key: str,
    headers: dict[str, Any],
    body: Any,
) -> None:
    execute(
        connection,
        _INSERT,
        (
            message_id,
            kind,
            source,
            subject,
            version,
            shard_of(subject),
            int(lane),
            exchange,
            routing_key,
            orjson.dumps(headers).decode(),
            orjson.dumps(body).decode(),
        ),
    )
    failpoints.hit("outbox.inserted")
    _wake_after_commit(connection)


def _wake_after_commit(connection: Any) -> None:
    """Django can be asked to wake the relay once after its commit; users of other drivers call `wake` themselves."""
    if not hasattr(connection, "run_on_commit"):
        return
    already = any(getattr(entry[1], "func", None) is wake for entry in connection.run_on_commit)
    if not already:
        connection.on_commit(partial(wake, connection), robust=True)
