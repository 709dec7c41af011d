"""Outbox rows on their way to the broker: what is read of them, and the message that each becomes."""

from __future__ import annotations

from typing import Any

import orjson

from ochaq_shared.bus.publisher import Message

RESENT_HEADER = "ochaq-resent"
"""Marks an event that is sent once more: perhaps a duplicate, perhaps later than younger ones of its subject."""

# The body stays text on its way: nobody here needs to look into it.
COLUMNS = """
o.id, o.created_at, o.event_id::text AS event_id, o.type, o.lane, o.exchange, o.routing_key,
o.headers::text AS headers, o.body::text AS body,
coalesce(o.body->>'requestid', o.headers->>'ochaq_request_id', '') AS story
"""


def message(row: Any) -> Message:
    """The message of a row that goes out for the first time."""
    return Message(row.event_id, row.exchange, row.routing_key, row.body.encode(), _headers(row), row.type)


def message_again(row: Any, queue: str | None) -> Message:
    """The message of a row that goes out once more: straight to `queue`, or to everybody who is bound to its type."""
    exchange, key = ("", queue) if queue else (row.exchange, row.routing_key)
    return Message(row.event_id, exchange, key, row.body.encode(), {**_headers(row), RESENT_HEADER: 1}, row.type)


def _headers(row: Any) -> dict[str, Any]:
    return orjson.loads(row.headers) if row.headers != "{}" else {}
