"""RabbitMQ of this platform, as an operator reaches it: AMQP for queues, `rabbitmqctl` for the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ochaq_local import table
from ochaq_local.instance import Instance
from ochaq_shared.bus import dead_letters, topology
from ochaq_shared.bus.connection import close, connect
from ochaq_shared.bus.publisher import Message, Publisher


@dataclass
class Broker:
    instance: Instance

    @cached_property
    def url(self) -> str:
        return table.rabbitmq(self.instance).url()

    def control(self, *words: str) -> str:
        """`rabbitmqctl` on this platform's own node."""
        return table.rabbitmq(self.instance).control(*words)

    def depths(self) -> dict[str, int]:
        """Messages ready in every queue of ours."""
        names = [*(queue.name for queue in topology.QUEUES), topology.DEAD_QUEUE, topology.UNROUTED_QUEUE]
        with self._channel() as channel:
            return {name: topology.depth(channel, name)[0] for name in names}

    def purge(self, names: list[str]) -> int:
        """Throw away what waits in these queues; answers how many messages that were."""
        with self._channel() as channel:
            return sum(channel.queue_purge(name) or 0 for name in names)

    def delete(self, names: list[str]) -> int:
        """Delete queues with what is in them."""
        with self._channel() as channel:
            return sum(channel.queue_delete(name) or 0 for name in names)

    def publish(self, message: Message) -> None:
        """Put one message where a producer of ours would put it."""
        publisher = Publisher(self.url)
        try:
            if any(publisher.publish([message])):
                raise AssertionError(f"RabbitMQ did not take {message.id}")
        finally:
            publisher.close()

    def dead(self) -> list[dead_letters.DeadLetter]:
        return dead_letters.peek(self.url)

    def clear(self) -> None:
        """Forget what an earlier fault left for people to look at."""
        self.purge([topology.DEAD_QUEUE, topology.UNROUTED_QUEUE])

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = connect(self.url)
        try:
            yield connection.channel()
        finally:
            with suppress(OSError):
                close(connection)
