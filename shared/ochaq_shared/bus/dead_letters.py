"""Reading, replaying and dropping dead letters by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.bus.publisher import Message, Publisher

MOST = 10_000


@dataclass(frozen=True)
class DeadLetter:
    """One message nobody could handle. `queue` is where it failed."""

    tag: int
    id: str
    queue: str
    type: str
    error: str
    body: bytes
    headers: dict[str, Any]


def peek(amqp_url: str) -> list[DeadLetter]:
    """All dead letters, left where they are."""
    with _channel(amqp_url) as channel:
        return list(_take(channel))


def replay(amqp_url: str, ids: set[str]) -> list[DeadLetter]:
    """Send dead letters back to their queues (all, or those with `ids`); each goes only once its copy is confirmed."""
    publisher = Publisher(amqp_url)

    def send(letter: DeadLetter) -> None:
        headers = {k: v for k, v in letter.headers.items() if not k.startswith("ochaq-") and k != "x-death"}
        if any(publisher.publish([Message(letter.id, "", letter.queue, letter.body, headers, letter.type)])):
            raise BrokerUnavailable(f"dead letter {letter.id} could not be sent back")

    try:
        return _settle(amqp_url, ids, send)
    finally:
        publisher.close()


def drop(amqp_url: str, ids: set[str]) -> list[DeadLetter]:
    """Forget dead letters (all, or those with `ids`)."""
    return _settle(amqp_url, ids, lambda letter: None)


def _settle(amqp_url: str, ids: set[str], action: Callable[[DeadLetter], None]) -> list[DeadLetter]:
    with _channel(amqp_url) as channel:
        # All are taken first: an untouched letter goes back when the channel closes and must not be met again.
        chosen = [letter for letter in list(_take(channel)) if not ids or letter.id in ids]
        for letter in chosen:
            action(letter)
            channel.basic_ack(letter.tag)
        return chosen


def _take(channel: Any) -> Iterator[DeadLetter]:
    for _ in range(MOST):
        message = channel.basic_get(topology.DEAD_QUEUE)
        if message is None:
            return
        yield _letter(message)


def _letter(message: Any) -> DeadLetter:
    headers = dict(message.headers or {})
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
    # A message the broker itself gave up on carries its story in x-death instead of in our headers.
    died = (headers.get("x-death") or [{}])[0]
    return DeadLetter(
        tag=message.delivery_tag,
        id=message.properties.get("message_id") or _event_id(body),
        queue=str(headers.get("ochaq-queue") or died.get("queue", "")),
        type=str(message.properties.get("type", "")),
        error=str(headers.get("ochaq-error") or died.get("reason", "")),
        body=body,
        headers=headers,
    )


def _event_id(body: bytes) -> str:
    try:
        return str(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def _channel(amqp_url: str) -> Iterator[Any]:
    connection = connect(amqp_url)
    try:
        yield connection.channel()
    finally:
        close(connection)
