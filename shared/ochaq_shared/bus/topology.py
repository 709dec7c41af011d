"""Every exchange, queue and binding of Ochaq. Nothing else declares anything.

All queues are quorum queues: they survive a broker's death, and count deliveries. A message that is refused or
delivered too often goes to `ochaq.dead`; a message nobody is bound to is kept in `ochaq.unrouted`; `retry.*` hold
messages for a while and give them back to the queue named by their routing key. Why: docs/decisions/0002.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError, NotFound, PreconditionFailed

from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.outbox import COMMANDS_EXCHANGE, EVENTS_EXCHANGE

DEAD_EXCHANGE = "ochaq.dlx"
UNROUTED_EXCHANGE = "ochaq.unrouted"
PROBE_EXCHANGE = "ochaq.probe"
"""Nothing is bound to it: what is published there vanishes. RabbitMQ tells only publishers that it is blocked."""
DEAD_QUEUE = "ochaq.dead"
UNROUTED_QUEUE = "ochaq.unrouted"
DELIVERY_LIMIT = 20
MAX_LENGTH = 1_000_000

RETRY_SECONDS = {"retry.1s": 1, "retry.10s": 10, "retry.1m": 60, "retry.10m": 600}
"""The ladder of waiting queues, by name; nothing here uses ETA or countdown."""


class TopologyMismatch(BrokerUnavailable):
    """An exchange or queue exists with other arguments than ours; the text names it and says what to do."""


@dataclass(frozen=True)
class Queue:
    """A queue of one consumer group. `ordered` lets one consumer at a time read it; what is not `watched` is read by
    Celery, whose jobs have leases, instead of by our own consumers.
    """

    name: str
    exchange: str
    bindings: tuple[str, ...]
    ordered: bool = False
    watched: bool = True

    @property
    def alone(self) -> str:
        """Where messages go that may have killed their consumer, to be taken one at a time (`bus.consumer`)."""
        return f"{self.name}.alone"


WEB_EVENTS = Queue(
    "q.web.events",
    EVENTS_EXCHANGE,
    # Registrations have no reader yet: bound all the same, so that `ochaq.unrouted` holds only what is a mistake.
    (
        "ochaq.search.index.#",
        "ochaq.files.file.failed.#",
        "ochaq.cookbook.recipe.#",
        "ochaq.accounts.user.#",
        "ochaq.ops.action.#",
    ),
    ordered=True,
)
FILES_EVENTS = Queue("q.files.events", EVENTS_EXCHANGE, ("ochaq.files.file.uploaded.#",))
SEARCH_STUDENTS = Queue("q.search.students", EVENTS_EXCHANGE, ("ochaq.students.#",), ordered=True)
REALTIME_PROJECT = Queue(
    "q.realtime.project",
    EVENTS_EXCHANGE,
    ("ochaq.jobs.job.#", "ochaq.students.#", "ochaq.files.file.#", "ochaq.accounts.session.#", "ochaq.chat.#"),
    ordered=True,
)
SEARCH_COMMANDS = Queue("q.search.commands", COMMANDS_EXCHANGE, ("search.rebuild",), ordered=True)
JOBS_SHORT = Queue("jobs.short", COMMANDS_EXCHANGE, ("jobs.short",), watched=False)
JOBS_LONG = Queue("jobs.long", COMMANDS_EXCHANGE, ("jobs.long",), watched=False)

QUEUES = (WEB_EVENTS, FILES_EVENTS, SEARCH_STUDENTS, REALTIME_PROJECT, SEARCH_COMMANDS, JOBS_SHORT, JOBS_LONG)


def arguments(queue: Queue) -> dict[str, Any]:
    """The arguments a working queue is declared with."""
    found: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_LENGTH,
    }
    if queue.ordered:
        found["x-single-active-consumer"] = True
    return found


def declare(channel: Any) -> None:
    """Declare everything on an `amqp.Channel`; harmless when it is there already. Raises `TopologyMismatch`."""
    _exchange(channel, UNROUTED_EXCHANGE, "fanout")
    _exchange(channel, DEAD_EXCHANGE, "fanout")
    _exchange(channel, PROBE_EXCHANGE, "fanout")
    _exchange(channel, EVENTS_EXCHANGE, "topic", {"alternate-exchange": UNROUTED_EXCHANGE})
    _exchange(channel, COMMANDS_EXCHANGE, "direct", {"alternate-exchange": UNROUTED_EXCHANGE})
    _plain_queue(channel, DEAD_QUEUE, DEAD_EXCHANGE)
    _plain_queue(channel, UNROUTED_QUEUE, UNROUTED_EXCHANGE)
    for name, seconds in RETRY_SECONDS.items():
        _retry(channel, name, seconds)
    for queue in QUEUES:
        _queue(channel, queue.name, arguments(queue))
        if queue.watched:
            _queue(channel, queue.alone, arguments(queue))
        for binding in queue.bindings:
            channel.queue_bind(queue.name, queue.exchange, binding)


def names() -> list[str]:
    """Every queue there is, in the order in which a message may meet them."""
    working = [name for queue in QUEUES for name in (queue.name, *([queue.alone] if queue.watched else []))]
    return [*working, *RETRY_SECONDS, DEAD_QUEUE, UNROUTED_QUEUE]


def depths(connection: Any) -> dict[str, tuple[int, int] | None]:
    """Messages ready and consumers of every queue; None for one that is not declared yet. Raises what amqp raises."""
    return {name: _depth_if_any(connection, name) for name in names()}


def _depth_if_any(connection: Any, name: str) -> tuple[int, int] | None:
    # The broker closes the channel on a passive declare of a missing queue, so each gets its own.
    channel = connection.channel()
    try:
        found = depth(channel, name)
    except NotFound:
        return None
    channel.close()
    return found


def depth(channel: Any, name: str) -> tuple[int, int]:
    """Messages ready and consumers of a queue; raises amqp's NotFound when it does not exist."""
    found = channel.queue_declare(name, passive=True)
    return int(found.message_count), int(found.consumer_count)


@contextmanager
def _agreeing(kind: str, name: str) -> Iterator[None]:
    """Turn the broker's refusal to redeclare something differently into a sentence for people."""
    try:
        yield
    except PreconditionFailed as error:
        raise TopologyMismatch(
            f"{kind} {name} exists with other arguments ({_text(error)}). Let its consumers empty it, then delete it"
            f" (rabbitmqctl delete_queue {name}, or the management page) and run `ochaq bus declare`."
        ) from error


def _text(error: AMQPError) -> str:
    return str(getattr(error, "reply_text", "") or error)


def _exchange(channel: Any, name: str, kind: str, extra: dict[str, Any] | None = None) -> None:
    with _agreeing("exchange", name):
        channel.exchange_declare(name, kind, durable=True, auto_delete=False, arguments=extra or {})


def _queue(channel: Any, name: str, arguments: dict[str, Any]) -> None:
    with _agreeing("queue", name):
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)


def _plain_queue(channel: Any, name: str, exchange: str) -> None:
    _queue(channel, name, {"x-queue-type": "quorum"})
    channel.queue_bind(name, exchange, "#")


def _retry(channel: Any, name: str, seconds: int) -> None:
    """A waiting queue: its messages expire and go back, by the default exchange, to the queue they name."""
    _exchange(channel, name, "fanout")
    waits = {
        "x-queue-type": "quorum",
        "x-message-ttl": seconds * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    _queue(channel, name, waits)
    channel.queue_bind(name, name, "#")
