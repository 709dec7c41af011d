"""Messages a consumer does not settle itself: to a waiting queue, to the dead letters, or to be taken alone."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from ochaq_shared.bus import topology
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER, Delivery, Outcome
from ochaq_shared.bus.publisher import Message

LADDER = ("retry.1s", "retry.1s", "retry.10s", "retry.10s", "retry.1m")
POSTPONED = "retry.10s"

QUEUE_HEADER = "ochaq-queue"
ERROR_HEADER = "ochaq-error"
ROUTING_KEY_HEADER = "ochaq-routing-key"
DIED_HEADER = "ochaq-died-at"


def parked(queue: topology.Queue, delivery: Delivery, outcome: Outcome) -> Message:
    """The copy of an event that failed: on the rung of the ladder that its tries have reached, or dead."""
    headers = {**delivery.headers, ATTEMPTS_HEADER: outcome.attempts}
    if outcome.dead:
        event = delivery.event
        return dead(queue, event.id, event.type, delivery.body, headers, delivery.routing_key, outcome.error)
    rung = POSTPONED if outcome.innocent else LADDER[min(max(outcome.attempts, 1), len(LADDER)) - 1]
    # The routing key names the queue the message goes back to when its wait is over.
    return Message(delivery.event.id, rung, queue.name, delivery.body, headers, delivery.event.type)


def moved(to: str, message_id: str, body: bytes, headers: dict[str, Any]) -> Message:
    """The same message for another queue."""
    return Message(message_id or digest(body), "", to, body, headers)


def dead(
    queue: topology.Queue,
    message_id: str,
    kind: str,
    body: bytes,
    headers: dict[str, Any],
    routing_key: str,
    error: str,
) -> Message:
    """A dead letter with its story. One without an id of its own is known by its content."""
    story = {
        QUEUE_HEADER: queue.name,
        ROUTING_KEY_HEADER: routing_key,
        ERROR_HEADER: error[:500],
        DIED_HEADER: int(time.time()),
    }
    return Message(
        message_id or digest(body), topology.DEAD_EXCHANGE, queue.name, body, {**headers, **story}, kind or routing_key
    )


def digest(body: bytes) -> str:
    """A name for a message that has none."""
    return f"sha256-{hashlib.sha256(body).hexdigest()[:24]}"
