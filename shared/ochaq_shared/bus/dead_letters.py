"""Reading, replaying and dropping what nobody could handle.

A letter is named by the queue it failed in and its id: an event that several consumers failed on has a letter each.
Looking takes messages out of the queue for a moment and puts them back by closing the channel; who looks at that very
moment sees fewer, so those who act on named letters look again when one is not there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from amqp.exceptions import AMQPError, NotFound

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER, DELIVERIES_HEADER, REPLAY_HEADER, number
from ochaq_shared.bus.parking import DIED_HEADER, ERROR_HEADER, QUEUE_HEADER, ROUTING_KEY_HEADER, digest
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.ids import uuid7

MOST = 10_000
MOST_BYTES = 256 * 1024 * 1024
SHOWN_BYTES = 64 * 1024
COUNTED = 200
COUNTED_BYTES = 8 * 1024 * 1024
_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class DeadLetter:
    """One message nobody could handle. `queue` is where it failed; `body` is its beginning, `size` its length."""

    tag: int
    id: str
    queue: str
    type: str
    error: str
    attempts: int
    died_at: datetime | None
    size: int
    body: bytes
    headers: dict[str, Any]

    @property
    def key(self) -> str:
        """What names this letter among all."""
        return f"{self.queue}/{self.id}"

    @property
    def routing_key(self) -> str:
        return str(self.headers.get(ROUTING_KEY_HEADER, ""))


@dataclass(frozen=True)
class Selection:
    """Which letters are meant; an empty field means any. `keys` are `DeadLetter.key`, `ids` stand for any queue."""

    keys: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    queue: str = ""
    type: str = ""

    def __contains__(self, letter: object) -> bool:
        return (
            isinstance(letter, DeadLetter)
            and (not self.keys or letter.key in self.keys)
            and (not self.ids or letter.id in self.ids)
            and (not self.queue or letter.queue == self.queue)
            and (not self.type or letter.type == self.type)
        )


ALL = Selection()


class LetterRefused(BrokerUnavailable):
    """One letter cannot go back, however often that is tried."""


@dataclass(frozen=True)
class Group:
    """Letters that failed alike."""

    queue: str
    type: str
    error: str
    letters: int


def peek(
    amqp_url: str, selection: Selection = ALL, *, most: int = MOST, most_bytes: int = MOST_BYTES, timeout: float = 10
) -> list[DeadLetter]:
    """Chosen letters among `most` (and `most_bytes`), the oldest first, left where they are.

    Raises `BrokerUnavailable`.
    """
    with _channel(amqp_url, timeout) as channel:
        letters = [letter for letter, _ in _take(channel, most, most_bytes) if letter in selection]
    # What was looked at before comes last: the broker puts it back behind what it had put back earlier.
    return sorted(letters, key=lambda letter: letter.died_at or _LONG_AGO)


def count(amqp_url: str, *, timeout: float = 10) -> tuple[int, datetime | None]:
    """How many letters there are, and since when the oldest of the first few hundred is dead, where that is known.

    Raises `BrokerUnavailable`.
    """
    with _channel(amqp_url, timeout) as channel:
        ready, _consumers = topology.depth(channel, topology.DEAD_QUEUE)
        letters = [letter for letter, _ in _take(channel, COUNTED, COUNTED_BYTES)]
    # The broker counts what somebody just looked at a moment late.
    return max(ready, len(letters)), min((letter.died_at for letter in letters if letter.died_at), default=None)


def groups(letters: Sequence[DeadLetter]) -> list[Group]:
    """How many letters failed alike, the most first. Numbers and ids in errors do not make them different."""
    counted = Counter((letter.queue, letter.type, _kind(letter.error)) for letter in letters)
    return [Group(*alike, count) for alike, count in counted.most_common()]


def replay(amqp_url: str, selection: Selection = ALL) -> list[DeadLetter]:
    """Send letters back to their queues with all their tries; each goes only once its copy is confirmed.

    Killed in between, a letter is both sent back and still dead: the inbox drops the second.
    """
    publisher, mark = Publisher(amqp_url), uuid7()

    def send(letter: DeadLetter, body: bytes) -> bool:
        if letter.headers.get(REPLAY_HEADER) == mark:
            return False  # we sent it back, and it died again while we were at the others
        if not letter.queue:
            raise LetterRefused(f"dead letter {letter.id} does not say which queue it came from")
        headers = {**_sendable(letter.headers), REPLAY_HEADER: mark}
        (verdict,) = publisher.publish([Message(letter.id, "", letter.queue, body, headers, letter.type)])
        if verdict is not None:
            raise LetterRefused(f"dead letter {letter.id} could not be sent back to {letter.queue}: {verdict}")
        return True

    try:
        return _settle(amqp_url, selection, send)
    finally:
        publisher.close()


def drop(amqp_url: str, selection: Selection = ALL) -> list[DeadLetter]:
    """Forget letters."""
    return _settle(amqp_url, selection, lambda letter, body: True)


def _settle(amqp_url: str, selection: Selection, action: Callable[[DeadLetter, bytes], bool]) -> list[DeadLetter]:
    """Take each letter, and forget it when it was chosen and `action` is done with it."""
    settled = []
    with _channel(amqp_url) as channel:
        # An untouched letter stays taken until the channel closes, and so is not met again.
        for letter, body in _take(channel, MOST, MOST_BYTES):
            if letter in selection and action(letter, body):
                channel.basic_ack(letter.tag)
                settled.append(letter)
    return settled


def _take(channel: Any, most: int, most_bytes: int) -> Iterator[tuple[DeadLetter, bytes]]:
    seen = 0
    for _ in range(most):
        message = channel.basic_get(topology.DEAD_QUEUE)
        if message is None:
            return
        yield _letter(message), message.body
        seen += len(message.body)
        if seen > most_bytes:
            return


def _letter(message: Any) -> DeadLetter:
    headers = dict(message.headers or {})
    # A message the broker itself gave up on carries its story in x-death instead of in our headers.
    died = (headers.get("x-death") or [{}])[0]
    known = QUEUE_HEADER in headers
    queue = str(headers.get(QUEUE_HEADER) or died.get("queue", ""))
    return DeadLetter(
        tag=message.delivery_tag,
        id=message.properties.get("message_id") or _event_id(message.body) or digest(message.body),
        queue=queue.removesuffix(".alone"),
        type=str(message.properties.get("type", "")),
        error=str(headers.get(ERROR_HEADER) or f"given up by the broker: {died.get('reason', 'unknown')}"),
        attempts=number(headers, ATTEMPTS_HEADER) if known else number(headers, DELIVERIES_HEADER),
        died_at=_died_at(headers, died),
        size=len(message.body),
        body=message.body[:SHOWN_BYTES],
        headers=headers,
    )


def _died_at(headers: dict[str, Any], died: dict[str, Any]) -> datetime | None:
    seconds = number(headers, DIED_HEADER)
    if seconds:
        return datetime.fromtimestamp(seconds, UTC)
    told = died.get("time")
    return told.replace(tzinfo=UTC) if isinstance(told, datetime) else None


def _sendable(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not name.startswith(("ochaq-", "x-"))}


def _kind(error: str) -> str:
    """An error without what differs from one event to the next."""
    words = ["…" if any(sign.isdigit() for sign in word) else word for word in error.split()]
    return " ".join(words)[:120]


def _event_id(body: bytes) -> str:
    try:
        return str(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def _channel(amqp_url: str, timeout: float = 10) -> Iterator[Any]:
    """A channel; whatever goes wrong on it is `BrokerUnavailable`."""
    connection = connect(amqp_url, connect_timeout=min(timeout, 4), timeout=timeout)
    try:
        channel = connection.channel()
        channel.auto_decode = False
        yield channel
        # Answered by the broker once it has seen every ack; a socket that is just closed may lose the last ones.
        channel.close()
    except NotFound as error:
        raise BrokerUnavailable("the dead letters' queue is not declared; `ochaq bus declare` does that") from error
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"RabbitMQ did not answer: {type(error).__name__}") from error
    finally:
        close(connection)
